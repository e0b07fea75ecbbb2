# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

import numpy as np
import pytest
import torch

from monai_anomaly.apps.benchmark.patch_detectors import PaDiM, PatchCore, k_center_greedy, top_mean


def draw(*shape: int, seed: int = 0, at: float = 0.0) -> torch.Tensor:
    return at + torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def test_padim_by_the_slow_way():
    normals, test = draw(30, 4, 6, at=50.0), draw(5, 4, 6, seed=1, at=50.0)
    detector = PaDiM(6, 4, drawn=3)
    for batch in normals.split(7):
        detector.add(batch)
    detector.fit()
    assert len(set(detector.drawn.tolist())) == 3
    slow = np.empty((5, 4))
    for position in range(4):
        fitted = normals[:, position, detector.drawn].double().numpy()
        inverse = np.linalg.inv(np.cov(fitted.T) + 0.01 * np.eye(3))
        for number, vector in enumerate(test[:, position, detector.drawn].double().numpy()):
            off = vector - fitted.mean(axis=0)
            slow[number, position] = np.sqrt(off @ inverse @ off)
    np.testing.assert_allclose(detector.distances(test), slow, rtol=1e-9)


def test_padim_needs_two_normals():
    detector = PaDiM(6, 4)
    detector.add(draw(1, 4, 6))
    with pytest.raises(ValueError, match="needs two normals or more, got 1"):
        detector.fit()


def test_the_top_of_a_map():
    values = torch.arange(40.0)[torch.randperm(40)][None]
    assert top_mean(values, 0.05).tolist() == [38.5]
    assert top_mean(values, 0.001).tolist() == [39.0]
    assert top_mean(values, 1.0).tolist() == [19.5]


def test_the_coreset_by_the_slow_way():
    points = draw(60, 5)
    slow = [0]
    while len(slow) < 12:
        distances = [min(float((point - points[i]).norm()) for i in slow) for point in points]
        slow.append(int(np.argmax(distances)))
    assert k_center_greedy(points, 12).tolist() == slow
    assert sorted(k_center_greedy(points, 60).tolist()) == list(range(60))
    assert sorted(k_center_greedy(torch.ones(4, 2), 4).tolist()) == [0, 1, 2, 3]


def test_patchcore_by_the_slow_way():
    normals, test = draw(6, 16, 5), draw(3, 16, 5, seed=1)
    detector = PatchCore(6, memory=30, neighbors=3)
    detector.add(normals[:4])
    detector.add(normals[4:])
    detector.fit()
    memory = detector.memory.double().numpy()
    assert len(memory) == 9  # a tenth of 96 patches
    everything = normals.reshape(-1, 5).double().numpy()
    assert all((everything == patch).all(axis=1).any() for patch in memory)
    for image, score in zip(test.double().numpy(), detector.scores(test), strict=True):
        distances = np.linalg.norm(image[:, None] - memory, axis=2)
        patch = distances.min(axis=1).argmax()
        center = memory[distances[patch].argmin()]
        around = np.argsort(np.linalg.norm(memory - center, axis=1))[:3]
        weights = np.exp(distances[patch][around])
        expected = (1 - weights[0] / weights.sum()) * distances[patch].min()
        assert float(score) == pytest.approx(expected, rel=1e-5)


def test_patchcore_holds_what_it_may():
    detector = PatchCore(50, memory=40, candidates=200)
    detector.add(draw(50, 64, 3))
    assert sum(len(part) for part in detector._candidates) == 200
    detector.fit()
    assert detector.memory.shape == (40, 3)
    single = PatchCore(1, memory=1)
    single.add(torch.zeros(1, 1, 3))
    single.fit()
    assert single.scores(torch.tensor([[[3.0, 4.0, 0.0], [0.0, 0.0, 1.0]]])).tolist() == [5.0]
