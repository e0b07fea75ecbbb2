# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

"""A ``.ts`` file's configuration, parsed and called as MONAI Deploy's operator does, without the SDK."""

from __future__ import annotations

import json
import zipfile

import numpy as np
import pytest
import torch
from monai.bundle import ConfigParser
from monai.data import MetaTensor
from monai.utils import ensure_tuple

import monai_anomaly as ma
from monai_anomaly.apps.command.main import main
from monai_anomaly.bundle.deploy.carried_picture import picture_meta
from monai_anomaly.data.image_reader import ClinicalImageReader
from monai_anomaly.scoring.map_encoders import map_to_indices
from tests.helpers.dicom_files import make_dataset, save
from tests.helpers.doors import calibrate, write_model

RNG = np.random.default_rng(0)


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    """Return a small gray detector, calibrated, with its TorchScript beside."""
    path = write_model(tmp_path_factory.mktemp("deploy"), sharpness=0.1)
    calibrate(path, np.linspace(0, 1, 40))
    assert main(["export", str(path), "--format", "ts"]) == 0
    return path


class Operator:
    """What ``MonaiBundleInferenceOperator`` of SDK 4.0 does with a file and an ``Image``'s array and metadata."""

    def __init__(self, file, folder):
        with zipfile.ZipFile(file) as archive:
            parser = ConfigParser()
            parser.read_meta(f=json.loads(archive.read(f"{file.stem}/extra/metadata.json")))
            parser.read_config(archive.extract(f"{file.stem}/extra/inference.json", folder))
        parser.parse()
        self.network = torch.jit.load(file, map_location=parser.get_parsed_content("device")).eval()
        names = ("preprocessing", "inferer", "postprocessing")
        self.before, self.inferer, self.after = map(parser.get_parsed_content, names)
        self.outputs = parser["_meta_"]["network_data_format"]["outputs"]

    def __call__(self, array, metadata):
        inputs = self.before({"image": MetaTensor.ensure_torch_and_prune_meta(array, metadata)})
        assert [key for key, value in inputs.items() if isinstance(value, torch.Tensor)] == ["image"]
        outputs = self.inferer(inputs=inputs["image"][None], network=self.network)
        found = self.after({"pred": ensure_tuple(outputs)[0], **inputs})
        assert isinstance(inputs["image"].meta, dict)
        return {name: np.asarray(found[name]) for name in self.outputs}


@pytest.fixture(scope="module")
def operator(model, tmp_path_factory):
    return Operator(model.with_suffix(".ts"), tmp_path_factory.mktemp("extracted"))


def images():
    """Yield data sets whose pixels, taken as they are stored, would have other scores."""
    gray = RNG.integers(0, 256, (40, 50), dtype=np.uint8)
    yield make_dataset(gray)
    yield make_dataset(gray, PhotometricInterpretation="MONOCHROME1")
    yield make_dataset(RNG.integers(0, 4096, (40, 50), dtype=np.uint16), WindowCenter=700, WindowWidth=900)
    yield make_dataset(RNG.integers(0, 256, (3, 40, 50), dtype=np.uint8))  # a cine


def test_scores_decisions_and_maps_are_those_of_the_door(model, operator, tmp_path):
    detector, reader = ma.load(model, device="cpu"), ClinicalImageReader(channels=1)
    for number, dataset in enumerate(images()):
        path = save(tmp_path / f"{number}.dcm", dataset)
        expected, picture = detector.score(path), reader.read(path)
        found = operator(picture.pixels, picture_meta(picture))
        assert found["score"] == pytest.approx(expected.score, abs=1e-5)
        assert (found["p_value"], found["decision"]) == (expected.p_value, expected.decision)
        (levels,) = found["pred"]
        assert levels.shape == expected.source_shape == (40, 50) and levels.dtype == np.uint8
        np.testing.assert_allclose(
            levels.astype(int), map_to_indices(expected.map_on_source, detector.map_range).astype(int), atol=1
        )


def test_an_array_in_memory_is_scored_as_by_the_door(model, operator):
    gray = RNG.integers(0, 256, (40, 50), dtype=np.uint8)
    expected = ma.load(model, device="cpu").score(gray)
    assert operator(gray, {})["score"] == pytest.approx(expected.score, abs=1e-5)
    floats = gray.astype(np.float32) / 255
    assert operator(floats, {"value_range": (0, 1)})["score"] == pytest.approx(expected.score, abs=1e-5)


def test_what_cannot_be_equal_is_refused_with_a_sentence(operator):
    volume = {"row_pixel_spacing": 1.0, "col_pixel_spacing": 1.0, "depth_pixel_spacing": 1.0}
    for array, metadata, text in (
        (np.zeros((50, 40, 1), np.uint8), volume, "neither window nor bits nor polarity"),
        (np.zeros((40, 50), np.float32), {}, "black and white"),
    ):
        with pytest.raises(RuntimeError) as caught:
            operator(array, metadata)
        assert text in str(caught.value.__cause__)
