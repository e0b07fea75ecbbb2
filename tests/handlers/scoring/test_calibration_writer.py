# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

import json
import math

import pytest
import torch

from monai_anomaly.calibration.calibration import Calibration
from monai_anomaly.calibration.conformal import conformal_p_values
from monai_anomaly.data.sets.duplicates import fingerprint, pixel_hash
from monai_anomaly.engines.evaluator import isolate_failures
from monai_anomaly.handlers.scoring.calibration_writer import CalibrationWriter, DetectorIdentity
from monai_anomaly.utils.exceptions import CalibrationError
from tests.helpers.stub_evaluator import make_evaluator, make_items

MODEL, SPEC = "a" * 64, "b" * 64
TOO_LARGE = 200.0


def items_of(values, **more):
    return make_items(values, **({"label": 0, "status": "ok", "code": "", "reason": ""} | more))


def scores_of(items):
    return [float((2 * item["image"]).double().mean()) for item in items]


def fingerprints(items):
    return torch.tensor([fingerprint(pixel_hash(item["image"])) for item in items])


def calibrate(path, items, *, trained_on=(), aggregate="max", frames="middle", chosen_by="", **more) -> Calibration:
    known = None if trained_on is None else fingerprints(trained_on) if len(trained_on) else torch.empty(0, dtype=int)
    detector = DetectorIdentity(MODEL, SPEC, known, chosen_by)
    writer = CalibrationWriter(path, identify=lambda: detector, frames=frames, aggregate=aggregate)
    make_evaluator(items, [writer], iteration_update=isolate_failures, **more).run()
    return Calibration.load(path)


