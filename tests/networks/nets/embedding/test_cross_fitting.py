# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

import numpy as np
import pytest
import torch
from sklearn.model_selection import StratifiedGroupKFold

from monai_anomaly.networks.nets.embedding import cross_fitting
from monai_anomaly.networks.nets.embedding.cross_fitting import cross_fitted
from monai_anomaly.networks.nets.embedding.heads import Heads


def heads(features: int = 6) -> Heads:
    columns = [list(range(features)), list(range(features))]
    return Heads(columns, features, distances=[{"kind": "cosine", "neighbors": 1}], contrast={})


def test_no_image_is_scored_by_what_has_seen_its_patient():
    torch.manual_seed(0)
    features = torch.rand(12, 6).repeat_interleave(2, 0)  # two equal images of each patient
    patients = [str(i // 2) for i in range(24)]
    scores, pool = cross_fitted(heads(), features, features[:0], patients, folds=4)
    assert bool((scores[:, 0] > 1e-4).all()) and pool.shape == (0, 2)
    seen, _ = cross_fitted(heads(), features, features[:0], [str(i) for i in range(24)], folds=12)
    assert float(seen[:, 0].min()) < 1e-5  # as if each image were of another patient


def test_scores_are_those_of_heads_without_one_part_at_a_time_and_the_heads_stay_as_they_are():
    torch.manual_seed(0)
    features = torch.rand(8, 6)
    fresh = heads()
    scores, _ = cross_fitted(fresh, features, features[:0], list("abcdefgh"), folds=8)
    for i in range(8):
        others = heads()
        others.fit(torch.cat([features[:i], features[i + 1 :]]), features[:0])
        torch.testing.assert_close(scores[i], others(features[i : i + 1])[0][0])
    assert not fresh.scores[0].memory.any()


def test_scores_are_to_the_bit_those_of_copies_of_all_features_of_a_part():
    torch.manual_seed(0)
    normals, pool = torch.randn(70, 6).exp(), torch.randn(31, 6).exp()
    groups = [str(i // 2) for i in range(101)]
    columns = [[0, 2, 3], [1, 2, 5], [0, 1, 2, 3, 4]]
    kinds = [{"kind": "mahalanobis"}, {"kind": "cosine", "neighbors": 3}]
    found = cross_fitted(Heads(columns, 6, distances=kinds, contrast={}), normals, pool, groups, seed=4)
    is_pool, features = np.arange(101) >= 70, torch.cat([normals, pool])
    splitter = StratifiedGroupKFold(5, shuffle=True, random_state=4)
    for rest, part in splitter.split(is_pool, is_pool, groups):
        heads = Heads(columns, 6, distances=kinds, contrast={})
        heads.fit(features[rest[rest < 70]], features[rest[rest >= 70]])
        assert torch.equal(torch.cat(found)[part], heads(features[part])[0])


def test_heads_of_rows_learn_what_those_of_copies_do_and_from_the_same_neighbors_where_there_is_a_limit():
    torch.manual_seed(0)
    normals, pool = torch.randn(40, 6).exp(), torch.randn(9, 6).exp()
    rows = torch.arange(40)[torch.arange(40) % 3 > 0], torch.tensor([1, 4, 5])
    kinds = [{"kind": "mahalanobis"}, {"kind": "cosine", "neighbors": 3, "limit": 7}]
    of_rows, of_copies = (Heads([[0, 2, 3], [1, 2, 5], [0, 4]], 6, distances=kinds, contrast={}) for _ in range(2))
    of_rows.fit(normals, pool, rows)
    of_copies.scores[0].fit(normals[rows[0]][:, [0, 2, 3]])
    of_copies.scores[1].fit(normals[rows[0]][:, [1, 2, 5]])
    of_copies.scores[2].fit(normals[rows[0]][:, [0, 4]], pool[rows[1]][:, [0, 4]])
    assert of_rows.scores[1].memory.shape == (7, 3)
    for one, other in zip(of_rows.state_dict().values(), of_copies.state_dict().values(), strict=True):
        assert torch.equal(one, other)


def test_features_that_are_not_finite_are_refused_whether_they_are_kept_or_not():
    features = torch.rand(30, 6)
    features[17] = torch.nan
    few = Heads([range(6), range(6)], 6, distances=[{"kind": "cosine", "neighbors": 1, "limit": 1}], contrast={})
    with pytest.raises(ValueError, match="finite"):
        few.fit(features, features[:0])


def test_very_many_images_are_scored_in_parts(monkeypatch):
    torch.manual_seed(0)
    features, groups = torch.rand(30, 6), [str(i) for i in range(30)]
    at_once = cross_fitted(heads(), features[:20], features[20:], groups)
    monkeypatch.setattr(cross_fitting, "SCORED", 4)
    for some, all_together in zip(cross_fitted(heads(), features[:20], features[20:], groups), at_once, strict=True):
        torch.testing.assert_close(some, all_together)


def test_a_pool_of_noise_is_not_told_apart_and_one_that_differs_is():
    torch.manual_seed(0)
    normals, pool = torch.randn(40, 6), torch.randn(40, 6)
    groups = [f"n{i}" for i in range(40)] + [f"p{i}" for i in range(40)]
    for shift, low, high in ((0.0, 0.2, 0.8), (2.0, 0.9, 1.0)):
        ours, theirs = (each[:, 1] for each in cross_fitted(heads(), normals, pool + shift, groups))
        assert low <= float((theirs[:, None] > ours).float().mean()) <= high


def test_a_patient_of_both_is_in_one_part():
    torch.manual_seed(0)
    normals = torch.rand(10, 6)
    groups = [str(i) for i in range(10)] * 2
    found = [cross_fitted(heads(), normals, normals, groups, seed=seed) for seed in (0, 1)]
    for ours, theirs in found:
        torch.testing.assert_close(ours, theirs)  # the same images, scored by the same heads
    assert not torch.equal(found[0][0], found[1][0])


@pytest.mark.parametrize(("groups", "name"), [("aaabc", "normals"), ("abccc", "pool")])
def test_one_patient_cannot_be_cut_into_parts(groups, name):
    with pytest.raises(ValueError, match=f"the {name} are of one"):
        cross_fitted(heads(), torch.rand(3, 6), torch.rand(2, 6), list(groups))
