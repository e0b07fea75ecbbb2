# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

import copy
import math
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from sklearn.ensemble import IsolationForest
from sklearn.metrics import roc_auc_score

import monai_anomaly as ma
from monai_anomaly.bundle import TrainedDetector
from monai_anomaly.data.errors import DataListError, ImageReadError
from monai_anomaly.data.lists.datalist import load_datalist
from monai_anomaly.data.picture_facts import picture_facts
from monai_anomaly.transforms.preprocessing import Preprocessing
from monai_anomaly.transforms.source_map import map_on_source
from monai_anomaly.utils.exceptions import CalibrationError
from monai_anomaly.utils.identity import keyed_hash, site_key
from tests.helpers.dicom_files import make_dataset, make_region, save
from tests.helpers.doors import calibrate, write_model

RNG = np.random.default_rng(0)
GRAY = RNG.integers(0, 256, (9, 40, 56), dtype=np.uint8)


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    return write_model(tmp_path_factory.mktemp("model"), guard=False)


@pytest.fixture(scope="module")
def detector(model):
    return ma.load(model, device="cpu")


@pytest.fixture(scope="module")
def pictures(tmp_path_factory):
    """Files of the same pictures: a folder with PNGs, and one with a file that is none among them."""
    folder = tmp_path_factory.mktemp("pictures")
    for number, gray in enumerate(GRAY):
        Image.fromarray(gray).save(folder / f"{number}.png")
    return folder


def test_a_score_is_that_of_the_network(detector, model, pictures):
    result = detector.score(pictures / "0.png")
    trained = TrainedDetector.read(model)
    image = trained.preprocessing({"image": str(pictures / "0.png")})["image"]
    with torch.no_grad():
        expected = trained.detector(image[None])[0, 0]
        reconstruction = trained.detector.reconstruct(image[None])[0]
    np.testing.assert_allclose(result.anomaly_map, expected, rtol=1e-4, atol=1e-5)
    assert result.score == float(result.anomaly_map.mean(dtype=np.float64))
    np.testing.assert_array_equal(result.image, image)
    np.testing.assert_allclose(result.reconstruction, reconstruction, rtol=1e-4, atol=1e-5)
    assert result.map_range == (0.0, 2.0) and result.status == "scored" and result.decision == "uncalibrated"


def test_every_form_of_a_picture_has_the_same_result(detector, pictures, tmp_path):
    gray = GRAY[0]
    path = save(tmp_path / "a.dcm", make_dataset(gray))
    forms = [
        str(pictures / "0.png"),
        pictures / "0.png",
        path,
        gray,
        gray[None],
        torch.from_numpy(gray),
        Image.fromarray(gray),
        make_dataset(gray),
    ]
    first, *others = results = [detector.score(form) for form in forms]
    digests = [result.input_digest for result in results]
    assert digests[0] == digests[1] != digests[2] and digests[3:] == [None] * 5
    same = {"image": "", "frame": 0, "input_digest": ""}
    for other in others:
        assert other.record() | same == first.record() | same
        np.testing.assert_array_equal(other.anomaly_map, first.anomaly_map)
        np.testing.assert_array_equal(other.picture, first.picture)


def test_pictures_that_go_when_the_next_is_asked_for_are_read_before(model, pictures, tmp_path, monkeypatch):
    detector, sizes, ahead = ma.load(model, device="cpu", batch_size=4), [], Preprocessing.reading_ahead

    def note(self, items):
        sizes.append(len(items))
        return ahead(self, items)

    monkeypatch.setattr(Preprocessing, "reading_ahead", note)

    def one_by_one():
        for path in sorted(pictures.glob("*.png")):
            copied = tmp_path / path.name
            copied.write_bytes(path.read_bytes())
            yield copied
            copied.unlink()

    scores = [result.score for result in detector.score(one_by_one())]
    assert set(sizes) == {1} and not list(tmp_path.iterdir())
    sizes.clear()
    assert [result.score for result in detector.score(sorted(pictures.glob("*.png")))] == scores
    assert sizes[:3] == [4, 4, 1]
    sizes.clear()
    assert [result.score for result in detector.score(pictures) if result.score is not None] == scores
    assert sizes[0] == 4


def test_many_give_an_iterator_in_order(detector, pictures, capfd):
    alone = [detector.score(pictures / f"{number}.png").score for number in range(9)]
    paths = sorted(pictures.iterdir())
    for many in (paths, tuple(paths), iter(paths), pictures, list(GRAY), (Image.fromarray(gray) for gray in GRAY)):
        results = detector.score(many, progress=False)
        assert next(results).score == alone[0]
        assert [result.score for result in results] == alone[1:]
    assert [result.name for result in detector.score(str(pictures))] == [f"{number}.png" for number in range(9)]
    assert capfd.readouterr().err == ""  # no terminal, no bar
    list(detector.score(paths, progress=True))
    assert "scoring: 100%" in capfd.readouterr().err
    assert list(detector.score([])) == []


