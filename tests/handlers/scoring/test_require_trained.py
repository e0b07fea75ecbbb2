# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

import pytest
from ignite.engine import Engine

from monai_anomaly.bundle.trained_detector import TrainedDetector
from monai_anomaly.handlers.scoring.require_trained import RequireTrained
from monai_anomaly.utils.exceptions import CheckpointError


def test_a_run_without_weights_ends_before_its_first_batch(tmp_path):
    batches = []
    engine = Engine(lambda _, batch: batches.append(batch))
    RequireTrained(TrainedDetector(tmp_path / "model.pt", {"spec": {}}, "")).attach(engine)
    with pytest.raises(CheckpointError, match="there is no checkpoint"):
        engine.run([1, 2])
    assert not batches


@pytest.mark.parametrize(
    ("data", "said"),
    [
        ({}, []),
        ({"unfinished": "3 of 9 iterations of the training"}, ["3 of 9 iterations"]),
        ({"pool check": "little"}, []),
        ({"pool warning": "sharpness alone separates."}, ["differed from its normals: sharpness alone separates."]),
    ],
)
def test_a_run_with_weights_goes_on_and_says_what_to_beware_of(caplog, data, said):
    engine = Engine(lambda _, batch: batch)
    RequireTrained(TrainedDetector("model.pt", {"spec": {}, "model": {}, "data": data}, "0" * 64)).attach(engine)
    assert engine.run([1, 2]).output == 2
    assert len(caplog.messages) == len(said) and all(part in caplog.text for part in said)
