# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

"""Inference that goes on, through the bundle's own configuration: the same bytes as a run that was never ended."""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path

import pytest
from monai.bundle import run

from monai_anomaly.data.lists.datalist import load_datalist
from tests.helpers.tiny_bundles import Example

pytestmark = pytest.mark.usefixtures("at_root")


def _content(folder: Path) -> dict[str, bytes]:
    content = {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}
    content["index.html"] = re.sub(rb"20\d\d-\d\d-\d\d \d\d:\d\d", b"", content["index.html"])
    return content


def test_an_inference_goes_on_with_the_same_bytes(examples, tmp_path, capsys):
    example: Example = examples("sepiad")
    files, out = tmp_path / "in", tmp_path / "out"
    files.mkdir()
    for number, item in enumerate(load_datalist(str(example.data), "test")[:9]):
        shutil.copy(item["image"], files / f"{number}.dcm")
    (files / "5.dcm").write_bytes((files / "5.dcm").read_bytes()[:2000])

    def infer(folder: Path, **more) -> None:
        settings = {"checkpoint": str(example.model), "uncalibrated": True, "source_names": True, "device": "cpu"}
        run(config_file=example.config("inference"), dataset_dir=str(files), output_dir=str(folder), **settings | more)

    infer(tmp_path / "whole")
    shutil.copytree(tmp_path / "whole", out)
    partial = out / "partial-1"
    partial.mkdir()  # as a kill within the fifth record leaves it
    for name in ("maps", "overlays", "run.json"):
        shutil.move(out / name, partial / name)
    whole = (out / "records.jsonl").read_bytes().splitlines(keepends=True)
    (partial / "records.jsonl.partial").write_bytes(b"".join(whole[:4]) + whole[4][:-9])
    for name in ("records.jsonl", "predictions.csv", "index.html"):
        (out / name).unlink()
    (partial / json.loads(whole[1])["map"]).unlink()

    infer(out, resume=True, batch_size=2)
    assert _content(out) == _content(tmp_path / "whole")
    text = capsys.readouterr().out
    assert "Resuming: 3 of 9 files are kept; to score: 5 new, 1 without a whole map or overlay" in text
    assert "Inference: 9 files = 8 scored + 1 rejected + 0 failed; 3 of them were scored before" in text
    infer(out, resume=True, aggregate="mean", guard=False)
    text = capsys.readouterr().out
    assert "aggregate was max and is mean; guard was True and is False." in text
    assert "Resuming: 0 of 9 files are kept" in text
