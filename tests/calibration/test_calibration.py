# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

import dataclasses
import hashlib
import json

import numpy as np
import pytest

from monai_anomaly.calibration.calibration import RATES, Calibration
from monai_anomaly.calibration.conformal import conformal_p_values, conformal_threshold, patients_needed
from monai_anomaly.calibration.decision import decide
from monai_anomaly.utils.exceptions import CalibrationError
from tests.helpers.calibrations import MODEL, SPEC, make_calibration


def write(path, calibration=None, **changes):
    """The calibration's file with changed content under a checksum that fits it."""
    (calibration or make_calibration()).save(path)
    content = json.loads(path.read_text()) | changes
    del content["checksum"]
    text = json.dumps(content, sort_keys=True, separators=(",", ":"))
    path.write_text(json.dumps(content | {"checksum": hashlib.sha256(text.encode()).hexdigest()}))
    return path


def refusal(path) -> str:
    with pytest.raises(CalibrationError) as caught:
        Calibration.load(path)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_a_file_gives_back_what_was_saved(tmp_path):
    scores = np.concatenate([np.random.default_rng(0).lognormal(size=200), [0.1, 0.1, 1 / 3, 1e-310, -5e300]])
    calibration = make_calibration(scores, np.arange(len(scores)) % 101)
    path = tmp_path / "new" / "calibration.json"
    calibration.save(path)
    assert Calibration.load(path) == calibration
    before = path.read_bytes()
    Calibration.load(path).save(path)
    assert path.read_bytes() == before
    content = json.loads(before)
    assert content["scores"] == sorted(scores) and (content["n_images"], content["n_patients"]) == (205, 101)
    assert content["thresholds"] == {f"{alpha:g}": calibration.threshold(alpha) for alpha in RATES}


def test_the_order_of_the_images_and_the_names_of_the_patients_do_not_matter(tmp_path):
    scores, groups = np.round(np.random.default_rng(3).normal(size=80), 1), np.arange(80) % 27
    random = np.random.default_rng(4)
    make_calibration(scores, groups).save(tmp_path / "a.json")
    for _ in range(10):
        order, names = random.permutation(80), random.permutation(500)
        make_calibration(scores[order], [f"p{names[g]}" for g in groups[order]]).save(tmp_path / "b.json")
        assert (tmp_path / "a.json").read_bytes() == (tmp_path / "b.json").read_bytes()


def test_p_values_thresholds_and_decisions_are_those_of_the_functions():
    calibration = make_calibration()
    scores, groups = calibration.scores, calibration.groups
    asked = np.concatenate([scores, np.nextafter(scores, 9), np.linspace(-4, 4, 50)])
    assert np.array_equal(calibration.p_values(asked), conformal_p_values(asked, scores, groups))
    assert [calibration.p_value(s) for s in asked[:5]] == calibration.p_values(asked[:5]).tolist()
    for alpha in (0.05, 0.1, 0.4):
        assert calibration.threshold(alpha) == conformal_threshold(alpha, scores, groups)
        for score in asked:
            by_p_value = "anomalous" if calibration.p_value(score) <= alpha else "normal"
            assert calibration.decide(score, alpha) == by_p_value == decide(score, calibration, alpha).decision
    assert calibration.thresholds[0.01] is None


@pytest.mark.parametrize(("n_patients", "least"), [(2, 0.3334), (9, 0.1), (19, 0.05), (30, 0.0323), (99, 0.01)])
def test_a_rate_that_the_patients_cannot_support_names_the_smallest(n_patients, least):
    calibration = make_calibration(np.arange(float(n_patients)), range(n_patients))
    assert calibration.least_rate == least
    calibration.decide(1.0, least)
    with pytest.raises(CalibrationError, match=f"needs normals of 999 patients.*{n_patients}: .* supports is {least}"):
        calibration.decide(1.0, 0.001)
    assert patients_needed(least) <= n_patients


def test_equal_scores_are_known_as_such():
    calibration = make_calibration([0.5] * 20, range(20))
    assert calibration.all_equal and not make_calibration().all_equal
    assert {calibration.p_value(s) for s in (0.4, 0.5)} == {1.0} and calibration.p_value(0.6) == 1 / 21


@pytest.mark.parametrize(
    ("scores", "groups", "sentence"),
    [
        ([], [], "there are 0 images of 0"),
        ([1.0], ["a"], "there are 1 images of 1"),
        ([1.0, 2.0, 3.0], ["a"] * 3, "there are 3 images of 1"),
        ([1.0, np.nan], ["a", "b"], "1 of 2 scores of normals are not finite"),
        ([1.0, np.inf], ["a", "b"], "1 of 2 scores of normals are not finite"),
        ([1.0, 2.0], ["a"], "needs the patient of each of 2 scores"),
    ],
)
def test_scores_that_cannot_calibrate_are_refused(scores, groups, sentence):
    with pytest.raises(CalibrationError, match=sentence):
        make_calibration(scores, groups)


