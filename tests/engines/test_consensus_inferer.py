# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from monai_anomaly.engines.consensus_inferer import ConsensusInferer
from monai_anomaly.guard.member_guards import MemberGuards
from tests.helpers.detectors import small_images
from tests.networks.nets.consensus.test_consensus import consensus

MEMBERS = [{"name": "sepiad", "intensity": "none"}, {"name": "simsid", "intensity": "none"}]


class Refusing(MemberGuards):
    """Refuses images for one member, or all, and says why."""

    def __init__(self, *names: str) -> None:
        super().__init__({"image_size": 32, "in_channels": 1, "members": MEMBERS}, None)
        self.refused = {name: f"{name} refuses." for name in names}

    def refusals(self, images: Tensor) -> list[dict[str, str]]:
        """Refuse every image."""
        return [dict(self.refused) for _ in images]


@torch.no_grad()
@pytest.mark.parametrize("rule", ["maximum", "stouffer"])
def test_a_member_whose_guard_refuses_an_image_is_left_out(rule):
    network = consensus(rule)
    images = small_images(network, 3, seed=1)
    z = network.score_terms(images)
    maps = ConsensusInferer(Refusing("simsid"))(images, network)
    expected = z[:, 0] if rule == "maximum" else z[:, 0] / 2**0.5
    torch.testing.assert_close(maps.mean((1, 2, 3)), expected, rtol=1e-4, atol=1e-4)
    said = ConsensusInferer(Refusing("simsid")).said(images[0], network)
    assert said.members == {"sepiad": pytest.approx(float(z[0, 0]), rel=1e-4, abs=1e-4), "simsid": None}
    assert said.left_out == {"simsid": "simsid refuses."}


@torch.no_grad()
def test_where_none_or_all_refuse_the_score_is_that_of_all():
    network = consensus()
    images = small_images(network, 3, seed=2)
    expected = network(images)
    for guards in (Refusing(), Refusing("sepiad", "simsid")):
        inferer = ConsensusInferer(guards)
        torch.testing.assert_close(inferer(images, network), expected, rtol=1e-4, atol=1e-4)
        said = inferer.said(images[0], network)
        assert None not in said.members.values() and said.left_out == guards.refused


@torch.no_grad()
def test_a_held_out_normal_has_the_score_of_the_members_left_without_its_patient():
    network = consensus()
    known = small_images(network, 8)
    scores = torch.cat([network.raw_scores(image[None]) for image in known])  # as the inferer does: alone
    network.evidence.fit(scores, torch.arange(8))
    found = ConsensusInferer(Refusing("simsid"), held_out=True)(known, network).mean((1, 2, 3))
    expected = network.evidence.without(3).standardize(scores)[3, 0]
    assert found[3] == pytest.approx(float(expected), abs=0.01)
    assert abs(found[3] - network.score_terms(known)[3, 0]) > 0.03


@torch.no_grad()
def test_a_map_that_is_not_finite_is_said():
    network = consensus()
    network.detectors[0].register_forward_hook(lambda module, inputs, output: output * torch.nan)
    said = ConsensusInferer(Refusing()).said(small_images(network, 1)[0], network)
    assert said.members["sepiad"] is None and said.left_out == {"sepiad": "its map has values that are not finite."}
