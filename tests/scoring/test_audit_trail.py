# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

"""What the audit log says of results, from a bundle's inference and from Python, and that it is there first."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

import monai_anomaly as ma
from monai_anomaly.bundle import TrainedDetector, open_audit
from monai_anomaly.calibration.calibration import Calibration
from monai_anomaly.data.errors import ImageReadError
from monai_anomaly.handlers.scoring.inference_writer import InferenceWriter
from monai_anomaly.scoring.audit_trail import AuditTrail
from monai_anomaly.utils.audit.verification import verify_log
from monai_anomaly.utils.exceptions import AuditError
from monai_anomaly.utils.identity import keyed_hash, site_key
from tests.helpers.doors import calibrate, write_model
from tests.helpers.stub_evaluator import make_evaluator, make_items


def read_results(path: Path) -> list[dict[str, Any]]:
    lines = [json.loads(line) for line in path.read_text(encoding="ascii").splitlines()]
    return [line for line in lines if line["event"] == "result"]


def make_trail(path: Path) -> AuditTrail:
    return AuditTrail(path, "Ada", weights="a" * 64, configuration="c" * 64)


def test_an_inference_logs_every_file(tmp_path: Path) -> None:
    items = make_items([0.1, 0.5], status="ok", code="", reason="", input_digest="d" * 64)
    items[1].update(status="rejected", code="truncated", reason="DOE^JANE is cut short")
    make_evaluator(items, [InferenceWriter(tmp_path / "out", audit=make_trail(tmp_path / "a.jsonl"))]).run()
    records = [json.loads(line) for line in (tmp_path / "out" / "records.jsonl").read_text().splitlines()]
    logged = read_results(tmp_path / "a.jsonl")
    for line, record in zip(logged, records, strict=True):
        for key in ("image", "status", "score", "p_value", "decision", "code", "input_digest"):
            assert line[key] == record[key]
        assert line["weights"] == "a" * 64 and line["configuration"] == "c" * 64 and line["calibration"] is None
        assert set(line["versions"]) == {"monai_anomaly", "torch", "monai", "python"} and line["who"] == "Ada"
    assert "JANE" not in (tmp_path / "a.jsonl").read_text() and str(tmp_path) not in (tmp_path / "a.jsonl").read_text()
    assert verify_log(tmp_path / "a.jsonl", site_key()).finding == ""


def test_nothing_is_given_out_that_is_not_in_the_log(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    trail, out = make_trail(tmp_path / "a.jsonl"), tmp_path / "out"
    add, calls = trail.log.append, []

    def fail_at_the_second(event: str, **content: Any) -> None:
        calls.append(content["image"])
        if len(calls) > 1:
            raise AuditError("the disk is full")
        add(event, **content)

    monkeypatch.setattr(trail.log, "append", fail_at_the_second)
    items = make_items([0.1, 0.5, 0.9], status="ok", code="", reason="")
    with pytest.raises(AuditError, match="the disk is full"):
        make_evaluator(items, [InferenceWriter(out, audit=trail)]).run()
    left = [*out.rglob("*.png"), *(out.rglob("records.jsonl*"))]
    assert [path.name[:6] for path in left if path.suffix == ".png"] == ["000000"]
    assert sum(len(path.read_text().splitlines()) for path in left if path.suffix != ".png") == 1
    assert len(read_results(tmp_path / "a.jsonl")) == 1


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = write_model(tmp_path_factory.mktemp("model"), guard=False)
    calibrate(path)
    return path


def test_python_logs_before_it_returns_and_names_no_file(model: Path, tmp_path: Path) -> None:
    log, picture = tmp_path / "a.jsonl", tmp_path / "DOE_JANE.png"
    Image.fromarray(np.random.default_rng(0).integers(0, 256, (40, 56), dtype=np.uint8)).save(picture)
    detector = ma.load(model, device="cpu", audit=log, operator="PACS node 2")
    result = detector.score(picture)
    (line,) = read_results(log)
    assert line["image"] == keyed_hash(str(picture), site_key(), "file") and "DOE" not in log.read_text()
    assert (line["score"], line["decision"], line["p_value"]) == (result.score, result.decision, result.p_value)
    assert line["input_digest"] == result.input_digest and line["weights"] == TrainedDetector.read(model).model_hash
    written = Calibration.load(model.with_name("calibration.json")).digest
    assert line["calibration"] == written
    assert json.loads(model.with_name("calibration.json").read_text())["checksum"] == written
    results = detector.score([picture, tmp_path / "none.png"])
    assert len(read_results(log)) == 1
    next(results)
    assert len(read_results(log)) >= 2
    assert [result.status for result in results] == ["rejected"] and len(read_results(log)) == 3
    with pytest.raises(ImageReadError):
        detector.score(tmp_path / "none.png")
    assert [each["status"] for each in read_results(log)] == ["scored", "scored", "rejected", "rejected"]


def test_an_operator_is_needed(model: Path, tmp_path: Path) -> None:
    with pytest.raises(AuditError, match="name the operator"):
        ma.load(model, audit=tmp_path / "a.jsonl")
    assert ma.load(model, operator="Ada").audit is None


def test_the_configuration_is_what_decides(model: Path, tmp_path: Path) -> None:
    trained = TrainedDetector.read(model)
    rules: dict[str, Any] = {"frames": "middle", "aggregate": "max", "false_alarm_rate": 0.1, "guard": False}

    def configuration(**changed: Any) -> str:
        trail = open_audit(tmp_path / "a.jsonl", "Ada", trained, **{**rules, **changed})
        assert trail is not None
        trail.add({"image": "x"}, None)
        return str(read_results(tmp_path / "a.jsonl")[-1]["configuration"])

    first = configuration()
    assert first == configuration() and len(first) == 64
    assert first == configuration(guard=True)  # this detector has none
    assert len({first, configuration(frames="all"), configuration(false_alarm_rate=0.2)}) == 3