@pytest.mark.parametrize("score", [np.nan, np.inf, -np.inf])
def test_a_score_that_is_not_finite_gets_no_p_value(score):
    known = make_calibration()
    for ask in (known.p_value, lambda s: known.decide(s, 0.1), lambda s: decide(s, known, 0.1)):
        with pytest.raises(ValueError, match="not finite has no p-value"):
            ask(score)


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"model_hash": "d" * 64}, "the weights are others (aaaaaaaa there, dddddddd here)"),
        ({"spec_hash": "d" * 64}, "the preprocessing or the network's settings are others"),
        ({"frames": "all"}, "frames is 'middle' there and 'all' here"),
        ({"aggregate": "mean"}, "aggregate is 'max' there and 'mean' here"),
        ({"precision": "bfloat16"}, "precision is 'float32' there and 'bfloat16' here"),
    ],
)
def test_a_calibration_of_something_else_is_refused(changes, sentence):
    own = {"model_hash": MODEL, "spec_hash": SPEC, "frames": "middle", "aggregate": "max"}
    make_calibration().require_match(**own)
    with pytest.raises(CalibrationError) as caught:
        make_calibration().require_match(**(own | changes))
    assert sentence in str(caught.value) and "Run calibrate" in str(caught.value)


def test_every_byte_that_is_changed_or_missing_is_noticed(tmp_path):
    path = tmp_path / "calibration.json"
    make_calibration(np.arange(6) / 7).save(path)
    whole = path.read_bytes()
    for size in range(len(whole) - 2):
        path.write_bytes(whole[:size])
        assert "edited" in refusal(path) or "not a calibration" in refusal(path)
    for place in range(0, len(whole), 3):
        changed = bytearray(whole)
        changed[place] = (
            ord("7") if chr(changed[place]).isdigit() and changed[place] != ord("7") else changed[place] ^ 1
        )
        path.write_bytes(bytes(changed))
        try:
            # white space, or a digit beyond a float's
            assert Calibration.load(path) == make_calibration(np.arange(6) / 7)
        except CalibrationError as error:
            assert "\n" not in str(error)


@pytest.mark.parametrize(
    ("old", "new"), [("0.5", "0.50001"), ('"middle"', '"all"'), ('"max"', '"mean"'), (" 2,", " 3,"), ("2026", "2027")]
)
def test_an_edited_file_is_refused(tmp_path, old, new):
    path = tmp_path / "calibration.json"
    make_calibration([0.25, 0.5, 0.75], "abc", counts={"refused_files": 2, "x": 1}).save(path)
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new, 1))
    assert "its checksum is not that of its content" in refusal(path)


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"scores": [0.3, 0.2, 0.1], "groups": [0, 1, 2]}, "do not follow from its scores"),
        ({"scores": [0.1, float("nan"), 0.3]}, "it is no JSON"),
        ({"scores": [0.1, "x", 0.3]}, "not that of a calibration"),
        ({"scores": [0.1, None, 0.3]}, "1 of 3 scores of normals are not finite"),
        ({"scores": 3}, "not that of a calibration"),
        ({"groups": [0, [], 2]}, "not that of a calibration"),
        ({"groups": [0, 1]}, "needs the patient of each"),
        ({"groups": [0, 0, 0]}, "needs held-out normals of at least 2 patients"),
        ({"groups": [0, 5, 9]}, "do not follow"),
        ({"thresholds": {"0.05": 0.01}}, "do not follow"),
        ({"n_patients": 300}, "do not follow"),
        ({"model_hash": "x"}, "model_hash of a calibration must be 64 hexadecimal digits"),
        ({"frames": "some"}, "not that of a calibration"),
        ({"more": 1}, "do not follow"),
        ({"version": 2}, "is of version 2 and this package reads 1"),
        ({"format": "other"}, "is not a calibration of this package"),
    ],
)
def test_senseless_content_is_refused_even_under_a_right_checksum(tmp_path, changes, sentence):
    calibration = make_calibration([0.1, 0.2, 0.3], range(3))
    assert Calibration.load(write(tmp_path / "same.json", calibration)) == calibration
    path = write(tmp_path / "calibration.json", calibration, **changes)
    assert sentence in refusal(path)


@pytest.mark.parametrize("content", [b"", b"[]", b"{}", b"null", b"\xff\xfe", b"[" * 100000, b'{"format": 1}'])
def test_foreign_files_are_refused(tmp_path, content):
    path = tmp_path / "calibration.json"
    path.write_bytes(content)
    assert "calibration" in refusal(path)


def test_a_missing_file_says_how_it_is_made(tmp_path):
    assert "run calibrate first" in refusal(tmp_path / "none.json")
    assert "run calibrate first" in refusal(tmp_path)


def test_a_calibration_cannot_be_changed():
    with pytest.raises(dataclasses.FrozenInstanceError):
        make_calibration().aggregate = "mean"


def test_the_guard_comes_before_the_threshold():
    calibration = make_calibration()
    decided = decide(99.0, calibration, 0.05, refusal="It is blank.")
    assert decided == (1 / 31, "not_applicable", "It is blank.", calibration.threshold(0.05), 0.05)
    assert decide(99.0, calibration, 0.05).decision == "anomalous"
    assert (
        "not below" in decide(99.0, calibration, 0.05).reason and "30 patients" in decide(0.0, calibration, 0.05).reason
    )
    assert decide(1.0, None, 0.05)[:2] == (None, "uncalibrated")
    assert decide(1.0, None, 0.05, refusal="It is blank.")[:3] == (None, "not_applicable", "It is blank.")