def test_the_file_has_the_scores_by_patient_and_what_they_are_of(tmp_path, capsys):
    items = items_of([0.1 * i for i in range(24)])
    calibration = calibrate(tmp_path / "new" / "calibration.json", items)
    assert calibration.scores == pytest.approx(sorted(scores_of(items)))
    assert calibration.groups == tuple(i // 2 for i in range(24)) and calibration.n_patients == 12
    calibration.require_match(MODEL, SPEC, "middle", "max")
    assert calibration.date and {"monai_anomaly", "torch", "python"} <= calibration.versions.keys()
    printed = capsys.readouterr().out
    assert "24 images of 12 patients" in printed and "refused files      0" in printed
    assert "false alarms   5 %  cannot be had: needs 19 patients, there are 12" in printed
    assert f"false alarms  10 %  score from {calibration.threshold(0.1):.6g} on" in printed


def test_the_order_of_the_images_does_not_matter(tmp_path):
    items = items_of([0.3, 0.1, 0.2, 0.5, 0.4, 0.7])
    one, other = calibrate(tmp_path / "a.json", items), calibrate(tmp_path / "b.json", items[::-1])
    assert (one.scores, one.groups, one.data_hash) == (other.scores, other.groups, other.data_hash)
    different = calibrate(tmp_path / "c.json", [*items[:-1], *items_of([0.8])])
    assert different.data_hash != one.data_hash


class RefusesLarge:
    def check_all(self, images, facts):
        return ["it is bright" if image.max() > 0.55 else "" for image in images]


def test_the_records_are_those_of_the_normals_with_p_values_by_the_other_patients(tmp_path):
    items = items_of([0.1, 0.3, 0.2, 0.6, 0.4, 0.5, 0.05, 0.15])
    items[2] |= {"status": "rejected", "code": "truncated", "reason": "The file ends early."}
    detector = DetectorIdentity(MODEL, SPEC, fingerprints(items[6:]), "")
    writer = CalibrationWriter(
        tmp_path / "new" / "c.json", identify=lambda: detector, frames="middle", guard=RefusesLarge()
    )
    make_evaluator(items, [writer], iteration_update=isolate_failures).run()
    lines = (tmp_path / "new" / "c_records.jsonl").read_text().splitlines()
    records = [json.loads(line) for line in lines]
    assert [record["image"] for record in records] == [item["name"] for item in items[:6]]
    assert [record["status"] for record in records] == ["scored", "scored", "rejected", *["scored"] * 3]
    decisions = ["uncalibrated", "uncalibrated", None, "not_applicable", "uncalibrated", "uncalibrated"]
    assert [record["decision"] for record in records] == decisions
    scored = [record for record in records if record["score"] is not None]
    for record in scored:
        others = [each for each in scored if each["patient"] != record["patient"]]
        assert len(others) in (3, 4)
        expected = conformal_p_values(
            [record["score"]], [each["score"] for each in others], [each["patient"] for each in others]
        )
        assert record["p_value"] == pytest.approx(expected[0])


def test_frames_make_one_score(tmp_path):
    items = []
    for index, values in enumerate([[0.2], [0.1, 0.9, 0.3], [0.4, 0.5]]):
        frames = items_of(values, study_frames=len(values))
        items += [f | {"name": f"s{index}", "group": f"p{index}", "frame": i} for i, f in enumerate(frames)]
    calibration = calibrate(tmp_path / "c.json", items, aggregate="mean", frames="all")
    scores = scores_of(items)
    assert calibration.scores == pytest.approx(sorted([scores[0], sum(scores[1:4]) / 3, sum(scores[4:]) / 2]))
    assert (calibration.frames, calibration.aggregate) == ("all", "mean")


def test_files_that_cannot_be_read_are_counted(tmp_path, capsys):
    items = items_of([0.1, 0.2, 0.3, 0.4, 0.5, 0.6])
    items[1] |= {"status": "rejected", "code": "truncated", "reason": "The file ends early."}
    items[4] |= {"status": "rejected", "code": "not_image", "reason": "No image."}
    calibration = calibrate(tmp_path / "c.json", items)
    assert calibration.n_images == 4 and calibration.counts["refused_files"] == 2
    assert "refused files      2 (not_image 1, truncated 1)" in capsys.readouterr().out


def test_patients_of_the_training_are_left_out_and_that_is_said(tmp_path, caplog, capsys):
    items = items_of([0.1 * i for i in range(10)])  # two images for each patient
    calibration = calibrate(tmp_path / "c.json", items, trained_on=[items[3]])
    assert calibration.scores == pytest.approx(sorted(scores_of(items[:2] + items[4:])))
    assert calibration.counts["left_out_as_trained_on"] == 2
    assert "2 of 10 normals are of 1 patients of whom the detector was trained on images" in caplog.text
    assert "left out           2" in capsys.readouterr().out
    with pytest.raises(CalibrationError, match=r"10 of 10 normals .* too optimistic; give normals"):
        calibrate(tmp_path / "d.json", items, trained_on=items[::2])
    assert not (tmp_path / "d.json").exists()


def test_a_checkpoint_without_fingerprints_is_said(tmp_path, caplog):
    calibrate(tmp_path / "c.json", items_of([0.1, 0.2, 0.3]), trained_on=None)
    assert "does not list its training images" in caplog.text


def test_weights_that_were_chosen_are_said(tmp_path, caplog):
    calibrate(tmp_path / "c.json", items_of([0.1, 0.2, 0.3]), chosen_by="epoch 3, the best of 4 by something")
    assert "The weights are of epoch 3, the best of 4 by something. Images that chose them do not" in caplog.text


def test_copies_and_equal_scores_are_said(tmp_path, caplog):
    calibration = calibrate(tmp_path / "c.json", items_of([0.5] * 8))
    assert calibration.all_equal and calibration.counts["copies"] == 7
    assert "7 of 8 normals are copies" in caplog.text
    assert "All scores are equal" in caplog.text and "every p-value is 1 or 0.2" in caplog.text


@pytest.mark.parametrize("bad", [math.nan, math.inf, TOO_LARGE])
def test_a_normal_without_a_score_ends_the_run(tmp_path, bad):
    with pytest.raises(CalibrationError, match="1 of 5 normals have no finite score"):
        calibrate(tmp_path / "c.json", items_of([0.1, 0.2, bad, 0.3, 0.4]))
    assert not (tmp_path / "c.json").exists()


@pytest.mark.parametrize("values", [[0.1], [0.1, 0.2]])
def test_one_patient_is_too_few(tmp_path, values):
    with pytest.raises(CalibrationError, match=f"there are {len(values)} images of 1"):
        calibrate(tmp_path / "c.json", items_of(values))
    assert not list(tmp_path.iterdir())


def test_no_readable_normal_is_too_few(tmp_path):
    with pytest.raises(CalibrationError, match="there are 0 images of 0"):
        calibrate(tmp_path / "c.json", items_of([0.1], status="rejected", code="empty", reason="No pixels."))


def test_an_abnormal_image_is_refused(tmp_path):
    items = items_of([0.1, 0.2, 0.3])
    items[1]["label"] = 1
    with pytest.raises(CalibrationError, match="normal images only"):
        calibrate(tmp_path / "c.json", items)


def test_a_part_of_the_data_is_no_calibration(tmp_path):
    with pytest.raises(RuntimeError, match="9 images went in and 3 came out"):
        calibrate(tmp_path / "c.json", items_of([0.1 * i for i in range(9)]), epoch_length=1)
    assert not list(tmp_path.iterdir())


def test_an_earlier_calibration_survives_a_failure(tmp_path):
    calibrate(tmp_path / "c.json", items_of([0.1, 0.2, 0.3]))
    before = (tmp_path / "c.json").read_bytes()
    with pytest.raises(CalibrationError):
        calibrate(tmp_path / "c.json", items_of([0.1, math.nan, 0.3]))
    assert (tmp_path / "c.json").read_bytes() == before


def test_no_name_is_written(tmp_path):
    items = [
        item | {"name": f"ZZNAME_{i}.dcm", "group": f"ZZPATIENT_{i}"} for i, item in enumerate(items_of([0.1, 0.2]))
    ]
    calibrate(tmp_path / "c.json", items)
    assert (
        "ZZ" not in (tmp_path / "c.json").read_text()
        and json.loads((tmp_path / "c.json").read_text())["n_patients"] == 2
    )
