# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

"""What MONAI Label's app for bundles makes of a configuration, without MONAI Label."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from monai.bundle import ConfigParser
from monai.transforms import Compose

import monai_anomaly as ma
from monai_anomaly.data.errors import ImageReadError
from monai_anomaly.scoring.map_encoders import map_to_indices
from monai_anomaly.utils.exceptions import CalibrationError, ConfigError
from tests.helpers.dicom_files import make_dataset, save
from tests.helpers.label_apps import AFFINE, put_bundle, put_calibration, write_files
from tests.helpers.pictures import make_gray

pytestmark = pytest.mark.usefixtures("at_root")


class Chain:
    """Takes from a bundle's configuration what MONAI Label 0.8.5 takes, and does with it what it does.

    Its network gets the weights of ``model.pt`` by itself, and transforms are called one by one. A key of
    ``displayable_configs`` is in each request, as the list of its choices if nothing is chosen.
    """

    def __init__(self, folder: Path) -> None:
        self.parser = ConfigParser()
        self.parser.read_config(folder / "configs" / "inference.json")
        self.parser.config.update(bundle_root=str(folder))
        self.network = copy.deepcopy(self.parser.get_parsed_content("network_def"))
        content = torch.load(folder / "models" / "model.pt")
        self.network.load_state_dict(content["model"], strict=True)
        self.network.eval()
        self.choices = self.parser.get_parsed_content("displayable_configs")

    def __call__(self, path: Path, **request: Any) -> dict[str, Any]:
        data: dict[str, Any] = {**self.choices, "image": str(path), "image_path": str(path), **request}
        self.parser["displayable_configs"].update({key: data[key] for key in self.choices})
        self.parser.parse()
        for transform in self._transforms("preprocessing"):
            data = transform(data)
        with torch.no_grad():
            data["pred"] = self.parser.get_parsed_content("inferer")(data["image"][None], self.network)[0]
        for transform in self._transforms("post_transforms"):
            data = transform(data)
        return data

    def _transforms(self, key: str) -> list[Callable[[dict[str, Any]], dict[str, Any]]]:
        compose = self.parser.get_parsed_content(key)
        assert isinstance(compose, Compose)
        return list(compose.transforms)


@pytest.fixture(scope="module")
def files(tmp_path_factory) -> list[Path]:
    return write_files(tmp_path_factory.mktemp("files"), 1)


@pytest.fixture(params=["sepiad", "ocad", "consensus"])
def folder(request, examples, tmp_path) -> Path:
    return put_bundle(tmp_path, examples(request.param))


@pytest.fixture
def sepiad(examples, tmp_path) -> Path:
    return put_bundle(tmp_path, examples("sepiad"))


def test_the_answer_is_that_of_load_and_the_map_has_the_pictures_size(folder, files):
    model = folder / "models" / "model.pt"
    put_calibration(model, files)
    chain, detector = Chain(folder), ma.load(model, device="cpu")
    for path in files if folder.name == "sepiad" else files[::4]:
        data, expected = chain(path), detector.score(path)
        answer = json.loads(json.dumps(data["result"], allow_nan=False))
        assert answer["score"] == pytest.approx(expected.score, abs=1e-5, rel=0)
        record = json.loads(json.dumps(expected.record()))
        assert answer == {key: record[key] for key in answer} | {"score": answer["score"]}
        assert answer.keys() >= {"score", "p_value", "decision", "decision_reason", "threshold", "false_alarm_rate"}
        assert ("members" in answer) == (folder.name == "consensus")
        levels = map_to_indices(expected.map_on_source, expected.map_range)
        flat = path.suffix in (".png", ".jpg", ".bmp", ".tif")
        assert data["result_extension"] == (".png" if flat else ".nii.gz") and data["result_dtype"] == "uint8"
        pixels = data["pred"] if flat else data["pred"][..., 0]
        assert pixels.dtype == np.uint8 and pixels.shape == levels.T.shape == expected.picture.shape[:0:-1]
        np.testing.assert_array_equal(pixels, levels.T)
        place = data["image_meta_dict"]["original_affine"]
        assert (place is None) == flat
        if ".nii" in path.name:
            np.testing.assert_allclose(place, AFFINE, atol=1e-5)


def test_without_a_calibration_the_score_is_uncalibrated(sepiad, files):
    answer = Chain(sepiad)(files[0])["result"]
    assert "p_value" not in answer and answer["decision"] in ("uncalibrated", "not_applicable")


def test_a_region_is_where_the_map_reaches_the_threshold(sepiad, files):
    chain, model = Chain(sepiad), sepiad / "models" / "model.pt"
    with pytest.raises(CalibrationError, match=r"calibration\.json"):
        chain(files[0], map_kind="region")
    put_calibration(model, files)
    region = Chain(sepiad)(files[0], map_kind="region")["pred"]
    result = ma.load(model, device="cpu").score(files[0])
    np.testing.assert_array_equal(region.T, result.map_on_source >= np.float32(result.threshold))


def test_what_a_request_asks_for_stays(sepiad, files):
    data = Chain(sepiad)(files[0], result_extension=".nrrd", result_dtype="uint16")
    assert (data["result_extension"], data["result_dtype"]) == (".nrrd", "uint16")


def test_other_weights_are_refused_and_not_offered(sepiad, files):
    chain = Chain(sepiad)
    assert (sepiad / "models" / "checkpoint.pt").is_file() and chain.choices["model_filename"] == ["model.pt"]
    with pytest.raises(ConfigError, match=r"model_filename must be model\.pt"):
        chain(files[0], model_filename="checkpoint.pt")


@pytest.mark.parametrize("studies", ["http://127.0.0.1:8042/dicom-web", "https://pacs/dicom-web"])
def test_what_label_converted_is_refused(sepiad, files, studies, monkeypatch):
    chain = Chain(sepiad)
    monkeypatch.setenv("MONAI_LABEL_STUDIES", studies)
    by_kind = {"".join(path.suffixes): path for path in files}
    for suffix in (".nii", ".nii.gz"):
        with pytest.raises(ConfigError, match="label-app"):
            chain(by_kind[suffix])
    assert chain(by_kind[".dcm"])["result"]["status"] == "scored"
    monkeypatch.setenv("MONAI_LABEL_STUDIES", "/studies")
    assert chain(by_kind[".nii"])["result"]["status"] == "scored"


def test_a_cine_is_scored_where_one_frame_is_what_the_detector_takes(sepiad, tmp_path):
    cine = np.stack([make_gray(seed=seed) for seed in range(4)])
    path = Path(save(tmp_path / "cine.dcm", make_dataset(cine)))
    model = sepiad / "models" / "model.pt"
    trained_for = ma.load(model, device="cpu").frames
    assert trained_for == "middle"
    answer = Chain(sepiad)(path)["result"]
    assert answer["frame"] == 2 and answer["score"] == pytest.approx(ma.load(model, device="cpu").score(path).score)
    with pytest.raises(ConfigError, match="hands over frame 1 alone"):
        Chain(sepiad)(path, frame=1)
    config = sepiad / "configs" / "inference.json"
    config.write_text(config.read_text().replace("\"$@spec['data']['frames']\"", '"all"'))
    with pytest.raises(ConfigError, match="has 4 frames, of which this detector's score takes 4 by the rule 'all'"):
        Chain(sepiad)(path)


def test_a_file_that_cannot_be_read_says_why(sepiad, tmp_path):
    path = tmp_path / "a.png"
    path.write_text("no picture")
    with pytest.raises(ImageReadError):
        Chain(sepiad)(path)


def test_metadata_name_labels_shortly(folder):
    metadata = json.loads((folder / "configs" / "metadata.json").read_text())
    (output,) = metadata["network_data_format"]["outputs"].values()
    assert output["channel_def"] == {"0": "background", "1": "anomaly"}
    assert not [word for word in ("deepedit", "deepgrow", "detection", "classification") if word in folder.name]
