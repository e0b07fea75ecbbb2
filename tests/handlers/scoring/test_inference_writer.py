# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

import json
import math
import os
from pathlib import Path

import numpy as np
import pytest
import torch
from ignite.engine import Events
from PIL import Image

from monai_anomaly.calibration.calibration import Calibration
from monai_anomaly.data.errors import ImageReadError
from monai_anomaly.data.sets.records import RecordDataset
from monai_anomaly.engines.evaluator import isolate_failures
from monai_anomaly.handlers.scoring import inference_writer
from monai_anomaly.handlers.scoring.inference_writer import InferenceWriter
from monai_anomaly.handlers.scoring.output_folder import OutputFolder
from monai_anomaly.utils.exceptions import CalibrationError
from tests.helpers.stub_evaluator import StubDetector, make_evaluator, make_items

TOO_LARGE = 200.0
"""A value on which the stub's forward pass raises."""


KEYS = (
    "image,status,score,p_value,decision,decision_reason,threshold,false_alarm_rate,map,overlay,overlay_shape,map_range,"
    "code,reason,frame,frames,frame_scores,warnings,source_shape,box,input_digest,facts,device,patient,"
    "members,left_out,map_digest,overlay_digest"
)


def _items(values, **more):
    return make_items(values, status="ok", code="", reason="", **more)


PARTIAL = "partial-1/records.jsonl.partial"
"""Where the records of a run are while it goes on."""


def _read(path):
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def _infer(folder, items, **options):
    make_evaluator(items, [InferenceWriter(folder)], **options).run()
    return _read(folder / "records.jsonl")


def test_scored_files_have_a_score_and_a_map_on_the_fixed_scale(tmp_path):
    items = _items([0.1, 0.5, 0.9, 3.0])
    records = _infer(tmp_path, items)
    assert [r["image"] for r in records] == [item["name"] for item in items]
    for record, item in zip(records, items, strict=True):
        anomaly_map = 2 * item["image"][0]
        assert ",".join(record) == KEYS
        assert record["status"] == "scored" and record["code"] is None and record["reason"] is None
        assert record["score"] == float(anomaly_map.mean(dtype=torch.float64))
        assert record["map_range"] == [0.0, 2.0]
        values = (np.asarray(Image.open(tmp_path / record["map"])).astype(float) - 1) / 254 * 2
        assert np.abs(values - np.clip(anomaly_map.numpy(), 0, 2)).max() <= 1 / 254 + 1e-6


def test_every_kind_of_input_gets_its_record(tmp_path, capsys, caplog):
    items = _items([0.1, 0.2, math.nan, TOO_LARGE, 0.5, math.inf])
    items[1].update(status="rejected", code="truncated", reason="The file ends early.")
    items[2]["image"][0, 1:] = 0.3  # one bad row only
    items[2]["image"][0, 0] = math.nan
    records = _infer(tmp_path, items, iteration_update=isolate_failures)
    assert [r["status"] for r in records] == ["scored", "rejected", "failed", "failed", "scored", "failed"]
    assert [r["code"] for r in records] == [None, "truncated", "not_finite", "forward_error", None, "forward_error"]
    assert records[1]["reason"] == "The file ends early."
    assert records[3]["reason"] == "RuntimeError: value too large"
    assert all(r["score"] is None and r["map"] is None for r in records if r["status"] != "scored")
    assert sorted(os.listdir(tmp_path / "maps")) == ["000000_case_0.png", "000004_case_4.png"]
    assert "6 files = 2 scored + 1 rejected + 3 failed" in capsys.readouterr().out
    assert "3 of 6 files failed" in caplog.text


def test_a_record_dataset_goes_in_as_it_is(tmp_path):
    def load(item):
        if item["image"] == "bad":
            raise ImageReadError("truncated", "The file ends early.")
        return item | {"image": torch.full((1, 8, 6), 0.5), "frame": 3, "warnings": "no window"}

    data = [{"image": text, "name": f"{text}.dcm", "index": i} for i, text in enumerate(["good", "bad", "fine"])]
    good, bad, fine = _infer(tmp_path, RecordDataset(data, load, (1, 8, 6)))
    assert (good["status"], good["score"], good["frame"], good["warnings"]) == ("scored", 1.0, 3, "no window")
    assert (bad["status"], bad["code"], bad["reason"]) == ("rejected", "truncated", "The file ends early.")
    assert (bad["score"], bad["frame"], bad["warnings"]) == (None, None, None)
    assert fine["image"] == "fine.dcm"


