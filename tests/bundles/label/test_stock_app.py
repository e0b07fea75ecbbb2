# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

"""Trained bundles in MONAI Label's own app for bundles, behind its real server."""

from __future__ import annotations

import gzip
import io
import os
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest
from PIL import Image
from pydicom import dcmread

import monai_anomaly as ma
from monai_anomaly.scoring.map_encoders import map_to_indices
from tests.helpers.dicom_files import make_dataset, save
from tests.helpers.label_apps import AFFINE, WRITERS, put_bundle, put_calibration, write_files
from tests.helpers.label_server import LabelServer, label_environment
from tests.helpers.orthanc import Orthanc, needs_orthanc
from tests.helpers.pictures import make_gray

pytestmark = [pytest.mark.label, pytest.mark.usefixtures("at_root")]

BUNDLES = ("sepiad", "simsid", "ocad", "sagan", "embedding", "consensus")
FLAT = (".png", ".jpg", ".bmp", ".tif")
EACH = 16
"""Files of every kind that one bundle scores; the others score the first two."""


@dataclass(frozen=True)
class App:
    """The server, the folder of its bundles, and the files to send."""

    server: LabelServer
    bundles: Path
    files: list[Path]

    def model(self, bundle: str) -> Path:
        return self.bundles / bundle / "models" / "model.pt"


@pytest.fixture(scope="module")
def app(examples, tmp_path_factory) -> Iterator[App]:
    """Every bundle, trained and calibrated, in an app that MONAI Label copied out; trainers are not left out."""
    folder, environment = tmp_path_factory.mktemp("label"), label_environment()
    variables = {**os.environ, "PATH": f"{environment / 'bin'}{os.pathsep}{os.environ['PATH']}"}
    command = [environment / "bin" / "monailabel", "apps", "--download", "--name", "monaibundle", "--output", folder]
    subprocess.run(command, check=True, env=variables, capture_output=True)
    files = write_files(folder / "files", EACH)
    (folder / "studies").mkdir()
    for bundle in BUNDLES:
        put_bundle(folder / "monaibundle", examples(bundle))
        put_calibration(folder / "monaibundle" / "model" / bundle / "models" / "model.pt", files[::EACH])
    conf = {"models": ",".join(BUNDLES)}
    with LabelServer(environment, folder / "monaibundle", folder / "studies", conf) as server:
        yield App(server, folder / "monaibundle" / "model", files)


def read_map(name: str, content: bytes) -> np.ndarray:
    """Return a map, ``(rows, columns)``, as a reader that is not MONAI Label's sees the file."""
    if name.endswith(FLAT):
        image = Image.open(io.BytesIO(content))
        assert image.format == "PNG" and image.mode == "L"
        return np.asarray(image)
    stored = nib.Nifti1Image.from_bytes(gzip.decompress(content))
    assert stored.get_data_dtype() == np.uint8 and stored.shape[2:] == (1,)
    if ".nii" in name:
        np.testing.assert_allclose(stored.affine, AFFINE, atol=1e-5)
    return np.asarray(stored.dataobj)[..., 0].T


def test_every_bundle_is_offered_with_its_weights_alone(app):
    told = app.server.get("/info/")
    assert told["labels"] == ["anomaly"] and set(told["models"]) == set(BUNDLES)
    for bundle, model in told["models"].items():
        assert (app.bundles / bundle / "models" / "checkpoint.pt").is_file()
        assert model["type"] == "segmentation" and model["dimension"] == 2 and model["labels"] == {"anomaly": 1}
        assert model["config"]["model_filename"] == ["model.pt"]


@pytest.mark.parametrize("bundle", BUNDLES)
@pytest.mark.parametrize("kind", WRITERS)
def test_score_and_map_are_those_of_load(app, bundle, kind, record_property):
    paths = [path for path in app.files if path.name.partition(".")[2] == kind]
    paths = paths[: EACH if bundle == "sepiad" else 2]
    detector, differences = ma.load(app.model(bundle), device="cpu"), []
    for path in paths:
        said, image = app.server.ask(bundle, path)
        expected = detector.score(path)
        differences.append(abs(said["score"] - expected.score))
        assert said["p_value"] == expected.p_value and said["decision"] == expected.decision
        assert said["decision_reason"] == expected.decision_reason and said["label_names"] == {"anomaly": 1}
        levels = read_map(path.name, image)
        assert levels.shape == expected.picture.shape[1:]
        np.testing.assert_array_equal(levels, map_to_indices(expected.map_on_source, expected.map_range))
    record_property("largest difference", max(differences))
    print(f"largest difference of {len(paths)} {kind} by {bundle}: {max(differences):.3g}")
    assert max(differences) <= 1e-5


def test_a_region_is_what_a_request_chooses(app):
    path = app.files[0]
    result = ma.load(app.model("sepiad"), device="cpu").score(path)
    region = read_map(path.name, app.server.ask("sepiad", path, map_kind="region")[1])
    np.testing.assert_array_equal(region, result.map_on_source >= np.float32(result.threshold))


def test_what_cannot_be_right_has_no_score_and_its_sentence_in_the_log(app, tmp_path):
    broken = tmp_path / "broken.png"
    broken.write_bytes(app.files[0].read_bytes()[:200])
    assert app.server.infer("sepiad", broken).status_code == 500
    assert app.server.says("ImageReadError")
    assert app.server.infer("sepiad", app.files[0], model_filename="checkpoint.pt").status_code == 500
    assert app.server.says("model_filename must be model.pt")


def test_a_cine_is_scored_by_its_middle_frame(app, tmp_path):
    cine = np.stack([make_gray(seed=seed) for seed in range(5)])
    path = Path(save(tmp_path / "cine.dcm", make_dataset(cine)))
    said, image = app.server.ask("sepiad", path)
    expected = ma.load(app.model("sepiad"), device="cpu").score(path)
    assert said["score"] == pytest.approx(expected.score, abs=1e-5, rel=0) and said["frame"] == 2
    assert read_map(path.name, image).shape == cine.shape[1:]


@needs_orthanc
def test_what_label_made_of_a_pacs_image_is_refused_and_the_image_itself_is_not(app, tmp_path):
    picture = next(path for path in app.files if path.suffix == ".dcm")
    tools = app.bundles.parent / "bin"
    tools.mkdir(exist_ok=True)
    (tools / "itkimage2segimage").touch()  # which MONAI Label would download
    variables = {
        "MONAI_LABEL_DICOMWEB_SEARCH_FILTER": '{"Modality": "US"}',
        "MONAI_LABEL_DICOMWEB_CACHE_PATH": str(tmp_path / "cache"),
        **dict.fromkeys(("NO_PROXY", "no_proxy"), "127.0.0.1"),
    }
    conf = {"models": "sepiad", "skip_trainers": "true"}
    with Orthanc() as pacs:
        pacs.upload(picture.read_bytes())
        series = str(dcmread(picture, stop_before_pixels=True).SeriesInstanceUID)
        with LabelServer(label_environment(), app.bundles.parent, pacs.dicom_web, conf, variables) as server:
            request = {"params": '{"device": "cpu"}'}
            answer = server.session.post(f"{server.url}/infer/sepiad", params={"image": series}, data=request)
            assert answer.status_code == 500
            assert server.says("MONAI Label made this NIfTI file of a DICOM file")
            said, _ = server.ask("sepiad", picture)
    assert said["score"] == ma.load(app.model("sepiad"), device="cpu").score(picture).score
