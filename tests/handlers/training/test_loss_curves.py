# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

import csv
import logging
from xml.etree import ElementTree

import pytest
import torch
from ignite.engine import Engine, Events

from monai_anomaly.handlers.training.loss_curves import LossCurves
from monai_anomaly.handlers.training.metric_history import MetricHistory

SVG = "{http://www.w3.org/2000/svg}"


def losses(engine, batch):
    epoch = engine.state.epoch
    return {"loss": 10.0 / epoch + batch, "distill": torch.tensor(batch * epoch), "label": 1, "image": torch.zeros(2)}


def run(folder, epochs, *, state=None, first=0, stop=None, **options):
    engine, history = Engine(losses), MetricHistory()
    history.attach(engine)
    if state is not None:
        history.load_state_dict(state)
    LossCurves(folder, history, **options).attach(engine)
    if first:
        engine.state.max_epochs, engine.state.epoch_length = epochs, 2
        engine.state.epoch, engine.state.iteration = first, 2 * first
    if stop:
        engine.add_event_handler(Events.EPOCH_COMPLETED(once=stop), lambda e: e.terminate())
    engine.run([1.0, 3.0], max_epochs=epochs)
    return history


def table(folder):
    with (folder / "losses.csv").open() as file:
        return list(csv.DictReader(file))


def panels(svg):
    return ElementTree.fromstring(svg).findall(f"{SVG}g")


def texts(panel):
    return [element.text for element in panel.iter(f"{SVG}text")]


def places(panel):
    return [tuple(map(float, p.split(","))) for p in panel.find(f"{SVG}polyline").get("points").split()]


def test_means_of_each_epoch_are_in_the_table(tmp_path):
    run(tmp_path / "new" / "folder", 4)
    rows = table(tmp_path / "new" / "folder")
    assert list(rows[0]) == ["epoch", "loss", "distill"]
    assert [int(row["epoch"]) for row in rows] == [1, 2, 3, 4]
    assert [float(row["loss"]) for row in rows] == pytest.approx([10 / e + 2 for e in (1, 2, 3, 4)])
    assert [float(row["distill"]) for row in rows] == [2, 4, 6, 8]


def test_every_loss_has_a_panel_with_its_name_and_latest_value(tmp_path):
    run(tmp_path, 4)
    loss, distill = panels((tmp_path / "loss_curves.svg").read_text())
    assert texts(loss)[:2] == ["loss", "last 4.5"] and texts(distill)[:2] == ["distill", "last 8"]
    (x1, y1), (x2, y2), (x3, y3), (x4, y4) = places(distill)
    assert x1 < x2 and (x4 - x3, y4 - y3) == pytest.approx((x2 - x1, y2 - y1), abs=0.11)  # a straight line
    assert y4 < y1  # that rises
    assert len(list(distill.iter(f"{SVG}circle"))) == 4
    assert {path.name for path in tmp_path.iterdir()} == {"losses.csv", "loss_curves.svg"}


def test_is_written_at_each_interval_and_at_the_end(tmp_path):
    seen = []
    engine, history = Engine(losses), MetricHistory()
    history.attach(engine)
    LossCurves(tmp_path, history, interval=2).attach(engine)
    engine.add_event_handler(
        Events.EPOCH_COMPLETED, lambda e: seen.append(len(table(tmp_path)) if any(tmp_path.iterdir()) else 0)
    )
    engine.run([1.0, 3.0], max_epochs=5)
    assert seen == [0, 2, 2, 4, 4]
    assert len(table(tmp_path)) == 5


def test_a_resumed_run_draws_the_whole_curve(tmp_path):
    run(tmp_path / "whole", 5)
    history = run(tmp_path / "parts", 5, stop=3)
    assert len(table(tmp_path / "parts")) == 3
    run(tmp_path / "parts", 5, state=history.state_dict(), first=3)
    for name in ("losses.csv", "loss_curves.svg"):
        assert (tmp_path / "parts" / name).read_bytes() == (tmp_path / "whole" / name).read_bytes()


def test_validation_metrics_are_drawn_when_named(tmp_path, caplog):
    history = MetricHistory()
    history.rows = [{"epoch": 1.0, "iteration": 2.0, "loss": 3.0}, {"epoch": 2.0, "loss": 2.0, "val_kl": 0.4}]
    LossCurves(tmp_path, history)(Engine(losses))
    assert list(table(tmp_path)[0]) == ["epoch", "loss"]
    with caplog.at_level(logging.WARNING):
        engine = Engine(lambda e, b: None)
        LossCurves(tmp_path, history, names=["val_kl", "loss", "typo"]).attach(engine)
        engine.run([0], max_epochs=1)
    assert [row["val_kl"] for row in table(tmp_path)] == ["", "0.4"]
    kl, loss = panels((tmp_path / "loss_curves.svg").read_text())
    assert texts(kl)[0] == "val_kl" and len(places(kl)) == 1 and len(places(loss)) == 2
    assert "typo" in caplog.text and "val_kl" not in caplog.text


def test_nothing_is_written_before_an_epoch_ends(tmp_path):
    LossCurves(tmp_path, MetricHistory())(Engine(losses))
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("options", "match"),
    [({"interval": 0}, "interval must"), ({"names": []}, "names must"), ({"names": "loss"}, "names must")],
)
def test_options_are_checked(options, match):
    with pytest.raises(ValueError, match=match):
        LossCurves("folder", MetricHistory(), **options)
