# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy.spatial.distance import mahalanobis
from sklearn.covariance import oas

from monai_anomaly.networks.blocks.density.local_distance import LocalDistance


def normals(count=40, channels=5, size=(3, 4)):
    torch.manual_seed(0)
    mixing = torch.randn(channels, channels)
    places = 4 * torch.randn(channels, *size)
    return torch.einsum("cd,ndhw->nchw", mixing, torch.randn(count, channels, *size)) + places


def fitted(features, batch_size=7):
    distance = LocalDistance(features.shape[1], tuple(features.shape[2:]))
    distance.fit(features.split(batch_size))
    return distance


def test_it_is_the_mahalanobis_distance_about_the_mean_of_the_position():
    features = normals(count=4000)
    new = features[:2] + torch.randn(2, 5, 3, 4)
    centered = (features - features.mean(dim=0)).movedim(1, -1).reshape(-1, 5).double().numpy()
    precision = np.linalg.inv(centered.T @ centered / len(centered))
    found = fitted(features, 500)(new)
    assert found.shape == (2, 1, 3, 4)
    for image, row, column in [(0, 0, 0), (1, 2, 3)]:
        place = features[:, :, row, column].mean(dim=0)
        expected = mahalanobis(new[image, :, row, column], place, precision) / 5**0.5
        assert found[image, 0, row, column].item() == pytest.approx(expected, rel=1e-2)


def test_with_few_normals_the_covariance_is_shrunk_as_that_of_scikit_learn():
    features = normals(count=30, size=(1, 1))
    covariance, share = oas(features.flatten(start_dim=1).double().numpy())
    assert 0.01 < share < 1
    whitening = fitted(features).whitening[..., 0, 0].double().numpy()
    np.testing.assert_allclose(np.linalg.inv(whitening.T @ whitening), covariance, rtol=1e-3, atol=1e-3)


def test_normals_have_distances_of_about_one():
    features = normals(count=400)
    assert fitted(features)(features).mean().item() == pytest.approx(1, abs=0.1)


def test_batches_do_not_matter():
    features = normals()
    torch.testing.assert_close(fitted(features, 1).state_dict(), fitted(features, 40).state_dict())


def test_dead_channels_and_equal_images_leave_it_finite():
    features = normals()
    features[:, 2] = 0
    assert torch.isfinite(fitted(features)(normals() + 1)).all()
    assert torch.isfinite(fitted(torch.zeros(3, 5, 2, 2))(torch.ones(1, 5, 2, 2))).all()


def test_too_few_normals_and_features_that_are_no_numbers_are_refused():
    with pytest.raises(ValueError, match="at least 2 normals, got 1"):
        fitted(normals(1))
    with pytest.raises(ValueError, match="not finite"):
        fitted(torch.full((3, 5, 2, 2), torch.nan))


def test_it_travels_in_the_state_dict_and_scripts():
    features = normals()
    distance = fitted(features)
    other = LocalDistance(5, (3, 4))
    other.load_state_dict(distance.state_dict())
    torch.testing.assert_close(torch.jit.script(other)(features), distance(features))
