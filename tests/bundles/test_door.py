# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

"""The door for programs gives what a bundle's inference wrote, bit for bit on the CPU."""

from __future__ import annotations

import json
import shutil
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from monai.bundle import run
from PIL import Image

import monai_anomaly as ma
from monai_anomaly.apps.command.main import main
from monai_anomaly.bundle import TrainedDetector
from monai_anomaly.data.errors import ImageReadError
from monai_anomaly.data.lists.datalist import load_datalist
from tests.helpers.calibrations import make_calibration
from tests.helpers.dicom_files import make_dataset, save

FILES = dict.fromkeys(("map", "overlay", "overlay_shape", "map_digest", "overlay_digest"))
"""What only a run that writes files has to say."""

pytestmark = pytest.mark.usefixtures("at_root")


def fill(folder: Path, data: Path) -> Path:
    """Put two files of the data, a cine, a picture and two bad files into a new folder."""
    folder.mkdir()
    for name, item in zip(("a.dcm", "b.dcm"), load_datalist(str(data), "test"), strict=False):
        shutil.copy(item["image"], folder / name)
    noise = np.random.default_rng(0).integers(0, 255, (7, 70, 90), np.uint8)
    save(folder / "cine.dcm", make_dataset(noise[:5]))
    Image.fromarray(noise[5]).save(folder / "d.png")
    (folder / "broken.dcm").write_bytes((folder / "a.dcm").read_bytes()[:2000])
    (folder / "notes.txt").write_text("not an image")
    return folder


def calibrate(model: Path, scores: list[float]) -> None:
    """Put a calibration beside a model: of its own scores, so that ties are decided by the last bit."""
    trained = TrainedDetector.read(model)
    identity = {"model_hash": trained.model_hash, "spec_hash": trained.spec_hash, "frames": "all"}
    make_calibration(scores, range(len(scores)), **identity).save(model.with_name("calibration.json"))


def test_programs_get_the_numbers_of_a_bundles_inference(example, tmp_path):
    folder, model = fill(tmp_path / "incoming", example.data), Path(shutil.copy(example.model, tmp_path))
    known = [r.score for r in ma.load(model, frames="all").score(folder) if r.score is not None]
    calibrate(model, [*known, known[0] - 1, known[0] + 1])
    more = {"checkpoint": str(model), "frames": "all", "false_alarm_rate": 0.5, "device": "cpu", "source_names": True}
    run(config_file=example.config("inference"), dataset_dir=str(folder), output_dir=str(tmp_path / "out"), **more)
    lines = (tmp_path / "out" / "records.jsonl").read_text().splitlines()
    written = {record["image"]: record | FILES for record in map(json.loads, lines)}
    assert sum(record["status"] == "scored" for record in written.values()) == 4
    assert len(written["cine.dcm"]["frame_scores"]) == 5

    for batch_size in (1, 7, 32):
        detector = ma.load(model, frames="all", false_alarm_rate=0.5, device="cpu", batch_size=batch_size)
        results = list(detector.score(folder))
        assert [result.record() | FILES for result in results] == [written[result.name] for result in results]
        assert [result.name for result in results] == list(written)

    def score(name: str) -> dict | str:
        try:
            known = {"image": name, "patient": written[name]["patient"]}  # a file alone is in no list that says it
            return {**detector.score(folder / name).record(), **known, **FILES}
        except ImageReadError as error:
            return error.code

    names = sorted(written) * 4
    with ThreadPoolExecutor(4) as threads:
        for name, got in zip(names, threads.map(score, names), strict=True):
            assert got == (written[name] if written[name]["status"] == "scored" else written[name]["code"])


def test_an_exported_file_goes_every_way_of_a_checkpoint(examples, tmp_path):
    example = examples("ocad")
    folder, model = fill(tmp_path / "incoming", example.data), Path(shutil.copy(example.model, tmp_path))
    known = [r.score for r in ma.load(model, frames="all").score(folder) if r.score is not None]
    calibrate(model, [score - shift for score in known for shift in (1e-3, 2e-3)])  # no tie with what is scored
    expected = list(ma.load(model, frames="all", false_alarm_rate=0.5, device="cpu").score(folder))
    assert main(["export", str(model), str(tmp_path / "new.ts")]) == 0
    (tmp_path / "calibration.json").unlink()
    more = {"checkpoint": str(tmp_path / "new.ts"), "frames": "all", "false_alarm_rate": 0.5, "device": "cpu"}
    run(config_file=example.config("inference"), dataset_dir=str(folder), output_dir=str(tmp_path / "out"), **more)
    records = list(map(json.loads, (tmp_path / "out" / "records.jsonl").read_text().splitlines()))
    assert len(records) == len(expected)
    for record, result in zip(records, expected, strict=True):
        decided = (record["status"], record["decision"], record["p_value"], record["code"])
        assert decided == (result.status, result.decision, result.p_value, result.code)
        assert (record["score"] or 0) == pytest.approx(result.score or 0, abs=1e-5, rel=1e-5)
    with pytest.raises(RuntimeError, match="calibration_folder") as caught:
        run(run_id="calibrate", config_file=example.config("calibrate"), dataset_dir=str(example.data), **more)
    assert "name a new file with --calibration" in str(caught.value.__cause__)
