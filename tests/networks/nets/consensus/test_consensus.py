# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

from typing import Any

import pytest
import torch

from monai_anomaly.networks.nets.consensus.consensus import Consensus
from tests.helpers.detectors import SMALL, small_images

COUNTED = torch.ones(8, 2, dtype=torch.bool)


def consensus(rule: str = "maximum", names: tuple[str, ...] = ("SEPIAD", "SimSID"), spread: float = 0.1) -> Consensus:
    """Return two members of 32 pixels that were not trained, whose scores of normals are `spread` apart."""
    torch.manual_seed(0)
    members: list[dict[str, Any]] = [
        {"name": name.lower(), "detector": name, "network": SMALL[name], "intensity": "none"} for name in names
    ]
    network = Consensus(32, 1, members=members, rule=rule).eval()
    with torch.no_grad():
        scores = network.raw_scores(small_images(network, 8))
        network.evidence.fit(scores + spread * torch.randn(8, len(names)), torch.arange(8))
    return network


@torch.no_grad()
def test_members_score_as_they_do_alone():
    network = consensus()
    images = small_images(network, 3, seed=1)
    alone = torch.stack([member(images).mean((1, 2, 3)) for member in network.detectors], dim=1)
    torch.testing.assert_close(network.raw_scores(images), alone, rtol=1e-3, atol=1e-4)
    assert network.term_names == ("sepiad", "simsid")


@torch.no_grad()
@pytest.mark.parametrize("rule", ["maximum", "fisher", "stouffer"])
def test_the_map_s_mean_is_the_joined_score(rule):
    network = consensus(rule)
    images = small_images(network, 4, seed=2)
    anomaly = network(images)
    joined = network.evidence(network.raw_scores(images))[0]
    torch.testing.assert_close(anomaly.mean((1, 2, 3)), joined, rtol=1e-4, atol=1e-4)


@torch.no_grad()
def test_the_maximum_shows_the_map_of_the_member_that_decides():
    network = consensus()
    images = small_images(network, 6, seed=3)
    first = network.score_terms(images).argmax(dim=1)
    own = network.member_maps(images)[torch.arange(6), first]
    center, spread = network.evidence.center[first], network.evidence.spread[first]
    expected = (own - center[:, None, None]) / spread[:, None, None]
    torch.testing.assert_close(network(images)[:, 0], expected, rtol=1e-3, atol=1e-3)


@torch.no_grad()
def test_a_member_that_fails_on_an_image_is_left_out_of_it():
    network = consensus("stouffer")
    images = small_images(network, 2, seed=4)
    before = network(images)
    network.detectors[0].register_forward_hook(lambda module, inputs, output: output.log() * torch.nan)
    after = network(images)
    assert bool(after.isfinite().all()) and not torch.allclose(before, after)
    z = network.score_terms(images)
    torch.testing.assert_close(after.mean((1, 2, 3)), z[:, 1] / 2**0.5, rtol=1e-4, atol=1e-4)


@torch.no_grad()
def test_a_normal_of_the_scale_is_scored_without_its_patient():
    network = consensus(spread=0.0)
    known, new = small_images(network, 8), small_images(network, 2, seed=5)
    torch.testing.assert_close(network.guarded_map(new, COUNTED[:2], held_out=True), network(new))
    scores = network.raw_scores(known)
    expected = network.evidence.without(3)(scores[3:4])[0]
    found = network.guarded_map(known, COUNTED, held_out=True)[3].mean()
    torch.testing.assert_close(found, expected[0], rtol=1e-4, atol=1e-4)
    assert abs(found - network(known)[3].mean()) > 0.01


def test_members_must_be_several_with_names_of_their_own():
    with pytest.raises(ValueError, match="2 or more with different names, got sepiad"):
        consensus(names=("SEPIAD",))
    with pytest.raises(ValueError, match="different names, got sepiad, sepiad"):
        consensus(names=("SEPIAD", "SEPIAD"))
