# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

import pytest
import torch

from monai_anomaly.networks.nets.embedding.locator import Locator

SIZES = [(8, 8), (4, 4), (4, 4), (2, 2)]
CHANNELS = [3, 4, 5, 6]


def stages(batch=12, seed=0):
    g = torch.Generator().manual_seed(seed)
    return [torch.randn(batch, c, *size, generator=g) for c, size in zip(CHANNELS, SIZES, strict=True)]


def fitted(**options):
    torch.manual_seed(0)
    locator = Locator(CHANNELS, SIZES, distances=[1, 2], **options).eval()
    everything = stages()
    locator.fit([[part[i : i + 5] for part in everything] for i in range(0, 12, 5)], 16)
    return locator


@torch.no_grad()
@pytest.mark.parametrize("segments", [[], [0, 2, 3]])
def test_normals_have_mean_zero_and_the_map_is_of_the_image_s_size(segments):
    found = fitted(segments=segments)(stages(), 16)
    assert found.shape == (12, 1, 16, 16)
    assert abs(found.mean().item()) < 1e-4


@torch.no_grad()
def test_the_distance_alone_is_in_deviations_of_normals():
    assert fitted()(stages(), 16).std().item() == pytest.approx(1, abs=1e-3)


@torch.no_grad()
def test_it_points_at_what_normals_do_not_have():
    new = stages(1, seed=1)
    new[1][0, :, 1, 2] += 6
    found = fitted()(new, 16)[0, 0]
    assert divmod(int(found.argmax()), 16)[0] in range(4, 8)
    assert divmod(int(found.argmax()), 16)[1] in range(8, 12)


@torch.no_grad()
def test_the_segmenter_s_logits_are_added_with_their_own_scale():
    locator = fitted(segments=[0, 2, 3])
    new = stages(2, seed=1)
    before = locator(new, 16)
    locator.segmenter.head.out.bias += 2
    shift = locator(new, 16) - before
    torch.testing.assert_close(shift, torch.full_like(shift, 2 / locator.scale_std[0, 1].item()))


@torch.no_grad()
def test_what_does_not_look_at_a_stage_does_not_change_with_it():
    locator = fitted()
    new = stages(2, seed=1)
    before = locator(new, 16)
    new[0] += 9
    new[3] += 9
    torch.testing.assert_close(locator(new, 16), before)


@torch.no_grad()
@pytest.mark.parametrize("segments", [[], [0, 2, 3]])
def test_it_travels_in_the_state_dict_and_scripts(segments):
    locator = fitted(segments=segments)
    other = Locator(CHANNELS, SIZES, distances=[1, 2], segments=segments).eval()
    other.load_state_dict(locator.state_dict())
    torch.testing.assert_close(torch.jit.script(other)(stages(), 16), locator(stages(), 16))


def test_without_a_stage_for_the_distance_it_is_refused():
    with pytest.raises(ValueError, match="at least one stage"):
        Locator(CHANNELS, SIZES, distances=[])
