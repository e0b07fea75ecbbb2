# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

import json
import math

import pytest
import torch

from monai_anomaly.bundle.deliverable.plain_values import from_plain, to_plain
from tests.helpers.trained_models import assert_same


def test_tensors_and_values_come_back_bit_for_bit():
    value = {
        "a": torch.tensor([[0.1, -math.inf], [2, 3]])[:, :1],
        "b": torch.arange(6).reshape(1, 2, 3),
        "c": [torch.tensor(0.1, dtype=torch.float64), torch.tensor([True, False]), torch.zeros(0, 4)],
        "d": {"e": [1, 0.1, "text", None, True, math.inf, math.nan], "float": "word", "f": {}},
    }
    text = json.dumps(to_plain(value), allow_nan=False)
    assert_same(from_plain(json.loads(text)), value)


def test_what_has_no_place_in_json_is_refused():
    for value in (object(), b"bytes", torch.zeros(2, dtype=torch.complex64)):
        with pytest.raises(TypeError, match="cannot be kept in JSON"):
            to_plain({"a": [value]})
    tensor = to_plain(torch.zeros(2))
    for change in ({"dtype": "object"}, {"shape": [3]}, {"base64": "!"}, {"shape": "x"}):
        with pytest.raises(ValueError, match="damaged"):
            from_plain(tensor | change)
