# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

import logging
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from monai_anomaly.bundle.training_summary import FEW, TrainingSummary
from monai_anomaly.data.errors import ImageReadError
from monai_anomaly.data.lists.left_out import ItemList
from monai_anomaly.data.sets.cached import CachedDataset
from monai_anomaly.guard.pool_check import PoolCheck
from monai_anomaly.handlers.training.time_budget import ENDLESS, TimeBudget
from monai_anomaly.metrics.separation import TOGETHER, Separation, Separations
from monai_anomaly.transforms.preprocessing import Preprocessing


def images(count: int, *, label: int = 0, copies: int = 0, bad: int = 0, per_patient: int = 2) -> CachedDataset:
    """Return a data set of images, the last of which are copies, with files that cannot be read beside them."""

    def read(item: dict[str, Any]) -> dict[str, Any]:
        if item["pixel"] < 0:
            raise ImageReadError("truncated", "it ends early")
        return {**item, "image": torch.full((1, 2, 2), float(item["pixel"]))}

    pixels = [*range(1, count - copies + 1), *[1] * copies, *[-1] * bad]
    data = [
        {"name": str(i), "label": label, "group": str(i // per_patient), "pixel": pixel}
        for i, pixel in enumerate(pixels)
    ]
    return CachedDataset(data, read, progress=False, on_bad="quarantine", max_bad_share=0.9)


def summary(folder: Path, **options: Any) -> TrainingSummary:
    keys = {
        "bundle_root": "bundles/sepiad",
        "dataset_dir": "DIR",
        "output_dir": f"{folder}/out",
        "ckpt_dir": f"{folder}/models",
        "source_names": False,
    }
    chosen = {
        "sections": {"training": images(120), "validation": images(4), "pool": None},
        "datalists": [[]],
        "epochs": {"features": 8, "training": 6},
        "epoch_length": 50,
        "budget": TimeBudget(None),
        "device": "cpu",
        "run": keys | options.pop("run", {}),
    }
    return TrainingSummary("SEPIAD", **{**chosen, **options})


def facts(lines: str) -> dict[str, str]:
    """Return what stands behind each name."""
    return {line[2:14].strip(): line[15:] for line in lines.splitlines()[1:]}


def test_it_begins_with_what_there_is(tmp_path, capsys):
    summary(tmp_path).begin()
    printed = capsys.readouterr().out
    told = facts(printed)
    assert printed.startswith("Training of SEPIAD\n") and len(printed.splitlines()) <= 12
    assert told["training"] == "120 normal images of 60 patients"
    assert told["validation"] == "4 normal images of 2 patients"
    assert told["data"] == "DIR" and f"{tmp_path}/out" in told["folders"] and f"{tmp_path}/models" in told["folders"]
    assert told["length"] == "features 8 epochs, training 6 epochs of 50 iterations"
    assert told["device"].startswith("cpu, ")
    assert not {"left out", "pool", "resumes", "few normals"} & told.keys()


def test_it_says_what_was_left_out_and_why(tmp_path, capsys):
    sections = {"training": images(120, copies=3, bad=2), "validation": images(4), "pool": images(2, label=-1, bad=1)}
    lists = [
        ItemList([], {"abnormal training images, which are never opened": 7, "of something": 0}),
        [],
        ItemList([], {"held out": 1, "masks": 2}),
        ItemList([], {"masks": 18}),
    ]
    summary(tmp_path, sections=sections, datalists=lists, resume=True).begin()
    told = facts(capsys.readouterr().out)
    assert told["training"] == "120 normal images of 60 patients, 3 of them copies"
    assert told["pool"] == "2 unlabeled images of 1 patient"
    assert told["left out"].split("; ") == [
        "7 abnormal training images, which are never opened",
        "1 held out",
        "20 masks",
        "2 files that cannot be read (quarantine_training.jsonl)",
        "1 file that cannot be read (quarantine_pool.jsonl)",
    ]
    assert told["resumes"] == f"{tmp_path}/models/checkpoint.pt"


def test_it_says_what_the_reader_had_to_say_such_as_of_black_images(tmp_path, capsys):
    Image.fromarray(np.zeros((64, 64), np.uint8)).save(tmp_path / "black.png")
    gray = np.random.default_rng(0).integers(0, 256, (64, 64), dtype=np.uint8)
    Image.fromarray(gray).save(tmp_path / "gray.png")
    names = ["gray", "black", "gray", "black"]
    data = [{"image": str(tmp_path / f"{name}.png"), "name": f"{i}\n", "label": 0} for i, name in enumerate(names)]
    sections = {
        part: CachedDataset(data, Preprocessing(image_size=64), progress=False) for part in ("training", "pool")
    }
    summary(tmp_path, sections={**sections, "validation": images(4)}).begin()
    printed = capsys.readouterr().out
    told = [line[15:] for line in printed.splitlines() if "every pixel" in line]
    text = "every pixel has the same value (first: 1\\n)"
    assert told == [f"2 training images: {text}", f"2 pool images: {text}"]
    assert facts(printed)["training"].endswith(", 2 of them copies")


@pytest.mark.parametrize(("auroc", "warned"), [(0.9, True), (0.6, False)])
def test_it_says_what_the_pool_check_found(tmp_path, capsys, auroc, warned):
    one = Separation("sharpness", auroc, (auroc - 0.1, auroc + 0.05), True, 0.002)
    found = Separations((one,), replace(one, name=TOGETHER), 0.55)
    summary(tmp_path, pool_check=PoolCheck(40, 30, 70, found, unknown=("year",))).begin()
    lines = capsys.readouterr().out.splitlines()
    start = next(number for number, line in enumerate(lines) if line.startswith("  pool check "))
    assert lines[start][15:].startswith("WARNING: The sharpness alone") == warned
    assert lines[start + 3] == f"{'':15}Not known of any image, so not compared: year."


@pytest.mark.parametrize(
    ("count", "overlay", "named"), [(FEW - 1, "few.json", True), (FEW, "few.json", False), (9, None, False)]
)
def test_few_normals_name_the_overlay_if_there_is_one(tmp_path, capsys, count, overlay, named):
    data = {"training": images(count), "validation": images(4)}
    summary(tmp_path, sections=data, few_normals=overlay).begin()
    told = facts(capsys.readouterr().out)
    assert ("few normals" in told) == named
    if named:
        assert "['bundles/sepiad/configs/train.json','bundles/sepiad/configs/few.json']" in told["few normals"]


@pytest.mark.parametrize(
    ("epochs", "minutes", "length"),
    [
        ({"features": 0, "training": 6}, 2, "training 6 epochs of 50 iterations; at most 2 minutes"),
        ({"features": ENDLESS, "training": ENDLESS}, 0.5, "0.5 minutes"),
        ({"features": 3, "training": ENDLESS}, 1, "features 3 epochs of 50 iterations; at most 1 minutes"),
        ({"training": ENDLESS}, None, "endless"),
    ],
)
def test_a_million_epochs_are_no_length(tmp_path, capsys, epochs, minutes, length):
    summary(tmp_path, epochs=epochs, budget=TimeBudget(minutes)).begin()
    assert facts(capsys.readouterr().out)["length"] == length


def test_it_ends_with_what_was_written_and_the_next_commands(tmp_path, capsys, caplog):
    caplog.set_level(logging.INFO, "monai_anomaly")
    for name in ("models/model.pt", "out/history.csv", "out/notes.txt"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text("content")
    (tmp_path / "out" / "quarantine_training.jsonl").touch()  # nothing was left out
    summary(tmp_path).end()
    written, _, following = capsys.readouterr().out.partition("Next, ")
    assert [line.split()[0] for line in written.splitlines()] == [
        "Written",
        f"{tmp_path}/models/model.pt",
        f"{tmp_path}/out/history.csv",
    ]
    calibrate, evaluate = following.splitlines()[1:]
    assert "calibrate.json --dataset_dir DIR" in calibrate and "evaluate.json --dataset_dir DIR" in evaluate
    assert caplog.messages == []


def test_no_calibration_is_proposed_that_cannot_be_had(tmp_path, capsys):
    training = images(120)
    for options in ({"calibrate": False}, {"sections": {"training": training, "validation": images(2)}}):
        summary(tmp_path, **options).end()
        assert "calibrate" not in capsys.readouterr().out


def test_it_warns_of_a_training_that_was_cut_short(tmp_path, capsys, caplog):
    budget = TimeBudget(1)
    budget.cut["training"] = "30 of 300"
    summary(tmp_path, budget=budget).end()
    (record,) = caplog.records
    assert record.levelno == logging.WARNING and "30 of 300 iterations of the training" in record.getMessage()
