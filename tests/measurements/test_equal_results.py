# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch

from measurements.equal_results import compare


def write(folder: Path, weight=1.0, score=0.5, name="center", png=b"same", **more) -> Path:
    """Write a record of one checkpoint, one table of each kind and one picture."""
    folder.mkdir()
    model = {f"descriptor.{name}": torch.tensor([weight, torch.nan])}
    torch.save({"model": model, "range": [0.0, float("nan")], **more}, folder / "model.pt")
    (folder / "metrics.json").write_text(json.dumps({"auroc": score, "date": str(folder)}))
    (folder / "records.jsonl").write_text(json.dumps({"score": score}) + "\n")
    (folder / "scores.csv").write_text(f"image,score\na,{score}\n")
    (folder / "map.png").write_bytes(png)
    return folder


def test_equal_records_have_no_difference(tmp_path, capsys):
    assert compare(write(tmp_path / "a"), write(tmp_path / "b")) == []
    assert "5 files, 8 tensors and values compared, 0 differences" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("changed", "lines"),
    [
        ({"weight": 1.0 + 2e-7}, ["model.pt: model.descriptor.center differs"]),
        (
            {"score": 0.6},
            ["metrics.json: auroc differs", "records.jsonl: [0].score differs", "scores.csv: [0].score differs"],
        ),
        ({"png": b"other"}, ["map.png:  differs"]),
        ({"more": 1}, ["model.pt: more only after"]),
    ],
)
def test_a_difference_is_a_line(tmp_path, changed, lines):
    assert compare(write(tmp_path / "a"), write(tmp_path / "b", **changed)) == lines


def test_a_file_that_only_one_has(tmp_path):
    before, after = write(tmp_path / "a"), write(tmp_path / "b")
    (before / "map.png").unlink()
    assert compare(before, after) == ["map.png: only after"]


def test_names_may_change_and_keys_may_be_left_out(tmp_path):
    before, after = write(tmp_path / "a", name="middle"), write(tmp_path / "b", origin="text")
    assert len(compare(before, after)) == 3
    assert compare(before, after, {"middle": "center"}, ["origin"]) == []