def test_a_record_says_where_the_map_lies_on_the_stored_frame(tmp_path):
    def load(item):
        if item["image"] == "bad":
            raise ImageReadError("truncated", "The file ends early.")
        place = {"source_shape": (40, 56), "box": (12, 5, 50, 35)}
        return item | place | {"image": torch.full((1, 8, 6), 0.5)}

    data = [{"image": text, "name": text, "index": i} for i, text in enumerate(["good", "bad", "fine"])]
    good, bad, fine = _infer(tmp_path, RecordDataset(data, load, (1, 8, 6)))
    assert (good["source_shape"], good["box"]) == (fine["source_shape"], fine["box"]) == ([40, 56], [12, 5, 50, 35])
    assert bad["source_shape"] is bad["box"] is None


def test_a_rejected_file_stays_rejected_whatever_its_placeholder_does(tmp_path):
    items = _items([0.1, TOO_LARGE])
    items[1].update(status="rejected", code="empty", reason="No pixels.")
    assert _infer(tmp_path, items, iteration_update=isolate_failures)[1]["status"] == "rejected"


def test_one_infinite_position_fails_the_image(tmp_path):
    items = _items([0.1, 0.1])
    items[1]["image"][0, 7, 5] = -math.inf
    assert [r["code"] for r in _infer(tmp_path, items)] == [None, "not_finite"]


def test_when_the_network_fails_on_everything_the_run_ends_in_an_error(tmp_path):
    with pytest.raises(RuntimeError, match=r"Nothing was scored: .*value too large.*checkpoint"):
        _infer(tmp_path, _items([TOO_LARGE, TOO_LARGE]), iteration_update=isolate_failures)
    assert [r["status"] for r in _read(tmp_path / PARTIAL)] == ["failed", "failed"]


def test_only_rejected_files_are_no_error(tmp_path):
    items = make_items([0.0], status="rejected", code="not_image", reason="No image.")
    assert _infer(tmp_path, items)[0]["status"] == "rejected"


def test_records_are_on_disk_at_most_two_batches_later(tmp_path):
    counts = []
    writer = InferenceWriter(tmp_path)
    evaluator = make_evaluator(_items([0.1] * 16), [writer])
    evaluator.add_event_handler(Events.ITERATION_COMPLETED, lambda: counts.append(len(_read(tmp_path / PARTIAL))))
    evaluator.run()
    assert len(counts) == 6 and all(count >= 3 * (batch - 1) for batch, count in enumerate(counts))


def _stop(engine):
    if engine.state.iteration == 3:
        engine.terminate(skip_completed=True)


def test_a_run_that_is_stopped_has_written_all_that_it_scored(tmp_path):
    evaluator = make_evaluator(_items([0.1] * 16), [InferenceWriter(tmp_path)])
    evaluator.add_event_handler(Events.ITERATION_COMPLETED, _stop)
    evaluator.run()
    assert len(_read(tmp_path / PARTIAL)) == len(os.listdir(tmp_path / "partial-1" / "maps")) == 9


def test_a_run_that_ends_in_an_error_has_written_all_that_it_scored(tmp_path):
    def fail(engine):
        if engine.state.iteration == 3:
            raise KeyError("a defect")

    evaluator = make_evaluator(_items([0.1] * 16), [InferenceWriter(tmp_path)])
    evaluator.add_event_handler(Events.ITERATION_COMPLETED, fail)
    with pytest.raises(KeyError, match="a defect"):
        evaluator.run()
    assert len(_read(tmp_path / PARTIAL)) == len(os.listdir(tmp_path / "partial-1" / "maps")) == 9


def test_what_goes_wrong_in_the_writing_thread_ends_the_run(tmp_path, monkeypatch):
    """The disk is full at the fifth map: the four before it have their records, and nothing comes after."""
    whole = OutputFolder.write

    def full(folder, number, *words):
        if number == 4:
            raise OSError(28, "No space left on device")
        return whole(folder, number, *words)

    monkeypatch.setattr(OutputFolder, "write", full)
    network = StubDetector()
    with pytest.raises(OSError, match="No space left"):
        make_evaluator(_items([0.1] * 60), [InferenceWriter(tmp_path)], network).run()
    assert [record["image"] for record in _read(tmp_path / PARTIAL)] == [f"test/case_{n}.dcm" for n in range(4)]
    assert network.n_forward <= 5  # not all the twenty batches


def test_a_crash_leaves_the_records_so_far_under_another_name(tmp_path):
    with pytest.raises(RuntimeError, match="value too large"):
        _infer(tmp_path, _items([0.1, 0.2, 0.3, 0.4, TOO_LARGE, 0.6]))
    assert os.listdir(tmp_path) == ["partial-1"]
    assert [r["status"] for r in _read(tmp_path / PARTIAL)] == ["scored"] * 3


