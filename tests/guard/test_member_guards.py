# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

import pytest
import torch

from monai_anomaly.guard.input_guard import InputGuard
from monai_anomaly.guard.member_guards import JointGuard, MemberGuards
from monai_anomaly.networks.nets.consensus.member_view import MemberView
from monai_anomaly.utils.exceptions import CheckpointError
from tests.guard.test_input_guard import pictures

NETWORK = {
    "image_size": 64,
    "in_channels": 1,
    "members": [{"name": "upright", "intensity": "zscore"}, {"name": "inverted", "intensity": "none"}],
}
UPRIGHT = pictures(4, 1)


def fitted(images: torch.Tensor, intensity: str = "none", size: int = 64) -> InputGuard:
    """Return the guard of a member that was trained on images of 64 pixels in [0, 1]."""
    seen = MemberView(64, 1, size, 1, intensity)(images)
    return InputGuard.fit(seen, [{"rows": 64, "columns": 64}] * len(seen))


@pytest.fixture(scope="module")
def guards() -> MemberGuards:
    """Return those of a member of 32 pixels that knows the pictures, and of one that knows them inverted."""
    normals = pictures(120, 0)
    states = {"upright": fitted(normals, "zscore", 32).state(), "inverted": fitted(1 - normals).state()}
    return MemberGuards(NETWORK, states)


def test_each_is_asked_for_the_image_as_its_member_sees_it(guards):
    found = guards.refusals(torch.cat([UPRIGHT, 1 - UPRIGHT]))
    assert [list(own) for own in found] == [["inverted"]] * 4 + [["upright"]] * 4
    assert all(reason.startswith("not like the 120 training normals: ") for own in found for reason in own.values())
    assert guards.counted(found).tolist() == [[True, False]] * 4 + [[False, True]] * 4
    assert guards.refusals(torch.zeros(0, 1, 64, 64)) == [] and guards.counted([]).shape == (0, 2)


def test_where_all_refuse_all_count_and_the_consensus_does_not_apply(guards):
    blank = torch.zeros(1, 1, 64, 64)
    (refusals,) = guards.refusals(blank)
    assert list(refusals) == ["upright", "inverted"] and guards.counted([refusals]).tolist() == [[True, True]]
    anything = InputGuard.fit(blank, [{}])  # one image is too few to know anything
    joint = JointGuard(anything, guards)
    (told,) = joint.check_all(blank, [{}])
    own = anything.check_all(blank, [{}])[0]
    assert told == (own or f"no member applies; the first, upright, says: {refusals['upright']}")
    strict = JointGuard(fitted(pictures(120, 0)), guards)
    assert strict.check_all(UPRIGHT, [{}] * 4) == [""] * 4 and strict.n_images == 120
    (told,) = strict.check_all(1 - UPRIGHT[:1], [{}])
    assert told.startswith("not like the 120 training normals")


def test_members_without_a_guard_refuse_nothing():
    guards = MemberGuards(NETWORK, {"upright": fitted(pictures(20, 0), "zscore").state(), "inverted": None})
    (refusals,) = guards.refusals(torch.zeros(1, 1, 64, 64))
    assert list(refusals) == ["upright"] and guards.counted([refusals]).tolist() == [[False, True]]
    assert MemberGuards(NETWORK, None).refusals(UPRIGHT) == [{}] * 4


def test_a_guard_of_no_member_is_an_error():
    with pytest.raises(CheckpointError, match="an input guard of 'other', which is no member"):
        MemberGuards(NETWORK, {"other": None})