def test_no_more_than_a_batch_is_read_ahead(model):
    read = []

    def stream():
        for number in range(9):
            read.append(number)
            yield GRAY[number]

    results = ma.load(model, batch_size=2).score(stream())
    assert read == []
    next(results)
    assert read == [0, 1]
    next(results), next(results)
    assert read == [0, 1, 2, 3]


def test_one_bad_picture_is_an_error_and_one_among_many_a_result(detector, pictures, tmp_path):
    (tmp_path / "bad.png").write_bytes((pictures / "0.png").read_bytes()[:300])
    floats = GRAY[0] / 255
    for bad, code in (
        (tmp_path / "bad.png", "truncated"),
        (tmp_path / "none.png", "not_found"),
        (floats, "unknown_range"),
        (np.full((40, 40), math.nan), "non_finite"),
        (GRAY[0][:4], "too_small"),
    ):
        with pytest.raises(ImageReadError) as caught:
            detector.score(bad)
        assert caught.value.code == code
        good, rejected, last = detector.score([GRAY[0], bad, GRAY[1]])
        assert (rejected.status, rejected.code, rejected.score) == ("rejected", code, None)
        assert good.score == detector.score(GRAY[0]).score and last.status == "scored"
        with pytest.raises(ValueError, match="was rejected"):
            rejected.overlay()
        assert repr(rejected).startswith(f"Result(rejected: {code}: ")
    with pytest.raises(DataListError):
        (tmp_path / "empty").mkdir()
        detector.score(tmp_path / "empty")


@pytest.mark.parametrize("thing", [b"bytes", 3, None, {"image": "a.png"}])
def test_what_is_no_picture_is_refused(detector, thing):
    with pytest.raises(TypeError, match="a path, an array, a tensor, an image of Pillow"):
        detector.score(thing)
    if thing != {"image": "a.png"}:
        with pytest.raises(TypeError, match="must be a path, an array"):
            list(detector.score([thing]))


def test_a_range_is_for_arrays_alone(detector, pictures):
    assert detector.score(GRAY[0] / 255, value_range=(0, 1)).score == pytest.approx(detector.score(GRAY[0]).score)
    for other in (pictures / "0.png", Image.fromarray(GRAY[0]), make_dataset(GRAY[0])):
        with pytest.raises(ValueError, match="value_range is for arrays"):
            detector.score(other, value_range=(0, 1))


def test_a_map_lies_where_the_picture_was_cut_out(detector, tmp_path):
    region = [make_region((12, 5, 49, 34))]
    result = detector.score(save(tmp_path / "a.dcm", make_dataset(GRAY[0], SequenceOfUltrasoundRegions=region)))
    assert (result.source_shape, result.box) == ((40, 56), (12, 5, 50, 35))
    lies = result.map_on_source
    np.testing.assert_array_equal(lies, map_on_source(result.anomaly_map, (40, 56), (12, 5, 50, 35)))
    assert np.isfinite(lies[5:35, 12:50]).all() and np.isnan(lies).sum() == 40 * 56 - 30 * 38
    np.testing.assert_allclose(result.picture[0], GRAY[0] / 255, atol=1e-6)
    overlay = np.asarray(result.overlay())
    assert overlay.shape == (40, 56, 3)
    np.testing.assert_array_equal(overlay[-1, 0], [GRAY[0][-1, 0]] * 3)  # outside the cut the picture is as it was


def test_the_frames_of_a_cine_make_one_result(model, tmp_path):
    path, cine = save(tmp_path / "cine.dcm", make_dataset(GRAY)), make_dataset(GRAY)
    scores = [ma.load(model).score(gray).score for gray in GRAY]
    for thing in (path, cine):
        result = ma.load(model, frames="every:2", aggregate="mean", batch_size=2).score(thing)
        assert result.frames == (0, 2, 4, 6, 8) and result.frame_scores == tuple(scores[::2])
        assert result.score == pytest.approx(np.mean(scores[::2]))
        assert result.frame == 2 * int(np.argmax(scores[::2]))
        np.testing.assert_allclose(result.picture[0], GRAY[result.frame] / 255, atol=1e-6)
        assert ma.load(model).score(thing).frame == 4  # the middle, as the training has it


def test_a_network_that_fails_on_an_image_is_one_failed_result(model, monkeypatch):
    detector = ma.load(model, device="cpu")
    forward, seen = type(detector.trained.detector).anomaly_map, detector.score(GRAY[1]).image

    def fail(self, image):
        if any(np.array_equal(one, seen) for one in image.numpy()):
            raise RuntimeError("too little memory\nsecond line")
        return forward(self, image)

    good = detector.score(GRAY[0]).score
    monkeypatch.setattr(type(detector.trained.detector), "anomaly_map", fail)
    results = list(detector.score(list(GRAY[:3])))
    assert [result.status for result in results] == ["scored", "failed", "scored"]
    assert results[0].score == good and results[1].reason == "RuntimeError: too little memory"
    with pytest.raises(RuntimeError, match="too little memory"):
        detector.score(GRAY[1])
    with pytest.raises(RuntimeError, match="sample 1: RuntimeError: too little memory"):
        detector.score_samples(GRAY[:3])


