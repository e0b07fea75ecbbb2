# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from measurements.seams import main, measure_seams
from monai_anomaly.metrics.seam_ratio import seam_ratio
from monai_anomaly.networks.nets.ocad.ocad import OCAD
from monai_anomaly.networks.nets.sagan.sagan import SAGAN
from monai_anomaly.networks.nets.simsid.simsid import SimSID
from monai_anomaly.utils.checkpoint import save_checkpoint
from tests.helpers.simsid_detectors import SIMSID

SIZE = 32
FOLDERS = {"train/normal": 2, "val/normal": 2, "val/abnormal": 1, "test/normal": 33, "test/abnormal": 2}
GENERATOR = {"channels": 4, "residual_blocks": 0, "keep_probability": 0.5}  # the mask must be off


@pytest.fixture(scope="module")
def data(tmp_path_factory) -> Path:
    """Pictures of noise in a tree of folders; those of the test section are more than a batch."""
    root = tmp_path_factory.mktemp("data")
    rng = np.random.default_rng(0)
    for folder, count in FOLDERS.items():
        (root / folder).mkdir(parents=True)
        for number in range(count):
            picture = rng.integers(0, 256, (SIZE, SIZE), dtype=np.uint8)
            Image.fromarray(picture).save(root / folder / f"{number}.png")
    return root


def _save(folder: Path, detector: torch.nn.Module, **network) -> Path:
    spec = {
        "detector": type(detector).__name__,
        "network": network,
        "preprocessing": {"image_size": detector.image_size},
        "data": {"frames": "middle", "split_seed": 0, "split_shares": [0.6, 0.1, 0.3]},
    }
    save_checkpoint({"model": detector.state_dict(), "spec": spec}, folder / "model.pt")
    return folder / "model.pt"


def _make(kind, folder, **network):
    torch.manual_seed(0)
    detector = kind(**network)
    return detector.eval(), _save(folder, detector, **network)


def _pictures(data: Path, folder: str) -> torch.Tensor:
    pixels = np.stack([np.asarray(Image.open(file)) for file in sorted(data.glob(f"{folder}/*/*.png"))])
    return torch.from_numpy(pixels)[:, None].float() / 255


@torch.no_grad()
@pytest.mark.parametrize(("options", "folder"), [([], "test"), (["--section=validation"], "val")])
def test_the_ratios_of_a_saved_detector(data, tmp_path, capsys, options, folder):
    detector, path = _make(SAGAN, tmp_path, image_size=SIZE, generator=GENERATOR, value_range=[-0.5, 2.0])
    images = _pictures(data, folder)
    restored = detector.reconstruct(images)
    expected = [seam_ratio(picture, 2) for picture in (restored, images, (restored - images).abs())]
    assert main([str(path), str(data), *options]) == 0
    lines = [line.split() for line in capsys.readouterr().out.splitlines()]
    assert [name for name, _ in lines] == ["restored", "original", "difference"]
    assert [float(value) for _, value in lines] == pytest.approx(expected, abs=2e-4)
    assert len(set(expected)) == 3


def test_simsid_has_a_grid_too(data, tmp_path):
    _, path = _make(SimSID, tmp_path, image_size=16, generator=SIMSID, discriminator={"channels": (4, 6)})
    ratios = measure_seams(path, data)
    assert set(ratios) == {"restored", "original", "difference"}
    assert all(ratio > 0.0 for ratio in ratios.values())


def test_a_grid_of_one(data, tmp_path, capsys):
    _, path = _make(SAGAN, tmp_path, image_size=SIZE, generator={**GENERATOR, "grid": 1})
    assert main([str(path), str(data)]) == 1
    assert "error: this detector's grid is a single patch" in capsys.readouterr().err


def test_a_detector_without_a_grid(data, tmp_path, capsys):
    network = {
        "image_size": SIZE,
        "encoder": {"channels": [4, 4], "heads": 2, "head_dim": 4},
        "decoder": {"channels": [4, 4]},
    }
    _, path = _make(OCAD, tmp_path, **network)
    assert main([str(path), str(data)]) == 1
    assert "of the kind OCAD has no grid of patches" in capsys.readouterr().err


def test_other_mistakes_are_one_sentence(data, tmp_path, capsys):
    _, path = _make(SAGAN, tmp_path, image_size=SIZE, generator=GENERATOR)
    for arguments, words in (
        ([str(tmp_path / "none.pt"), str(data)], "there is no checkpoint"),
        ([str(path), str(tmp_path / "nowhere")], "error: "),
        ([str(path), str(data), "--section=unlabeled"], "no images in its section 'unlabeled'"),
    ):
        assert main(arguments) == 1
        captured = capsys.readouterr()
        assert words in captured.err and captured.err.count("\n") == 1 and not captured.out
    with pytest.raises(SystemExit):
        main([str(path), str(data), "--section=tests"])
