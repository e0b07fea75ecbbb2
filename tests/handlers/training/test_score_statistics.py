# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

from types import SimpleNamespace

import pytest
import torch
from ignite.engine import Engine, Events

from monai_anomaly.handlers.training import score_statistics
from monai_anomaly.handlers.training.score_statistics import ScoreStatistics
from tests.helpers import ocad_detectors
from tests.helpers.simsid_detectors import make_detector, make_images


class Recorder:
    """Counts the fits, and the epoch of each."""

    def __init__(self):
        self.engine = Engine(lambda engine, batch: None)
        self.fits = []

    def fit_scores(self, images, held_out=None):
        self.fits.append((self.engine.state.epoch, len(images), *(() if held_out is None else (len(held_out),))))


@pytest.mark.parametrize(
    ("interval", "epochs", "expected"),
    [(1, 2, [1, 2, 2]), (2, 5, [2, 4, 5]), (3, 2, [2])],
)
def test_fits_at_intervals_and_at_the_end(interval, epochs, expected):
    network = Recorder()
    ScoreStatistics(network, torch.zeros(7, 1, 2, 2), interval=interval).attach(network.engine)
    network.engine.run(range(3), max_epochs=epochs)
    assert network.fits == [(epoch, 7) for epoch in expected]


def test_a_run_that_is_ended_within_an_epoch_is_fitted_too():
    network = Recorder()
    ScoreStatistics(network, torch.zeros(3, 1, 2, 2), interval=10).attach(network.engine)
    network.engine.add_event_handler(Events.ITERATION_COMPLETED(once=2), lambda engine: engine.terminate())
    network.engine.run(range(5), max_epochs=4)
    assert network.fits == [(1, 3)]


def test_of_very_many_normals_evenly_spaced_ones_are_taken(monkeypatch):
    monkeypatch.setattr(score_statistics, "MOST_IMAGES", 3)
    seen = []
    network = SimpleNamespace(
        fit_scores=lambda *images: seen.append([torch.cat(list(part.split(2))).flatten().tolist() for part in images])
    )
    many, few = (torch.arange(count).reshape(-1, 1, 1, 1) for count in (9, 3))
    ScoreStatistics(network, many, held_out=few)(Engine(lambda engine, batch: None))
    assert seen == [[[0, 4, 8], [0, 1, 2]]]


def test_held_out_normals_are_handed_on():
    network = Recorder()
    ScoreStatistics(network, torch.zeros(7, 1, 2, 2), held_out=torch.zeros(4, 1, 2, 2)).attach(network.engine)
    network.engine.run(range(3), max_epochs=1)
    assert network.fits == [(1, 7, 4)] * 2


@pytest.mark.parametrize("count", [0, 1])
def test_too_few_held_out_normals_are_refused_before_a_training(count):
    with pytest.raises(ValueError, match=f"of which there are {count}; put at least 2 normal images into"):
        ScoreStatistics(Recorder(), torch.zeros(7, 1, 2, 2), held_out=torch.zeros(count, 1, 2, 2))


@torch.no_grad()
def test_a_score_that_is_scaled_by_held_out_normals_is_so_at_the_end():
    detector = ocad_detectors.make_detector()
    images, held_out = (ocad_detectors.make_images(detector, count, seed=count) for count in (6, 5))
    engine = Engine(lambda engine, batch: None)
    ScoreStatistics(detector, images, held_out=held_out, interval=9).attach(engine)
    engine.run(range(1), max_epochs=1)
    terms = detector.score_terms(held_out)
    torch.testing.assert_close(terms.mean(dim=0), torch.zeros(2), atol=1e-3, rtol=0.0)
    torch.testing.assert_close(terms.std(dim=0, correction=0), torch.ones(2), atol=1e-2, rtol=0.0)


def test_what_is_attached_afterwards_sees_standardized_scores():
    detector = make_detector()
    images = make_images(detector, 6)
    engine = Engine(lambda engine, batch: None)
    ScoreStatistics(detector.train(), images).attach(engine)
    scores = []

    @engine.on(Events.EPOCH_COMPLETED)
    @torch.no_grad()
    def validate(_):
        assert detector.training
        scores.append(detector.eval()(images).mean(dim=(1, 2, 3)))
        detector.train()

    engine.run(range(1), max_epochs=1)
    torch.testing.assert_close(scores[0].mean(), torch.tensor(0.0), atol=1e-3, rtol=0.0)
    torch.testing.assert_close(scores[0].std(correction=0), torch.tensor(1.0), atol=1e-2, rtol=0.0)
