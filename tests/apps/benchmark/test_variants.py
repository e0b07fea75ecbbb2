# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from monai_anomaly.apps.benchmark.variants import Variant, read_variant
from monai_anomaly.handlers.training.time_budget import ENDLESS
from monai_anomaly.utils.bundle_folders import bundles_dir
from monai_anomaly.utils.exceptions import ConfigError
from tests.helpers.repository import ROOT


@pytest.fixture(autouse=True)
def at_root(monkeypatch):
    monkeypatch.chdir(ROOT)


@pytest.fixture
def other(tmp_path) -> Path:
    """Return a bundle with the least that a benchmark needs, one stage and no evaluation settings."""
    configs = tmp_path / "other" / "configs"
    configs.mkdir(parents=True)
    keys = ("dataset_dir", "output_dir", "ckpt_dir", "max_epochs", "seed")
    (configs / "train.json").write_text(json.dumps({**dict.fromkeys(keys, 2), "max_minutes": None, "width": 4}))
    (configs / "evaluate.json").write_text(json.dumps({"dataset_dir": "", "output_dir": "", "aggregate": "max"}))
    return configs.parent


def words(variant: Variant, name: str, **settings: object) -> dict[str, str]:
    options = variant.options(name, settings)
    return dict(zip(options[::2], options[1::2], strict=True))


def test_a_bundle_by_name_and_by_folder():
    assert (
        read_variant("sepiad").name
        == read_variant("bundles/sepiad").name
        == read_variant(f"{ROOT}/bundles/sepiad").name
    )
    assert read_variant("sepiad").overlays == read_variant("sepiad").overrides == ()


def test_overlays_and_overrides():
    variant = read_variant("sepiad few_normals se=False augment::zoom=0.3 corrupt='$None' aggregate=mean device=cpu")
    assert variant.name == "sepiad few_normals se=False augment::zoom=0.3 corrupt=$None aggregate=mean device=cpu"
    assert variant.config("train")["augment"]["rotate"] == 15.0
    training, evaluation = words(variant, "train"), words(variant, "evaluate")
    assert training.pop("--config_file") == (
        "['bundles/sepiad/configs/train.json', 'bundles/sepiad/configs/few_normals.json']"
    )
    assert training == {"--se": "False", "--augment::zoom": "0.3", "--corrupt": "$None", "--device": "cpu"}
    assert evaluation.pop("--config_file") == "bundles/sepiad/configs/evaluate.json"
    assert evaluation == {"--aggregate": "mean", "--device": "cpu"}


def test_only_stages_that_a_bundle_has_are_lengthened(other):
    assert read_variant("sepiad").schedule() == {"max_epochs": ENDLESS, "pretrain_epochs": ENDLESS}
    assert read_variant("ocad").schedule() == read_variant("sagan").schedule() == {"max_epochs": ENDLESS}
    assert read_variant("embedding").schedule() == {}  # one pass, which is solved
    stages = read_variant("simsid report").schedule()
    assert stages == {"max_epochs": ENDLESS, "teacher_epochs": ENDLESS, "student_epochs": ENDLESS}
    variant = read_variant(str(other))
    assert variant.schedule() == {"max_epochs": ENDLESS}
    assert "--bundle_root" not in words(variant, "train", bundle_root=".", seed=3)
    assert words(variant, "train", bundle_root=".", seed=3)["--seed"] == "3"


def test_a_variant_s_own_length_stands():
    variant = read_variant("sepiad max_epochs=3")
    assert words(variant, "train", **variant.schedule())["--max_epochs"] == "3"


def test_fingerprint_changes_with_what_is_run(other):
    first = read_variant(str(other)).fingerprint()
    assert first == read_variant(str(other)).fingerprint() != read_variant(f"{other} width=5").fingerprint()
    path = other / "configs" / "train.json"
    path.write_text(path.read_text().replace('"width": 4', '"width": 6'))
    assert read_variant(str(other)).fingerprint() != first


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("sepiadd", "'sepiadd' is no bundle.*there are consensus"),
        ("", "must be a bundle"),
        ("'sepiad", "must be a bundle"),
        ("sepiad few_normal", "'sepiad' has no overlay 'few_normal'; it has few_normals, multi_gpu_train, paper"),
        ("sepiad inference", "no overlay 'inference'"),
        ("sepiad max_epoch=3", "no key 'max_epoch'; the nearest known is 'max_epochs'"),
        ("sepiad train::trainer::max_epoch=3", "max_epochs"),
        ("sepiad se=false", "must be True or False"),
        ("sepiad learning_rate=fast", "must be a number"),
        ("sepiad corrupt=None", r"write corrupt='\$None'"),
        ("sepiad seed=3", "'seed' is what the benchmark sets"),
        ("sepiad section=validation", "'section' is what the benchmark sets"),
    ],
)
def test_mistakes(text, message):
    with pytest.raises(ConfigError, match=message):
        read_variant(text)


def test_a_bundle_that_came_with_the_package(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    variant = read_variant("ocad")
    assert variant.name == "ocad" and variant.bundle == bundles_dir() / "ocad"


def test_a_bundle_without_a_budget(other):
    path = other / "configs" / "train.json"
    path.write_text(path.read_text().replace("max_minutes", "minutes"))
    with pytest.raises(ConfigError, match="has no key 'max_minutes', which a benchmark sets"):
        read_variant(str(other))
    shutil.rmtree(other / "configs")
    with pytest.raises(ConfigError, match="is no bundle"):
        read_variant(str(other))
