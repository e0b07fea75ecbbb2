# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from monai_anomaly.apps.command.main import main
from monai_anomaly.apps.node.configuration.sections import DetectorSettings, NodeSettings
from monai_anomaly.apps.node.database.database import Database
from monai_anomaly.apps.node.work.detector import open_node_detector, register_detector
from tests.helpers.doors import calibrate, write_model


@pytest.mark.parametrize("kind", ["pt2", "onnx"])
def test_an_export_is_the_detector_that_it_was_made_of(tmp_path: Path, kind: str) -> None:
    if kind == "onnx":
        pytest.importorskip("onnxscript", reason="needs the extra 'onnx'")
    model = write_model(tmp_path, name="OCAD", guard=False)
    calibrate(model)
    (tmp_path / "alone").mkdir()
    export = tmp_path / "alone" / f"model.{kind}"
    assert main(["export", str(model), str(export)]) == 0
    node = NodeSettings(folder=tmp_path / "node", detector=DetectorSettings(checkpoint=model))
    other = NodeSettings(folder=tmp_path / "node", detector=DetectorSettings(checkpoint=export))
    ours, theirs = open_node_detector(node), open_node_detector(other)
    picture = np.random.default_rng(0).integers(0, 256, (3, 20, 24), np.uint8)
    one, same = ours.score(picture), theirs.score(picture)
    assert same.score == pytest.approx(one.score, abs=1e-5) and same.p_value == one.p_value is not None
    database = Database(f"sqlite:///{tmp_path / 'node.db'}")
    numbers = [register_detector(database, detector) for detector in (ours, theirs)]
    database.close()
    assert numbers[0] == numbers[1]  # one row: the same weights and calibration
