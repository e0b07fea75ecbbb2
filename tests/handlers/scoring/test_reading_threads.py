# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

"""What an inference leaves does not depend on the threads that read for it."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from monai.engines import SupervisedEvaluator
from PIL import Image

from monai_anomaly.data.lists.datalist import load_datalist
from monai_anomaly.data.sets.read_ahead import ReadAhead
from monai_anomaly.data.sets.records import RecordDataset
from monai_anomaly.engines.evaluator import isolate_failures
from monai_anomaly.engines.image_inferer import ImageInferer
from monai_anomaly.handlers.scoring.inference_writer import InferenceWriter
from monai_anomaly.scoring.source_pictures import SourcePictures
from monai_anomaly.transforms.preprocessing import Preprocessing
from monai_anomaly.transforms.score import ScoreFromMapd
from tests.helpers.detectors import small_detector


@pytest.fixture(scope="module")
def pictures(tmp_path_factory):
    folder = tmp_path_factory.mktemp("pictures")
    rng = np.random.default_rng(0)
    for number in range(13):
        Image.fromarray(rng.integers(0, 256, (40, 50), dtype=np.uint8)).save(folder / f"{number:02d}.png")
    (folder / "05.png").write_bytes((folder / "05.png").read_bytes()[:400])
    return folder


def _infer(pictures, output, threads):
    detector = small_detector("SEPIAD").eval()
    preprocessing = Preprocessing(detector.image_size, detector.in_channels)
    items = load_datalist(pictures, "inference")
    data = RecordDataset(items, preprocessing, preprocessing.image_shape, input_digest=True)
    writer = InferenceWriter(output, overlays=True, sources=SourcePictures(items, preprocessing.reader))
    SupervisedEvaluator(
        device=torch.device("cpu"),
        val_data_loader=ReadAhead(data, batch_size=4, num_workers=threads),
        network=detector,
        inferer=ImageInferer(),
        postprocessing=ScoreFromMapd(),
        iteration_update=isolate_failures,
        val_handlers=[writer],
    ).run()
    assert writer.counts == {"scored": 12, "rejected": 1}
    files = (path for path in output.rglob("*") if path.is_file() and path.name != "index.html")
    return {path.relative_to(output).as_posix(): path.read_bytes() for path in files}


def test_every_file_is_the_same_with_any_number_of_threads(pictures, tmp_path):
    without = _infer(pictures, tmp_path / "0", 0)
    assert len(without) == 3 + 12 + 12
    for threads in (1, 3):
        assert _infer(pictures, tmp_path / str(threads), threads) == without
