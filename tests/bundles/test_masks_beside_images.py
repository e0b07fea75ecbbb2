# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

"""A public data set as it is downloaded, masks beside the images, on a network drive that adds files of its own."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from monai.bundle import run
from PIL import Image

from monai_anomaly.bundle import CheckedWorkflow
from tests.helpers.tiny_bundles import config, evaluate, table, train

pytestmark = pytest.mark.usefixtures("at_root")

HELPERS = "masks and other helper files of images"
OF_SYSTEM = "files and folders of the system (hidden ones, thumbnails, bins)"


@pytest.fixture(scope="module")
def tree(make_once) -> Path:
    """Return pictures of noise, lesions among them that two masks mark together."""

    def make(root: Path) -> None:
        generator = np.random.default_rng(0)
        for place, count in (("train/normal", 6), ("test/normal", 4), ("test/malignant", 4)):
            (root / place).mkdir(parents=True)
            for number in range(count):
                stem = root / place / f"{place.split('/')[1]} ({number})"
                Image.fromarray(generator.integers(0, 255, (32, 32), np.uint8)).save(f"{stem}.png")
                mask = np.zeros((32, 32), np.uint8)
                mask[8:24, 8:16] = 255 * place.endswith("malignant")
                Image.fromarray(mask).save(f"{stem}_mask.png")
                if place.endswith("malignant"):
                    Image.fromarray(mask.T).save(f"{stem}_mask_1.png")
        thumbnail = root / "train" / "normal" / "@eaDir" / "normal (0).png" / "SYNOFILE_THUMB_M.png"
        thumbnail.parent.mkdir(parents=True)
        Image.fromarray(mask).save(thumbnail)

    return make_once("masks-beside-images", make)


def test_a_training_has_images_alone_and_says_what_it_left_out(tree, tmp_path, capsys):
    train(tmp_path, tree)
    lines = capsys.readouterr().out.splitlines()
    assert "  training     5 normal images of 5 patients" in lines
    assert "  validation   1 normal images of 1 patient" in lines
    assert f"  left out     6 {HELPERS}; 1 {OF_SYSTEM}" in lines


def test_an_evaluation_has_the_masks(tree, examples, tmp_path):
    rows = evaluate(examples("sepiad").folder, tree, tmp_path)
    assert len(rows) == 8
    numbers = json.loads((tmp_path / "metrics.json").read_text())
    assert numbers["details"]["left out of the images"] == f"12 {HELPERS}"
    assert numbers["pixel_level"]["n_abnormal"] == 4
    assert f"12 {HELPERS}" in (tmp_path / "report.html").read_text(encoding="utf-8")


def test_an_inference_has_no_record_of_a_mask(tree, examples, tmp_path):
    model = examples("sepiad").folder / "models" / "model.pt"
    options = {"dataset_dir": str(tree / "test"), "output_dir": str(tmp_path), "device": "cpu", "uncalibrated": True}
    run(workflow_name=CheckedWorkflow, config_file=config("inference"), checkpoint=str(model), **options)
    assert len(table(tmp_path / "predictions.csv")) == 8
    assert f"12 {HELPERS}" in (tmp_path / "index.html").read_text(encoding="utf-8")
