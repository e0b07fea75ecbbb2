# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from measurements import localization
from measurements.localization import main, measure_localization
from monai_anomaly.networks.nets.detector import Detector
from monai_anomaly.networks.nets.embedding.embedding import Embedding
from monai_anomaly.networks.nets.registry import DETECTORS
from monai_anomaly.utils.checkpoint import save_checkpoint

LOCATION = {"input": "raw", "stages": ["stage3"], "segmenter_stages": ["stage2", "stage3"], "width": 6}
TEST = {"off center": (40, 60, slice(0, 12), slice(0, 20)), "centered": (60, 40, slice(20, 40), slice(10, 30))}
"""Height and width of a picture, and where its lesion is."""


@pytest.fixture(scope="module")
def data(tmp_path_factory) -> Path:
    root = tmp_path_factory.mktemp("data")
    rows = ["file,label,split,group,mask"]
    for number in range(4):
        Image.fromarray(np.full((40, 40), 100 + number, np.uint8)).save(root / f"{number}.png")
        rows.append(f"{number}.png,0,{'train' if number < 3 else 'test'},n{number},")
    for name, (height, width, *place) in TEST.items():
        mask = np.zeros((height, width), np.uint8)
        mask[tuple(place)] = 255
        Image.fromarray(mask // 2 + 60).save(root / f"{name}.png")
        Image.fromarray(mask).save(root / f"{name} m.png")
        rows.append(f"{name}.png,1,test,{name},{name} m.png")
    (root / "labels.csv").write_text("\n".join(rows))
    return root


def save(folder: Path, detector: torch.nn.Module, **network) -> Path:
    spec = {"detector": type(detector).__name__, "network": network, "preprocessing": {"image_size": 32}}
    save_checkpoint({"model": detector.state_dict(), "spec": spec}, folder / "model.pt")
    return folder / "model.pt"


class Brightness(Detector):
    """The image itself is its map."""

    def anomaly_map(self, image):
        return image


@pytest.fixture
def brightness(tmp_path, monkeypatch) -> Path:
    monkeypatch.setitem(DETECTORS, "Brightness", __name__)
    network = {"image_size": 32, "in_channels": 1}
    return save(tmp_path, Brightness(**network), **network)


def test_the_rows_are_those_of_the_images_with_a_mask_at_its_size(data, brightness):
    (center, shown), groups = measure_localization(data, [brightness], unets=0)
    assert groups and len(set(groups)) == 2
    assert (shown.auc > 0.99).all()
    assert shown.hit.tolist() == [[1.0, 1.0]]
    by_center = dict(zip(center.auc[0] > 0.5, center.hit[0], strict=True))
    assert by_center == {False: 0.0, True: 1.0}


def test_an_embedding_with_a_location_has_the_map_of_its_score_too(data, tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(localization, "_UNET_STEPS", 2)
    network = {"image_size": 32, "in_channels": 1, "location": LOCATION, "segmenter": True}
    path = save(tmp_path, Embedding(**network), **network)
    assert main([str(data), str(path), str(path), "--unets", "1"]) == 0
    printed = capsys.readouterr().out
    for name in ("center of the picture", "U-Net from scratch", "map that is shown", "map of the score"):
        assert f"| {name} |" in printed
    assert "2 images with a mask, of 2 patients" in printed


def test_a_section_without_masks_is_an_error(data, brightness, capsys):
    assert main([str(data), str(brightness), "--section", "training"]) == 1
    assert "has a mask" in capsys.readouterr().err
