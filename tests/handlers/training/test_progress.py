# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

import logging
import sys

import pytest
from ignite.engine import Engine

from monai_anomaly.handlers.training.progress import TrainingProgress


def test_progress_reaches_the_end(capsys):
    engine = Engine(lambda e, b: {"loss": 0.5})
    TrainingProgress("training", interval=3).attach(engine)
    engine.run(range(5), max_epochs=2)
    assert "10/10" in capsys.readouterr().err


def test_progress_gives_way_to_an_error():
    def fail(e, b):
        raise RuntimeError("the real reason")

    engine = Engine(fail)
    TrainingProgress().attach(engine)
    with pytest.raises(RuntimeError, match="the real reason"):
        engine.run(range(5))


@pytest.mark.parametrize("fails", [False, True])
def test_a_log_line_stands_above_the_bar_and_the_handlers_come_back(capsys, monkeypatch, fails):
    handler = logging.StreamHandler(sys.stdout)
    monkeypatch.setattr(logging.root, "handlers", [handler])

    def step(_engine, batch):
        logging.getLogger("monai_anomaly.any").warning("line %d", batch)
        if fails and batch:
            raise RuntimeError("the real reason")

    engine = Engine(step)
    TrainingProgress(interval=1).attach(engine)
    if fails:
        with pytest.raises(RuntimeError):
            engine.run([0, 1])
    else:
        engine.run([0, 1])
    assert logging.root.handlers == [handler]
    printed = capsys.readouterr()
    assert "line 0\nline 1\n" in printed.out and "line" not in printed.err
