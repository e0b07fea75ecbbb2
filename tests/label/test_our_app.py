# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

import gzip
import io
import json
import re
import time
from email import message_from_bytes
from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np
import pytest
import requests
from PIL import Image
from pydicom import dcmread
from pydicom.data import get_testdata_file
from sklearn.metrics import roc_auc_score

import monai_anomaly as ma
from monai_anomaly.apps.command.main import main
from tests.helpers.doors import calibrate, write_model
from tests.helpers.label_server import LabelServer, label_environment
from tests.helpers.orthanc import Orthanc, needs_orthanc
from tests.helpers.pictures import make_gray
from tests.helpers.recipes import TINY
from tests.helpers.sixteen_pictures import write_pictures

pytestmark = pytest.mark.label

COUNT = 200
LIMIT = 600.0


@pytest.fixture(scope="module")
def place(tmp_path_factory) -> Path:
    """A folder with the app, a detector, studies, one of them broken, and sixteen files to send."""
    folder = tmp_path_factory.mktemp("label")
    assert main(["label-app", str(folder / "app")]) == 0
    for name in ("model", "studies", "files"):
        (folder / name).mkdir()
    calibrate(write_model(folder / "model"))
    assert main(["export", str(folder / "model" / "model.pt"), str(folder / "model" / "model.pt2")]) == 0
    random = np.random.default_rng(5)
    for number in range(COUNT):
        pixels = make_gray(64, 64, seed=number) * random.uniform(0.3, 1.0)
        Image.fromarray(pixels.astype(np.uint8)).save(folder / "studies" / f"s{number:03d}.png")
    whole = (folder / "studies" / "s000.png").read_bytes()
    (folder / "studies" / "broken.png").write_bytes(whole[: len(whole) // 2])
    write_pictures(folder / "files")
    return folder


@pytest.fixture(scope="module")
def detector(place) -> ma.AnomalyDetector:
    return ma.load(place / "model")


@pytest.fixture(scope="module")
def server(place):
    conf = {"models": f"mine={place / 'model' / 'model.pt'},program={place / 'model' / 'model.pt2'}"}
    with LabelServer(label_environment(), place / "app", place / "studies", conf) as server:
        yield server


def wait(server: LabelServer, path: str) -> dict[str, Any]:
    """Return the last task of a kind when it has ended."""
    end = time.monotonic() + LIMIT
    while (task := server.get(path))["status"] in ("SUBMITTED", "RUNNING") and time.monotonic() < end:
        time.sleep(1)
    return task


def post(server: LabelServer, path: str, **body: Any) -> requests.Response:
    return server.session.post(server.url + path, json=body, timeout=LIMIT)


def parts(answer: requests.Response) -> tuple[dict[str, Any], str, bytes]:
    """Return the record, and name and content of the map."""
    assert answer.status_code == 200, answer.text
    head = f"Content-Type: {answer.headers['content-type']}\r\n\r\n".encode()
    found = message_from_bytes(head + answer.content).get_payload()
    fields = {part.get_param("name", header="content-disposition"): part for part in found}
    image = fields["image"]
    return json.loads(fields["params"].get_payload(decode=True)), image.get_filename(), image.get_payload(decode=True)


def test_sixteen_files_have_the_scores_of_the_package_and_maps_of_their_own_size(server, place, detector):
    files = sorted((place / "files").iterdir())
    assert len(files) == 16
    for file in files:
        expected = detector.score(file)
        record, name, content = parts(server.infer("mine", file))
        assert record["score"] == pytest.approx(expected.score, abs=1e-5), file.name
        assert record["p_value"] == pytest.approx(expected.p_value) and record["decision"] == expected.decision
        assert record["applicable"] is (expected.decision != "not_applicable")
        if name.endswith(".png"):
            levels = np.asarray(Image.open(io.BytesIO(content)))
        else:
            volume = nib.Nifti1Image.from_bytes(gzip.decompress(content))
            assert volume.get_data_dtype() == np.uint8
            levels = np.asarray(volume.dataobj)[..., 0].T
        assert levels.shape == expected.source_shape and levels.dtype == np.uint8
        x0, y0, x1, y1 = expected.box
        assert levels[y0:y1, x0:x1].min() >= 1


def test_an_export_has_the_scores_of_its_checkpoint(server, place, detector):
    for name in ("gray.png", "slice.nii.gz", "examples_rgb_color.dcm"):
        expected = detector.score(place / "files" / name)
        record = server.infer("program", place / "files" / name, output="json").json()
        assert record["score"] == pytest.approx(expected.score, abs=1e-5)
        assert (record["model"], record["decision"]) == ("program", expected.decision)


def test_a_nifti_files_map_lies_where_it_lies_and_regions_are_a_label(server, place, detector):
    file = place / "files" / "slice.nii.gz"
    result = detector.score(file)
    _, name, content = parts(server.infer("mine", file, map_kind="region"))
    assert name.endswith(".nii.gz")
    volume = nib.Nifti1Image.from_bytes(gzip.decompress(content))
    assert np.allclose(volume.affine, nib.load(file).affine)
    assert np.array_equal(np.asarray(volume.dataobj)[..., 0].T, result.map_on_source >= result.threshold)


def test_a_file_that_cannot_be_read_is_answered_with_the_readers_sentence(server, place):
    answer = server.infer("mine", place / "studies" / "broken.png")
    assert answer.status_code == 422 and answer.json()["detail"].startswith("truncated: ")
    wait(server, "/scoring/")  # of the server's start; MONAI Label runs one at a time
    answer = post(server, "/scoring/anomaly?run_sync=true", model="nobody")
    assert answer.status_code == 400 and "there is no detector 'nobody'" in answer.json()["detail"]


def test_all_studies_are_scored_read_by_their_scores_and_measured_by_verdicts(server, place, detector):
    assert wait(server, "/scoring/")["status"] == "DONE"  # the server begins at its start
    again = post(server, "/scoring/anomaly?run_sync=true").json()
    assert (again["images"], again["kept"], again["scored"], again["failed"]) == (COUNT + 1, COUNT + 1, 0, 0)
    infos = server.get("/datastore/?output=all")["objects"]
    records = {name: known["image"]["info"]["anomaly"]["mine"] for name, known in infos.items()}
    assert records.pop("broken")["code"] == "truncated"
    files = sorted((place / "studies").glob("s*.png"))
    expected = {file.stem: result.score for file, result in zip(files, detector.score(files), strict=True)}
    assert {name: record["score"] for name, record in records.items()} == pytest.approx(expected, abs=1e-5)

    order = sorted(expected, key=lambda name: (-records[name]["score"], name))
    empty = io.BytesIO()
    Image.fromarray(np.zeros((64, 64), np.uint8)).save(empty, "PNG")
    labels = {name: int(number < 40 or number % 9 == 0) for number, name in enumerate(order)}
    for name in order:
        sample = post(server, "/activelearning/most_anomalous").json()
        assert sample["id"] == name and sample["score"] == records[name]["score"]
        verdict = ("normal", "abnormal")[labels[name]]
        saved = save_label(server, name, empty.getvalue(), verdict=verdict)
        assert saved.status_code == 200
    assert post(server, "/activelearning/most_anomalous").json()["id"] == "broken"
    refused = save_label(server, "broken", empty.getvalue(), verdict="perhaps")
    assert refused.status_code == 400 and "verdict must be normal or abnormal" in refused.json()["detail"]

    answer = post(server, "/scoring/verdicts?run_sync=true").json()
    assert (answer["normal"], answer["abnormal"]) == (COUNT - sum(labels.values()), sum(labels.values()))
    truth = [labels[name] for name in order]
    assert answer["metrics"]["auroc"] == pytest.approx(roc_auc_score(truth, [expected[n] for n in order]))
    listed = json.loads(Path(answer["dataset_dir"], "dataset.json").read_text())["test"]
    assert {Path(entry["image"]).stem: entry["label"] for entry in listed} == labels


def save_label(server: LabelServer, image: str, content: bytes, **params: Any) -> requests.Response:
    return server.session.put(
        f"{server.url}/datastore/label",
        params={"image": image, "tag": "final"},
        data={"params": json.dumps(params)},
        files={"label": ("label.png", content)},
        timeout=LIMIT,
    )


def test_a_detector_is_trained_from_studies_without_labels_and_used_at_once(tmp_path, place):
    studies = tmp_path / "studies"
    studies.mkdir()
    for number in range(40):
        Image.fromarray(make_gray(64, 64, seed=number)).save(studies / f"t{number:02d}.png")
    assert main(["label-app", str(tmp_path / "app")]) == 0
    conf = {"bundle": "sepiad", "device": "cpu"}
    with LabelServer(label_environment(), tmp_path / "app", studies, conf) as server:
        assert server.get("/info/")["models"] == {}
        missing = server.infer("trained_here", place / "files" / "gray.png")
        assert missing.status_code == 400 and "there is no detector 'trained_here' yet" in missing.json()["detail"]
        empty, mark = (Image.fromarray(np.full((64, 64), level, np.uint8)) for level in (0, 255))
        for name, picture in (("t00", mark), ("t01", empty)):  # what a label marks is its verdict
            stream = io.BytesIO()
            picture.save(stream, "PNG")
            assert save_label(server, name, stream.getvalue()).status_code == 200
        keys = {key: value for key, value in TINY["sepiad"].items() if key != "device"}
        assert post(server, "/train/trained_here", max_minutes=1, keys=keys).status_code == 200
        task = wait(server, "/train/")
        assert task["status"] == "DONE", "\n".join(task["details"])
        info = server.get("/info/")
        stats = info["train_stats"]["trained_here"]
        used = {key: stats["images"].get(key) for key in ("used", "learned from", "held out")}
        assert used == {"used": 38, "learned from": 29, "held out": 9} and stats["stage"] == "done"
        assert stats["images"]["verdict abnormal, left out"] == stats["images"]["verdict normal, left out"] == 1
        assert stats["calibrated"] is True, stats["reason"]
        assert list(info["models"]) == ["trained_here"]
        mine = ma.load(tmp_path / "app" / "model" / "trained_here" / "0001" / "models", device="cpu")
        for file in sorted((place / "files").iterdir())[:4]:
            answer = server.infer("trained_here", file, output="json")
            assert answer.json()["score"] == pytest.approx(mine.score(file).score, abs=1e-5)


@needs_orthanc
def test_the_files_of_a_dicomweb_server_have_the_scores_of_the_files(tmp_path, place, detector):
    names = ("examples_rgb_color.dcm", "examples_ybr_color.dcm", "examples_palette.dcm", "examples_jpeg2k.dcm")
    with Orthanc() as pacs:
        contents = [Path(get_testdata_file(name, download=False)).read_bytes() for name in names]
        for content in contents:
            pacs.upload(content)
        variables = {
            "MONAI_LABEL_DICOMWEB_SEARCH_FILTER": json.dumps({"Modality": "US"}),
            "MONAI_LABEL_DICOMWEB_CACHE_PATH": str(tmp_path / "cache"),
            "NO_PROXY": "127.0.0.1",
            "no_proxy": "127.0.0.1",
        }
        assert main(["label-app", str(tmp_path / "app")]) == 0
        conf = {"models": f"mine={place / 'model' / 'model.pt'}"}
        with LabelServer(label_environment(), tmp_path / "app", pacs.dicom_web, conf, variables) as server:
            assert wait(server, "/scoring/")["status"] == "DONE"
            sample = post(server, "/activelearning/most_anomalous").json()
            scores = {}
            for uid, file in ultrasound_series(contents, tmp_path).items():
                record, _, _ = parts(infer_by_name(server, uid))
                expected = detector.score(file)
                assert record["score"] == pytest.approx(expected.score, abs=1e-5)
                assert record["decision"] == expected.decision
                scores[uid] = record["score"]
            assert len(scores) > 1 and sample["id"] == max(scores, key=lambda uid: scores[uid])
            log = server.log
        kept = [str(path.relative_to(tmp_path)) for path in (tmp_path / "cache").rglob("*")]
        assert not [path for path in kept if re.search(r"\d+\.\d+\.\d+\.\d+", path)]
        assert "Traceback" not in log


def infer_by_name(server: LabelServer, image: str) -> requests.Response:
    params = {"image": image, "output": "all"}
    return server.session.post(f"{server.url}/infer/mine", params=params, data={"params": "{}"}, timeout=LIMIT)


def ultrasound_series(contents: list[bytes], folder: Path) -> dict[str, Path]:
    """Return a file of each ultrasound series, by its UID."""
    found: dict[str, Path] = {}
    for number, content in enumerate(contents):
        header = dcmread(io.BytesIO(content), stop_before_pixels=True)
        if header.Modality == "US":
            path = folder / f"{number}.dcm"
            path.write_bytes(content)
            found[str(header.SeriesInstanceUID)] = path
    return found
