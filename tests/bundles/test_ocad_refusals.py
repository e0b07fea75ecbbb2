# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

"""Settings and data that cannot be, of OCAD's bundle: each ends in one sentence, before anything is written."""

from __future__ import annotations

import pytest

from tests.helpers.recipes import RECIPES
from tests.helpers.tiny_bundles import outputs, tiny_words

pytestmark = pytest.mark.usefixtures("at_root")


@pytest.mark.parametrize(
    ("wrong", "expected"),
    [
        ({"latent_channels": 100000}, "a latent vector of 100000 is no bottleneck"),
        ({"latent": "map"}, "a latent map of 8 is no bottleneck for a map of 4 channels"),
        ({"image_size": 34}, "image_size must be a multiple of 4"),
        ({"encoder::attention_stage": 3}, "attention_stage must be None or from 1 to 2"),
        ({"decoder::channels": [4]}, "give the decoder as many channels as the encoder has"),
        ({"image_range": [1.0, 1.0]}, "value_range must be two rising numbers"),
        ({"latent_channel": 8}, "the nearest known is 'latent_channels'"),
    ],
)
def test_a_setting_that_cannot_be(fails_ocad, small_skin, tmp_path, wrong, expected):
    assert expected in fails_ocad(*tiny_words("ocad", small_skin, **wrong), *outputs(tmp_path))
    assert not list(tmp_path.iterdir()), "something was left behind"


@pytest.mark.parametrize(
    ("wrong", "expected"),
    [
        ({"critic_input": "picture"}, "critic_input must be one of 'image', 'latent'"),
        ({"gaussian_weight": 2.0}, "gaussian_weight must lie in [0, 1]"),
        ({"refresh_interval": 0}, "interval must be at least 1"),
    ],
)
def test_a_setting_of_the_training_that_cannot_be(fails_ocad, small_skin, tmp_path, wrong, expected):
    assert expected in fails_ocad(*tiny_words("ocad", small_skin, **wrong), *outputs(tmp_path))
    assert not list(tmp_path.rglob("*.pt"))


@pytest.mark.parametrize("name", ["ocad", "ocad-reference"])
def test_a_batch_of_one(fails_ocad, small_skin, tmp_path, name):
    arguments = (*tiny_words(name, small_skin, batch_size=1), *outputs(tmp_path))
    assert "set batch_size to at least 2" in fails_ocad(*arguments, names=("train", *RECIPES[name].overlays))
    assert [path.name for path in tmp_path.rglob("*.pt")] == ["checkpoint.pt"]  # of before the first step


def test_weights_that_are_nowhere(fails_ocad, small_skin, tmp_path):
    arguments = [*tiny_words("ocad-paper", small_skin, weights=tmp_path / "none.pt"), *outputs(tmp_path)]
    found = fails_ocad(*arguments, names=("train", "paper"))
    assert "no such file" in found and "give 'imagenet' or the state dict of torchvision's resnet18" in found
    assert not list(tmp_path.iterdir()), "something was left behind"


def test_imagenet_weights_that_cannot_be_had_name_the_alternative(fails_ocad, small_skin, tmp_path, monkeypatch):
    monkeypatch.setenv("TORCH_HOME", str(tmp_path / "cache"))
    for name in ("https_proxy", "HTTPS_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    found = fails_ocad(*tiny_words("ocad-paper", small_skin), *outputs(tmp_path), names=("train", "paper"))
    assert "give weights the path of a file of torchvision's resnet18 state dict" in found
    assert not list(tmp_path.rglob("*.pt"))
