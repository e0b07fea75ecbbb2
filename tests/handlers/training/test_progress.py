# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

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
