# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from monai_anomaly.apps.label.benchmark import make_benchmark
from monai_anomaly.apps.label.score_studies import score_studies
from monai_anomaly.apps.label.verdicts import Verdict, check_verdict, find_verdicts
from monai_anomaly.bundle.loading import load
from monai_anomaly.data.lists.datalist import load_datalist
from monai_anomaly.utils.exceptions import ConfigError
from tests.helpers.doors import calibrate, write_model
from tests.helpers.label_studies import FakeStudies


@pytest.fixture(scope="module")
def detector(tmp_path_factory):
    path = write_model(tmp_path_factory.mktemp("model"))
    calibrate(path)
    return load(path, decode_limit=None, device="cpu")


def spot(rows=64, columns=64):
    mask = np.zeros((rows, columns), np.uint8)
    mask[20:30, 20:30] = 255
    return mask


def test_a_verdict_is_what_was_said_or_else_what_is_marked(tmp_path):
    studies = FakeStudies(tmp_path / "studies", 6)
    studies.say("s00", spot())
    studies.say("s01", np.zeros((64, 64), np.uint8))
    studies.say("s02", spot(), verdict="normal")
    studies.say("s03", verdict="abnormal")
    studies.say("s04", b"no picture")
    verdicts, unreadable = find_verdicts(studies)
    mask = Path(studies.get_label_uri("s00", "final"))
    assert verdicts == {
        "s00": Verdict(1, mask, (64, 64)),
        "s01": Verdict(0),
        "s02": Verdict(0),
        "s03": Verdict(1),
    }
    assert unreadable == 1
    studies.say("s04", b"no picture", verdict="abnormal")
    assert find_verdicts(studies) == (verdicts | {"s04": Verdict(1)}, 0)


def test_another_word_is_refused():
    assert (check_verdict({}), check_verdict({"verdict": "normal"})) == (None, "normal")
    with pytest.raises(ConfigError, match="verdict must be normal or abnormal, got 'benign'; the label was not saved"):
        check_verdict({"verdict": "benign"})


def test_verdicts_measure_a_detector_and_are_a_data_list(tmp_path, detector):
    studies = FakeStudies(tmp_path / "studies", 12)
    score_studies(detector, studies)
    FakeStudies(tmp_path / "studies", 14)  # two more, without a score
    truth = {f"s{number:02d}": int(number % 3 == 0) for number in range(13)}
    for image, label in truth.items():
        studies.say(image, verdict=("normal", "abnormal")[label])
    answer = make_benchmark(detector, studies, name="mine", learned={"s11"})
    measured = [f"s{number:02d}" for number in range(11)]
    scores = [detector.score(studies.home / f"{image}.png").score for image in measured]
    expected = roc_auc_score([truth[image] for image in measured], scores)
    assert answer["metrics"]["auroc"] == pytest.approx(expected)
    assert (answer["normal"], answer["abnormal"], answer["reason"]) == (7, 4, "")
    assert answer["left_out"] == {"the detector has learned from it": 1, "there is no score": 1}
    written = json.loads((studies.home / "anomaly" / "benchmark" / "metrics-mine.json").read_text())
    assert written["metrics"] == answer["metrics"]

    items = load_datalist(answer["dataset_dir"], "test", allow_outside=studies.home, require_both=True)
    assert {Path(item["image"]).stem: item["label"] for item in items} == truth
    assert not any("mask" in item for item in items)


def test_masks_are_listed_where_all_abnormal_images_have_one_of_their_size(tmp_path, detector):
    studies = FakeStudies(tmp_path / "studies", 4)
    score_studies(detector, studies)
    studies.say("s00", spot())
    studies.say("s01", spot())
    studies.say("s02", verdict="normal")

    def masks():
        folder = make_benchmark(detector, studies, name="mine")["dataset_dir"]
        return [Path(i["mask"]).stem for i in load_datalist(folder, "test", allow_outside=studies.home) if "mask" in i]

    assert masks() == ["s00", "s01", ""]
    studies.say("s01", spot(32, 32))
    assert masks() == []


def test_one_verdict_alone_is_no_benchmark(tmp_path, detector):
    studies = FakeStudies(tmp_path / "studies", 2)
    score_studies(detector, studies)
    studies.say("s00", verdict="normal")
    answer = make_benchmark(detector, studies, name="mine")
    assert answer["metrics"] is None and "both verdicts" in answer["reason"]
