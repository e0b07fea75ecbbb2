# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

"""Whether the two terms of OCAD's score, which an evaluation writes, sum to it."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.helpers.tiny_bundles import table
from tests.helpers.trained_models import load_trained, spec_args, spread


def check_terms(folder: Path, output: Path) -> None:
    """The score of each image is the weighted sum of its terms."""
    share, tolerance = spec_args(folder)["network"]["gaussian_share"], 1e-5 / spread(load_trained(folder))
    rows = table(output / "terms.csv")
    assert len(rows) == len(table(output / "scores.csv")) > 0
    for row, scored in zip(rows, table(output / "scores.csv"), strict=True):
        assert [row[key] for key in ("image", "label", "score")] == [scored[key] for key in ("image", "label", "score")]
        total = (1 - share) * float(row["reconstruction"]) + share * float(row["gaussian"])
        assert float(row["score"]) == pytest.approx(total, rel=1e-4, abs=tolerance)
