# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

"""False-alarm rates over random splits of synthetic normals: at most what was promised."""

from __future__ import annotations

import numpy as np
import pytest

from measurements.splits import format_table, read_normals, split_rates
from tests.helpers.calibrations import make_calibration


def normals(kind, seed, n_patients=260):
    """Scores of patients who differ by more than their images; with ties, or with a few patients of many images."""
    random = np.random.default_rng(seed)
    sizes = {"single": np.ones(n_patients, int), "uneven": random.geometric(0.2, n_patients)}.get(
        kind, random.integers(1, 5, n_patients)
    )
    groups = np.repeat(np.arange(n_patients), sizes)
    scores = random.standard_t(2, n_patients)[groups] + 0.5 * random.normal(size=len(groups))
    return (np.round(scores) if kind == "ties" else scores), groups


@pytest.mark.parametrize("kind", ["single", "several", "uneven", "ties"])
def test_the_mean_rate_of_200_splits_is_at_most_alpha(kind):
    for row in split_rates(*normals(kind, 5)):
        assert row.mean <= row.alpha + 3 * row.error
        if kind == "single":  # and the promise is used up, but for one step of the ranks
            assert row.mean >= row.alpha - 1 / 131 - 3 * row.error


def test_a_threshold_read_off_the_calibration_images_would_break_the_promise():
    """The test above can fail: the plain quantile of few normals gives too many alarms."""
    random = np.random.default_rng(0)
    scores = random.normal(size=(2000, 20))
    quantile = np.quantile(scores[:, :19], 0.95, axis=1)
    assert np.mean(scores[:, 19] >= quantile) > 0.06


def test_the_command_reads_what_an_evaluation_writes(tmp_path):
    scores, groups = normals("several", 1, 60)
    lines = [f"i,0,{score!r},{group}" for score, group in zip(scores.tolist(), groups.tolist(), strict=True)]
    (tmp_path / "scores.csv").write_text("\n".join(["image,label,score,group", *lines, "i,1,99.0,abnormal", "i,0,,x"]))
    read = read_normals(str(tmp_path / "scores.csv"))
    assert read == (scores.tolist(), [str(group) for group in groups])
    text = format_table(*read, repeats=20)
    assert f"{len(scores)} normal images of 60 patients" in text and "| 0.01 | cannot be had: needs 99 patients" in text
    assert "| 0.05 | 0.0" in text
    make_calibration(scores, groups).save(tmp_path / "calibration.json")
    again = read_normals(str(tmp_path / "calibration.json"))
    assert again[0] == sorted(scores) and len(set(again[1])) == 60
    (tmp_path / "bare.csv").write_text("score\n1.0\n2.0\n")
    assert read_normals(str(tmp_path / "bare.csv")) == ([1.0, 2.0], ["0", "1"])
