# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

import json
import shutil

import pytest

from monai_anomaly.apps.command.bundle_keys import bundle_keys
from monai_anomaly.utils.bundle_folders import Bundle
from monai_anomaly.utils.config_files import read_configs
from tests.helpers.repository import ROOT

BUNDLES = sorted(path.parent.parent.name for path in (ROOT / "bundles").glob("*/configs/train.json"))


def keys(bundle: Bundle, *names: str) -> dict[str, tuple[str, str]]:
    """Return default and meaning of each key, by its name."""
    found = bundle_keys(bundle, read_configs([bundle.config(name) for name in names]), names)
    return {key.name: (key.default, key.meaning) for key in found}


@pytest.mark.parametrize("bundle", BUNDLES)
@pytest.mark.parametrize("name", ["train", "evaluate", "calibrate", "inference"])
def test_every_key_has_a_default_and_a_sentence(bundle, name):
    found = keys(Bundle(ROOT / "bundles" / bundle), name)
    assert {"bundle_root", "dataset_dir", "device", "batch_size"} <= found.keys()
    assert all(default and meaning for default, meaning in found.values())


def test_an_overlay_adds_its_keys_and_changes_defaults():
    bundle = Bundle(ROOT / "bundles" / "sepiad")
    plain, pool = keys(bundle, "train"), keys(bundle, "train", "select_by_pool")
    assert pool.keys() - plain.keys() == {"pool_dir", "pool_normal_share"}
    paper = keys(bundle, "train", "paper")
    assert plain["image_size"][0] == "64" and paper["image_size"][0] == "32"
    assert plain["augment"][0] == "BatchAugment" and plain["dataset_dir"][0] == "the phantom"


def test_a_bundle_without_a_card_shows_its_plain_values(tmp_path):
    shutil.copytree(ROOT / "bundles" / "sepiad" / "configs", tmp_path / "configs")
    found = keys(Bundle(tmp_path), "evaluate")
    config = json.loads((tmp_path / "configs" / "evaluate.json").read_text())
    assert found["gallery"] == (json.dumps(config["gallery"]), "") and found["output_dir"][0] == "computed"
    assert "evaluator" not in found and "run" not in found
