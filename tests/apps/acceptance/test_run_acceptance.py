# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

import copy
import json
import re

import numpy as np
import pytest
import torch
import yaml
from PIL import Image

import monai_anomaly as ma
from monai_anomaly.apps.acceptance import repeats
from monai_anomaly.apps.acceptance.limits import default_text
from monai_anomaly.apps.acceptance.other_process import score_again
from monai_anomaly.apps.command.main import main
from monai_anomaly.data.sets.duplicates import fingerprint, pixel_hash
from tests.helpers.doors import calibrate, write_model
from tests.helpers.parsed_page import ParsedPage

TIMED = ("seconds", "memory")


def write_noise(folder, count, seed, *, contrast=(0, 256)):
    """Write pictures of noise, whose names say who it is."""
    folder.mkdir(parents=True)
    rng = np.random.default_rng(seed)
    for number in range(count):
        Image.fromarray(rng.integers(*contrast, (48, 48), dtype=np.uint8)).save(folder / f"JONES_{number}.png")


@pytest.fixture(autouse=True, scope="module")
def one_process():
    """Let the other process be a function of this one, whose start alone takes seconds; one test has the real one."""

    def run(command, *, input, **options):
        assert command[1:] == ["-m", "monai_anomaly.apps.acceptance.other_process"] and "JONES" not in " ".join(command)
        threads = torch.get_num_threads()
        try:
            answer = json.dumps(score_again(json.loads(input)))
        finally:
            torch.set_num_threads(threads)
        return repeats.subprocess.CompletedProcess(command, 0, f"something else\n{answer}\n", "")

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(repeats, "subprocess", _Subprocess(repeats.subprocess, run))
        yield


class _Subprocess:
    """The module with another `run`."""

    def __init__(self, module, run):
        self._module, self.run = module, run

    def __getattr__(self, name):
        return getattr(self._module, name)


@pytest.fixture
def site(tmp_path):
    """Return a folder with normals, abnormal images, a detector, its calibration and limits that it keeps."""
    return make_site(tmp_path)


@pytest.fixture(scope="module")
def accepted(tmp_path_factory):
    """Return a site whose detector was accepted; not to be changed."""
    folder = make_site(tmp_path_factory.mktemp("site"))
    assert accept(folder, "out") == 0
    return folder


def make_site(folder):
    write_noise(folder / "normals", 8, 1)
    write_noise(folder / "abnormal", 3, 2, contrast=(0, 40))
    (folder / "models").mkdir()
    model = write_model(folder / "models", guard=False)
    content = torch.load(model, weights_only=True)
    torch.save({**content, "fingerprints": torch.tensor([5])}, model)
    scores = -ma.load(model, device="cpu").score_samples([str(path) for path in (folder / "normals").iterdir()])
    recalibrate(folder, np.r_[scores, scores] + 1e-4)
    write_limits(folder)
    return folder


def recalibrate(folder, scores):
    """Write a calibration of made-up scores, each of a patient."""
    calibrate(folder / "models" / "model.pt", list(scores), groups=list(range(len(scores))))


def write_limits(folder, **changed):
    """Write limits that everything keeps, but for those given."""
    content = copy.deepcopy(yaml.safe_load(default_text()))
    content["limits"]["false_alarms"] = {"most": 0.2, "by": "value"}
    for name in ("guard_refusals", "sensitivity", "auc", "inverted"):
        content["limits"][name] = None
    content["limits"] |= {"seconds": {"most": 1000}} | changed
    (folder / "limits.yaml").write_text(yaml.safe_dump(content))


def accept(site, out, *words, abnormal=True):
    command = ["accept", str(site / "normals"), "--checkpoint", str(site / "models" / "model.pt"), "--device", "cpu"]
    command += ["--abnormal", str(site / "abnormal")] if abnormal else []
    return main([*command, "--limits", str(site / "limits.yaml"), "--output_dir", str(site / out), *words])


def read(site, out):
    document = json.loads((site / out / "acceptance.json").read_text())
    return document, {criterion["name"]: criterion for criterion in document["criteria"]}


def without_times(document):
    document = copy.deepcopy(document)
    del document["times"]
    for criterion in document["criteria"]:
        if criterion["name"] in TIMED:
            del criterion["value"]
    return document


def test_a_detector_that_keeps_its_limits_is_accepted(accepted):
    document, criteria = read(accepted, "out")
    assert document["verdict"] == "passed"
    detector = ma.load(accepted / "models" / "model.pt", device="cpu")
    folders = {"normals": "normals", "abnormal 1": "abnormal"}
    results = {name: list(detector.score(accepted / folder)) for name, folder in folders.items()}
    for name, expected in results.items():
        rows = [row for row in document["images"] if row["set"] == name]
        assert [row["score"] for row in rows] == [result.score for result in expected]
        assert [row["decision"] for row in rows] == [result.decision for result in expected]
    alarms = sum(result.decision == "anomalous" for result in results["normals"])
    assert criteria["false_alarms"]["hits"] == alarms and criteria["false_alarms"]["images"] == 8
    assert criteria["repeatability"]["value"] == 0 and criteria["repeatability"]["verdict"] == "passed"
    assert criteria["readable"]["interval_by"] == "exact" and criteria["readable"]["interval"][1] == 1


def test_the_same_inputs_give_the_same_json(accepted, capsys):
    accept(accepted, "again")
    first, second = (without_times(read(accepted, out)[0]) for out in ("out", "again"))
    assert first == second
    assert "PASSED" in capsys.readouterr().out


