# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

import pytest
import torch

from monai_anomaly.networks.nets.embedding.embedding import Embedding
from monai_anomaly.utils.exceptions import ConfigError

LOCATION = {"input": "raw", "stages": ["stage4", "stage5"], "segmenter_stages": ["stage3", "stage5"], "width": 6}


def make(**options):
    torch.manual_seed(0)
    return Embedding(32, **options).eval()


def images():
    return torch.rand(3, 1, 32, 32, generator=torch.Generator().manual_seed(0))


@torch.no_grad()
@pytest.mark.parametrize("segmenter", [False, True])
@pytest.mark.parametrize("normalization", ["raw", "z", "both"])
def test_it_is_the_locator_s_map_shifted_to_the_score(segmenter, normalization):
    located = make(location=LOCATION, segmenter=segmenter, normalization=normalization)
    shown, exact = located(images()), located.score_map(images())
    torch.testing.assert_close(shown.mean(dim=(1, 2, 3)), exact.mean(dim=(1, 2, 3)))
    shift = shown - located.locator(located.located_stages(images()), 32)
    torch.testing.assert_close(shift, shift[:, :, :1, :1].expand_as(shift), atol=1e-4, rtol=1e-4)
    assert not torch.allclose(shown, exact, atol=1e-2)


@torch.no_grad()
def test_the_score_is_that_of_an_embedding_without_a_location():
    plain, located = make(), make(location=LOCATION, segmenter=True)
    located.backbone.load_state_dict(plain.backbone.state_dict())
    torch.testing.assert_close(located.score_map(images()), plain(images()))
    torch.testing.assert_close(plain.score_map(images()), plain(images()))


@torch.no_grad()
def test_its_input_may_be_normalized():
    located = make(location=LOCATION | {"input": "z"})
    brighter = 0.5 * images() + 0.2
    torch.testing.assert_close(located.located_stages(brighter), located.located_stages(images()), atol=1e-3, rtol=1e-3)


def test_bad_locations_are_refused():
    with pytest.raises(ConfigError, match="set segmenter to false"):
        make(segmenter=True)
    with pytest.raises(ConfigError, match=r"stages of location must be a list of names out of stage1, .*'stage9'"):
        make(location=LOCATION | {"stages": ["stage9"]})
    with pytest.raises(ConfigError, match="input of location"):
        make(location=LOCATION | {"input": "both"})
    with pytest.raises(ValueError, match="at least one stage"):
        make(location=LOCATION | {"stages": []})