def test_the_decision_has_the_calibrations_threshold_and_the_guards_say(tmp_path):
    path = write_model(tmp_path)
    scores = ma.load(path).score_samples(GRAY[:8])
    calibration = calibrate(path, -scores, groups=range(8))
    detector = ma.load(path, false_alarm_rate=0.25)
    for gray, score in zip(GRAY, [*-scores, None], strict=True):
        result = detector.score(gray)
        assert result.threshold == calibration.threshold(0.25) == detector.threshold
        if score is not None:
            assert result.score == score and result.p_value == calibration.p_value(score)
            assert result.decision == ("anomalous" if score >= detector.threshold else "normal")
    blank = detector.score(np.zeros((64, 64), np.uint8))
    assert blank.decision == "not_applicable" and "it is blank" in blank.decision_reason
    unguarded = ma.load(path, false_alarm_rate=0.25, guard=False)
    assert unguarded.score(np.zeros((64, 64), np.uint8)).decision in ("normal", "anomalous")
    predicted = detector.predict([*GRAY, np.zeros((64, 64), np.uint8)])
    decisions = [detector.score(gray).decision for gray in GRAY]
    assert predicted.tolist() == [1 if decision == "normal" else -1 for decision in decisions] + [-1]
    assert predicted.dtype.kind == "i"


def test_samples_are_scored_as_scikit_learn_has_it(detector):
    scores = np.asarray([result.score for result in detector.score(list(GRAY))])
    for samples in (GRAY, GRAY[:, None], torch.from_numpy(GRAY), list(GRAY)):
        np.testing.assert_array_equal(detector.score_samples(samples), -scores)
    labels = (scores > np.median(scores)).astype(int)
    assert roc_auc_score(labels, -detector.score_samples(GRAY)) == 1.0
    points = np.r_[RNG.normal(0, 0.1, (50, 2)), [[9.0, 9.0]]]
    forest = IsolationForest(random_state=0).fit(points)  # the convention: an outlier's score is low, its class -1
    assert forest.score_samples(points).argmin() == 50 and forest.predict(points)[-1] == -1
    with pytest.raises(CalibrationError, match="predict needs a calibration"):
        detector.predict(GRAY)
    with pytest.raises(ImageReadError, match="sample 1: an array of float64"):
        detector.score_samples([GRAY[0], GRAY[1] / 255])
    with pytest.raises(TypeError, match="samples are many"):
        detector.score_samples("a.png")


def test_a_result_travels_without_its_detector(detector):
    result = detector.score(GRAY[0])
    copied = copy.deepcopy(result)  # as a process gets it that another one scores for
    assert copied == result and copied.origin is None
    np.testing.assert_array_equal(copied.map_on_source, result.map_on_source)
    with pytest.raises(ValueError, match="this is a copy"):
        copied.overlay()


def test_no_name_is_printed(detector, pictures, tmp_path):
    path = tmp_path / "ZZCANARY_JANE.dcm"
    save(path, make_dataset(GRAY[0]))
    result = detector.score(path)
    assert "CANARY" not in f"{result}{result!r}" and result.name == str(path)


def test_a_result_has_the_numbers_of_its_picture_and_hashes_of_device_and_patient(detector, tmp_path):
    header = {"StationName": "ROOM7", "PatientID": "ZZ17"}
    path = save(tmp_path / "a.dcm", make_dataset(GRAY[0], **header))
    result = detector.score(path)
    facts = picture_facts(detector.trained.preprocessing.reader.read(path).pixels)
    assert dict(result.facts) == pytest.approx(facts) and facts["gray_mean"] > 0.3
    assert result.device == keyed_hash("\\\\\\ROOM7", site_key(), "device")
    assert result.patient == keyed_hash("ZZ17", site_key(), "patient")
    record = result.record()
    assert record["device"] == result.device and record["patient"] == result.patient
    assert record["facts"] == result.facts and "ROOM7" not in str(record)
    assert detector.score(GRAY[0]).device is None


def test_the_items_of_a_data_list_give_what_their_files_give(detector, pictures):
    items = load_datalist(pictures, "inference")
    named = list(detector.score_items(items))
    assert [result.name for result in named] == [item["name"] for item in items]
    assert [result.score for result in named] == [result.score for result in detector.score(pictures)]


def test_a_kept_picture_is_not_decoded_again_and_is_the_same(model, tmp_path):
    path = Path(save(tmp_path / "cine.dcm", make_dataset(GRAY)))
    items = [{"image": str(path), "name": "cine"}]
    keeping, other = (ma.load(model, device="cpu", frames="all") for _ in range(2))
    keeping.keep_pictures(GRAY.size * 4)
    (result,), (expected,) = keeping.score_items(items), other.score_items(items)
    decoded = expected.picture
    kept = tmp_path / "gone.dcm"
    path.rename(kept)
    np.testing.assert_array_equal(result.picture, decoded)
    kept.rename(path)
    np.testing.assert_array_equal(result.picture, decoded)  # given once: this one was read again