def test_a_map_that_cannot_be_written_ends_the_run_with_no_half_file(tmp_path, monkeypatch):
    write_bytes = Path.write_bytes

    def full_disk(path, data):
        if path.name.startswith("000001"):
            write_bytes(path, data[:10])
            raise OSError(28, "No space left on device")
        return write_bytes(path, data)

    monkeypatch.setattr(Path, "write_bytes", full_disk)
    with pytest.raises(OSError, match="No space left"):
        _infer(tmp_path, _items([0.1, 0.2, 0.3]), iteration_update=isolate_failures)
    assert os.listdir(tmp_path / "partial-1" / "maps") == ["000000_case_0.png"]
    assert len(_read(tmp_path / PARTIAL)) == 1


def test_a_full_disk_at_the_end_costs_no_record(tmp_path, monkeypatch):
    def full_disk(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(inference_writer, "write_predictions", full_disk)
    with pytest.raises(OSError, match="No space left"):
        _infer(tmp_path, _items([0.1, 0.2]))
    assert len(_read(tmp_path / PARTIAL)) == 2


def test_files_that_go_missing_on_the_way_are_an_error(tmp_path):
    with pytest.raises(RuntimeError, match="5 images went in and 3 came out"):
        _infer(tmp_path, _items([0.1] * 5), epoch_length=1)
    assert not (tmp_path / "records.jsonl").exists()


def test_nothing_of_an_earlier_run_is_mixed_in(tmp_path):
    _infer(tmp_path, _items([0.1] * 5))
    (tmp_path / "maps" / "mine.png").write_bytes(b"x")
    (tmp_path / "overlays").mkdir()
    (tmp_path / "overlays" / "000004_case_4.png").write_bytes(b"x")
    assert len(_infer(tmp_path, _items([0.1]))) == 1
    assert sorted(os.listdir(tmp_path / "maps")) == ["000000_case_0.png", "mine.png"]
    assert not (tmp_path / "overlays").exists()


@pytest.mark.parametrize(
    "name",
    [
        "../../up.png",
        "/etc/passwd",
        "..",
        "",
        "a/b\\..\\c:*?.png",
        "x" * 300 + ".dcm",
        "ümlaut 北.png",
        "caf\udce9.png",  # no UTF-8
        "new\nline.png",
        ".hidden",
        "-rf.png",
        "<b>.png",
        "nul\0.png",
    ],
)
def test_map_names_are_harmless(tmp_path, name):
    items = _items([0.1, 0.2])
    items[0]["name"] = items[1]["name"] = name
    records = _infer(tmp_path / "out", items)
    assert [r["image"] for r in records] == [name, name]
    maps = [(tmp_path / "out" / r["map"]).resolve() for r in records]
    assert len(set(maps)) == 2
    for path in maps:
        assert path.parent == (tmp_path / "out" / "maps").resolve() and path.is_file()
        assert path.name.isascii() and len(path.name) < 80
    assert [p.name for p in tmp_path.iterdir()] == ["out"]


@pytest.mark.skipif(os.name == "nt", reason="symbolic links")
def test_a_maps_folder_that_leads_elsewhere_is_refused(tmp_path):
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "maps").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(ValueError, match="link out of the output folder"):
        _infer(tmp_path / "out", _items([0.1]))
    assert os.listdir(tmp_path / "elsewhere") == []


@pytest.mark.parametrize("map_range", [(1.0, 1.0), (2.0, 0.0), (0.0, math.inf), (math.nan, 1.0)])
def test_a_senseless_map_range_is_refused(tmp_path, map_range):
    with pytest.raises(ValueError, match="two rising finite numbers"):
        InferenceWriter(tmp_path, map_range)


# ---- p-values and decisions ------------------------------------------------------------------------------------------


def _calibration(scores=None, **more):
    scores = [0.05 * i for i in range(40)] if scores is None else scores
    identity = {"model_hash": "a" * 64, "spec_hash": "b" * 64, "data_hash": "c" * 64}
    settings = identity | {"frames": "middle", "aggregate": "max"} | more
    return Calibration(tuple(scores), tuple(range(len(scores))), **settings)


class StubGuard:
    """Refuses images whose middle is above a value."""

    def __init__(self, most: float) -> None:
        self.most = most
        self.facts: list[dict] = []

    def check_all(self, images, facts):
        assert images.shape == (len(facts), 1, 8, 6) and not images.requires_grad
        self.facts += [dict(fact) for fact in facts]
        return ["It is too bright." if float(image[0, 4, 4]) > self.most else "" for image in images]


def _decide(folder, items, **options):
    make_evaluator(items, [InferenceWriter(folder, **options)], iteration_update=isolate_failures).run()
    return _read(folder / "records.jsonl")