def test_inverted_and_mirrored_images_are_scored_as_such(accepted):
    document, criteria = read(accepted, "out")
    detector = ma.load(accepted / "models" / "model.pt", device="cpu")
    differences = []
    for row, path in zip(document["images"], sorted((accepted / "normals").iterdir()), strict=False):
        pixels = np.asarray(Image.open(path))
        assert row["inverted"]["score"] == pytest.approx(detector.score(255 - pixels).score, rel=1e-5)
        assert row["mirrored"]["score"] == pytest.approx(detector.score(pixels[:, ::-1]).score, rel=1e-5)
        differences.append(abs(row["mirrored"]["score"] - row["score"]))
    scores = [row["score"] for row in document["images"] if row["label"] == 0]
    spread = np.subtract(*np.quantile(scores, [0.75, 0.25]))
    assert criteria["mirrored"]["value"] == pytest.approx(np.median(differences) / spread, rel=1e-3)


def test_files_that_cannot_be_read_count_and_are_named_by_their_ids(site):
    for number in range(6):
        (site / "normals" / f"JONES_9{number}.png").write_bytes(b"not a picture")
    assert accept(site, "out") == 3
    document, criteria = read(site, "out")
    assert criteria["readable"]["hits"] == 11 and criteria["readable"]["images"] == 17
    assert criteria["readable"]["verdict"] == "failed"
    for name in ("acceptance.json", "acceptance.html"):
        text = (site / "out" / name).read_text()
        assert "JONES" not in text and str(site) not in text and site.name not in text
    page = ParsedPage(text)
    unread = [row for row in document["images"] if row["score"] is None]
    assert len(unread) == 6 and all(row["id"] in page.text and row["reason"] in page.text for row in unread)


def test_without_a_calibration_it_fails_and_training_images_that_are_unknown_are_not_checked(site):
    (site / "models" / "calibration.json").unlink()
    content = torch.load(site / "models" / "model.pt", weights_only=True)
    del content["fingerprints"]
    torch.save(content, site / "models" / "model.pt")
    assert accept(site, "out") == 3
    _, criteria = read(site, "out")
    assert criteria["calibrated"]["verdict"] == "failed"
    assert criteria["false_alarms"]["verdict"] == criteria["seen_before"]["verdict"] == "not_checked"


def test_a_limit_that_cannot_be_checked_is_no_pass(site):
    write_limits(site, sensitivity={"least": 0.1, "by": "value"})
    assert accept(site, "out", abnormal=False) == 3
    document, criteria = read(site, "out")
    assert document["verdict"] == "incomplete" and criteria["sensitivity"]["verdict"] == "not_checked"
    page = ParsedPage((site / "out" / "acceptance.html").read_text())
    assert "INCOMPLETE" in page.text
    assert "abnormal" not in {attributes.get("class") for tag, attributes in page.tags if tag == "path"}


def test_normals_of_training_and_calibration_are_found(site):
    detector = ma.load(site / "models" / "model.pt", device="cpu")
    paths = sorted((site / "normals").iterdir())
    images = [detector.score(path) for path in paths[:3]]
    content = torch.load(site / "models" / "model.pt", weights_only=True)
    known = [fingerprint(pixel_hash(image.image)) for image in images[:2]]
    torch.save({**content, "fingerprints": torch.tensor(known)}, site / "models" / "model.pt")
    recalibrate(site, [images[2].score, *np.random.default_rng(0).normal(5, 1, 11)])
    assert accept(site, "out") == 3
    document, criteria = read(site, "out")
    assert criteria["seen_before"]["value"] == 3 and criteria["seen_before"]["verdict"] == "failed"
    assert document["normals"]["in_training"] == 2 and document["normals"]["in_calibration"] == 1
    text = ParsedPage((site / "out" / "acceptance.html").read_text()).text
    assert "2 of the normals were in the detector's training" in text


def test_a_picture_in_both_classes_and_a_copy_are_said(site):
    first = (site / "normals" / "JONES_0.png").read_bytes()
    (site / "abnormal" / "JONES_77.png").write_bytes(first)
    (site / "normals" / "JONES_78.png").write_bytes(first)
    accept(site, "out")
    document, _ = read(site, "out")
    assert document["in_both_classes"] == 1 and document["normals"]["copies"] == 1
    assert "1 pictures are given as normal and as abnormal" in (site / "out" / "acceptance.html").read_text()


def test_another_process_that_does_not_answer_is_no_pass(site, monkeypatch):
    def run(command, **options):
        raise repeats.subprocess.CalledProcessError(-9, command)

    monkeypatch.setattr(repeats, "subprocess", _Subprocess(repeats.subprocess, run))
    assert accept(site, "out") == 3
    _, criteria = read(site, "out")
    assert criteria["repeatability"]["verdict"] == criteria["threads"]["verdict"] == "not_checked"
    assert "did not answer" in criteria["repeatability"]["note"]


def test_an_earlier_test_is_never_replaced(site, capsys):
    (site / "out").mkdir()
    (site / "out" / "acceptance.json").write_text("signed")
    assert accept(site, "out") == 1
    assert "already; name another --output_dir" in capsys.readouterr().err
    assert (site / "out" / "acceptance.json").read_text() == "signed"


def test_the_page_is_closed_and_loads_nothing(accepted):
    text = (accepted / "out" / "acceptance.html").read_text()
    page = ParsedPage(text)
    assert not {tag for tag, _ in page.tags} & {"script", "img", "iframe", "link", "object"}
    assert not re.search(r"https?://", text)
    for words in ("PASSED", "Name", "Function", "Date", "Signature", "Weights", "For research, not for diagnosis"):
        assert words in page.text
