# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

import json

import pytest
from PIL import Image

from monai_anomaly.apps.label.score_store import rules_of
from monai_anomaly.apps.label.score_studies import score_studies, store_of
from monai_anomaly.bundle.loading import load
from monai_anomaly.data.errors import ImageReadError
from tests.helpers.doors import calibrate, write_model
from tests.helpers.label_studies import FakeStudies
from tests.helpers.pictures import make_gray


@pytest.fixture(scope="module")
def detector(tmp_path_factory):
    path = write_model(tmp_path_factory.mktemp("model"))
    calibrate(path)
    return load(path, decode_limit=None, device="cpu")


def test_all_images_are_scored_and_a_broken_one_is_said(tmp_path, detector):
    studies = FakeStudies(tmp_path / "studies", 3)
    (studies.home / "broken.png").write_bytes((studies.home / "s00.png").read_bytes()[:200])
    done = score_studies(detector, studies)
    assert done.pop("seconds") >= 0
    assert done == {"images": 4, "kept": 0, "scored": 3, "rejected": 1, "failed": 0, "reasons": {"truncated": 1}}
    records = store_of(studies, detector).records()
    for name in ("s00", "s01", "s02"):
        expected = detector.score(studies.home / f"{name}.png")
        assert (records[name]["score"], records[name]["decision"]) == (expected.score, expected.decision)
    assert records["broken"]["status"] == "rejected" and records["broken"]["score"] is None
    assert not {"image", "map", "overlay"} & records["s00"].keys()


def test_a_scoring_that_was_killed_goes_on_after_the_last_whole_line(tmp_path, detector):
    studies = FakeStudies(tmp_path / "studies", 4)
    score_studies(detector, studies)
    store = store_of(studies, detector)
    lines = store.path.read_bytes().splitlines(keepends=True)
    store.path.write_bytes(b"".join(lines[:2]) + lines[2][:30])
    assert sorted(store.records()) == ["s00", "s01"]
    done = score_studies(detector, studies)
    assert (done["kept"], done["scored"]) == (2, 2)
    parsed = [json.loads(line) for line in store.path.read_bytes().splitlines() if line != lines[2][:30]]
    assert [entry["image"] for entry in parsed] == ["s00", "s01", "s02", "s03"]
    assert sorted(store.records()) == ["s00", "s01", "s02", "s03"]


def test_a_file_that_changed_is_scored_again_and_another_calibration_scores_all(tmp_path, detector):
    studies = FakeStudies(tmp_path / "studies", 2)
    score_studies(detector, studies)
    Image.fromarray(make_gray(70, 64, seed=9)).save(studies.home / "s01.png")
    assert score_studies(detector, studies)["scored"] == 1
    assert store_of(studies, detector).records()["s01"]["source_shape"] == [70, 64]
    assert score_studies(detector, studies, again=True)["scored"] == 2
    other = load(detector.trained.path, false_alarm_rate=0.2, decode_limit=None, device="cpu")
    assert rules_of(other) != rules_of(detector)
    assert score_studies(other, studies)["scored"] == 2


def test_an_image_that_cannot_be_had_is_tried_again(tmp_path, detector, monkeypatch):
    studies = FakeStudies(tmp_path / "studies", 2)

    def unreachable(image):
        raise ImageReadError("budget", "too large.") if image == "s00" else ConnectionError("http://secret")

    with monkeypatch.context() as patch:
        patch.setattr(studies, "get_image_uri", unreachable)
        done = score_studies(detector, studies)
    assert (done["failed"], done["reasons"]) == (2, {"budget": 1, "unavailable": 1})
    records = store_of(studies, detector).records()
    assert records["s00"]["reason"] == "too large."
    assert records["s01"]["reason"] == "the image could not be had (ConnectionError)."
    assert score_studies(detector, studies)["scored"] == 2


def test_of_a_series_the_highest_score_counts_and_other_objects_do_not(tmp_path, detector):
    studies = FakeStudies(tmp_path / "studies")
    series = studies.home / "series"
    series.mkdir()
    for number in range(3):
        Image.fromarray(make_gray(64, 64 + number, seed=number)).save(series / f"{number}.png")
    (series / "report.dcm").write_bytes(b"no picture")
    (studies.home / "empty").mkdir()
    score_studies(detector, studies)
    records = store_of(studies, detector).records()
    scores = [detector.score(series / f"{number}.png").score for number in range(3)]
    assert records["series"]["score"] == max(scores) and records["series"]["image_scores"] == scores
    assert records["series"]["images"] == 3
    assert records["series"]["source_shape"] == [64, 64 + scores.index(max(scores))]
    assert (records["empty"]["status"], records["empty"]["code"]) == ("rejected", "not_found")