def test_a_calibrated_record_has_three_answers_and_the_reason(tmp_path, capsys):
    calibration = _calibration()
    records = _decide(tmp_path, _items([0.1, 0.5, 0.99, 3.0]), calibration=calibration, alpha=0.1)
    for record in records:
        assert record["p_value"] == calibration.p_value(record["score"])
        assert record["decision"] == ("anomalous" if record["p_value"] <= 0.1 else "normal")
        assert (record["threshold"], record["false_alarm_rate"]) == (calibration.threshold(0.1), 0.1)
        assert "10 % of normal images (from normals of 40 patients)" in record["decision_reason"]
    assert [record["decision"] for record in records] == ["normal", "normal", "anomalous", "anomalous"]
    assert "Decisions: 2 anomalous, 2 normal" in capsys.readouterr().out


def test_a_score_at_the_edge_of_the_threshold(tmp_path):
    items = _items([0.5])
    score = _infer(tmp_path / "first", items)[0]["score"]
    tied = _calibration([score] + [0.0] * 18)  # ties are taken for the higher p-value
    assert _decide(tmp_path / "a", items, calibration=tied, alpha=0.05)[0]["decision"] == "normal"
    below = _calibration([math.nextafter(score, 0)] + [0.0] * 18)
    assert _decide(tmp_path / "b", items, calibration=below, alpha=0.05)[0]["decision"] == "anomalous"


def test_without_a_calibration_records_are_marked(tmp_path, capsys):
    record = _infer(tmp_path, _items([0.5]))[0]
    assert record["decision"] == "uncalibrated" and record["score"] > 0
    assert record["p_value"] is record["threshold"] is record["false_alarm_rate"] is None
    assert "Decisions: 1 uncalibrated" in capsys.readouterr().out


def test_images_without_a_score_have_no_decision(tmp_path):
    items = _items([0.1, math.nan, TOO_LARGE, 0.1])
    items[0].update(status="rejected", code="truncated", reason="The file ends early.")
    guard = StubGuard(0.0)
    *records, scored = _decide(tmp_path, items, calibration=_calibration(), guard=guard)
    assert [r["status"] for r in records] == ["rejected", "failed", "failed"] and scored["decision"]
    for record in records:
        assert all(record[key] is None for key in ("score", "p_value", "decision", "decision_reason", "threshold"))
    assert len(guard.facts) == 3  # what was not read is not looked at


def test_the_guard_decides_before_the_threshold_and_the_score_stays(tmp_path):
    guard = StubGuard(0.4)
    items = _items([0.1, 0.5, 0.99], rows=480, columns=640, colored=0.25)
    dark, bright, high = _decide(tmp_path, items, calibration=_calibration(), guard=guard)
    assert dark["decision"] == "normal" and high["score"] > high["threshold"]
    for record in (bright, high):
        assert record["decision"] == "not_applicable" and record["decision_reason"] == "It is too bright."
        assert record["p_value"] == _calibration().p_value(record["score"])
    assert guard.facts == [{"rows": 480, "columns": 640, "colored": 0.25}] * 3
    uncalibrated = _decide(tmp_path, items, guard=StubGuard(0.4))
    assert [r["decision"] for r in uncalibrated] == ["uncalibrated", "not_applicable", "not_applicable"]


def test_one_refused_frame_makes_its_study_not_applicable_and_no_other(tmp_path):
    items = []
    for study, values in enumerate([[0.1, 0.6, 0.2], [0.1], [0.2, 0.3]]):
        frames = _items(values)
        items += [f | {"name": f"s{study}", "frame": 5 * i, "study_frames": len(values)} for i, f in enumerate(frames)]
    records = _decide(tmp_path, items, calibration=_calibration(), guard=StubGuard(0.5))
    assert [r["decision"] for r in records] == ["not_applicable", "normal", "normal"]
    assert records[0]["decision_reason"] == "Frame 5: It is too bright."


def test_a_rate_that_cannot_be_had_ends_the_run_before_anything_is_written(tmp_path):
    for calibration in (_calibration(), _calibration):
        with pytest.raises(CalibrationError, match=r"the smallest rate that it supports is 0\.0244"):
            _decide(tmp_path / "out", _items([0.1]), calibration=calibration, alpha=0.01)
        assert not (tmp_path / "out").exists()
    with pytest.raises(ValueError, match="false_alarm_rate must be a number above 0"):
        InferenceWriter(tmp_path, alpha=1.0)


def test_a_calibration_may_be_read_when_the_run_starts(tmp_path):
    def read():
        calls.append(1)
        return _calibration()

    calls = []
    writer = InferenceWriter(tmp_path, calibration=read)
    assert not calls
    make_evaluator(_items([0.1]), [writer]).run()
    assert calls == [1] and _read(tmp_path / "records.jsonl")[0]["decision"] == "normal"
