# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

"""Evaluation with and without a calibration, as a user runs it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from monai_anomaly.bundle import TrainedDetector, calibration_path
from monai_anomaly.calibration.calibration import Calibration
from monai_anomaly.data.lists.datalist import load_datalist
from monai_anomaly.utils.exceptions import CalibrationError
from tests.helpers.tiny_bundles import evaluate as evaluate_bundle


def evaluate(trained: Path, data: Path, output: Path, **overrides) -> tuple[dict, list[dict]]:
    """Return the numbers and the rows of the table."""
    rows = evaluate_bundle(trained, data, output, **overrides)
    return json.loads((output / "metrics.json").read_text()), rows


@contextmanager
def refused(match: str) -> Iterator[None]:
    """Expect a refusal; MONAI wraps what happens in a configuration, and the command line unwraps it."""
    with pytest.raises(RuntimeError) as caught:
        yield
    assert isinstance(caught.value.__cause__, CalibrationError) and match in str(caught.value.__cause__)


@pytest.fixture
def calibration(trained, tmp_path) -> Path:
    """Return a calibration of the trained detector: scores of as many made-up normals as every rate needs."""
    model = trained / "models" / "model.pt"
    detector = TrainedDetector.read(model)
    scores = tuple(0.5 + i / 100 for i in range(100))
    hashes = (detector.model_hash, detector.spec_hash, "0" * 64)
    Calibration(scores, tuple(range(100)), *hashes, "middle", "max").save(tmp_path / "calibration.json")
    return tmp_path / "calibration.json"


def test_without_a_calibration_nothing_is_decided(trained, small_phantom, tmp_path, at_root):
    assert not Path(calibration_path(trained / "models" / "model.pt")).exists()
    metrics, rows = evaluate(trained, small_phantom, tmp_path)
    assert metrics["calibration"] is None and metrics["n_trained_on"] == 0
    assert {row["decision"] for row in rows} <= {"uncalibrated", "not_applicable"}
    page = (tmp_path / "report.html").read_text()
    assert "There is no calibration of this detector" in page and "<h1>SEPIAD: evaluation</h1>" in page
    assert metrics["data_set"] == "generated phantom, section test" and metrics["data_set"] in page
    assert metrics["data_hash"][:12] in page and "For research, not for diagnosis" in page


def test_a_calibration_decides(trained, small_phantom, calibration, tmp_path, at_root):
    metrics, rows = evaluate(trained, small_phantom, tmp_path / "out", calibration=str(calibration), guard=False)
    known = Calibration.load(calibration)
    for row in rows:
        assert float(row["p_value"]) == known.p_value(float(row["score"]))
        assert row["decision"] == known.decide(float(row["score"]), 0.1)
    assert metrics["calibration"]["n_patients"] == 100
    assert metrics["operating_points"]["thresholds"]["0.01"]["threshold"] == known.threshold(0.01)
    assert metrics["pixel_level"]["n_abnormal"] > 0 and metrics["pixel_level"]["dice"]["value"] is not None


@pytest.mark.parametrize(
    ("overrides", "match"),
    [({"aggregate": "mean"}, "aggregate is 'max' there and 'mean' here"), ({"frames": "all"}, "frames is")],
)
def test_a_calibration_of_something_else_is_refused(
    trained, small_phantom, calibration, tmp_path, at_root, overrides, match
):
    with refused(match):
        evaluate(trained, small_phantom, tmp_path / "out", calibration=str(calibration), **overrides)
    evaluate(trained, small_phantom, tmp_path / "out", calibration=str(calibration), uncalibrated=True, **overrides)


def test_a_calibration_that_is_named_must_be_there(trained, small_phantom, tmp_path, at_root):
    with refused("there is no calibration"):
        evaluate(trained, small_phantom, tmp_path / "out", calibration=str(tmp_path / "none.json"))
    assert not (tmp_path / "out").exists()


def test_subgroups_of_a_data_list(trained, small_phantom, tmp_path, at_root):
    items = load_datalist(str(small_phantom), "test")
    entries = [
        {"image": str(Path(item["image"]).relative_to(small_phantom)), "label": item["label"], "machine": "AB"[i % 2]}
        for i, item in enumerate(items)
    ]
    data = tmp_path / "data"
    data.mkdir()
    for entry in entries:
        (data / entry["image"]).parent.mkdir(parents=True, exist_ok=True)
        (data / entry["image"]).symlink_to(small_phantom / entry["image"])
    (data / "dataset.json").write_text(json.dumps({"training": [], "validation": [], "test": entries}))
    metrics, _ = evaluate(trained, data, tmp_path / "out", subgroups=["machine"])
    assert [found["n_normal"] + found["n_abnormal"] for found in metrics["subgroups"]["machine"].values()] == [6, 6]
