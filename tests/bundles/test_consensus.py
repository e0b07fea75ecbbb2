# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

"""Trained bundles joined into one, which is used as every other bundle is; all through monai.bundle and the command."""

from __future__ import annotations

import json
import shutil
from unittest.mock import ANY

import pytest
import torch
from monai.bundle import ConfigWorkflow, ckpt_export, run
from monai.data import load_net_with_metadata

import monai_anomaly as ma
from monai_anomaly.apps.command.main import main
from monai_anomaly.bundle import TrainedDetector
from monai_anomaly.calibration.calibration import Calibration
from monai_anomaly.data.lists.datalist import load_datalist
from monai_anomaly.guard.input_guard import InputGuard
from tests.helpers.tiny_bundles import Example, config, evaluate, outputs, table, words
from tests.helpers.trained_models import assert_same, load

pytestmark = pytest.mark.usefixtures("at_root")


@pytest.fixture
def joined(examples) -> Example:
    """Return tiny detectors of SimSID and SAGAN as one."""
    return examples("consensus")


def test_the_members_are_in_the_model_as_they_were(joined, examples):
    content = joined.load()
    assert content["spec"]["detector"] == "Consensus"
    assert content["spec"]["preprocessing"]["intensity"] == "none"
    for place, name in enumerate(("simsid", "sagan")):
        own, prefix = examples(name).load()["model"], f"detectors.{place}."
        found = {key.removeprefix(prefix): value for key, value in content["model"].items() if key.startswith(prefix)}
        assert_same(found, dict(own))
        assert content["spec"]["training"]["members"][name] == TrainedDetector.read(examples(name).model).model_hash
    (row,) = table(joined.folder / "output" / "history.csv")
    assert float(row["normals"]) == 8 and 0 <= float(row["val_auroc"]) <= 1
    assert content["model"]["evidence.normals"].shape == (8, 2)


def test_a_training_has_its_properties(joined, tmp_path):
    places = {"dataset_dir": str(joined.data), "output_dir": str(tmp_path), "ckpt_dir": str(tmp_path)}
    files = [joined.config("train"), joined.config("select_by_pool")]
    workflow = ConfigWorkflow(
        config_file=files, workflow_type="train", logging_file=False, pool_dir=str(joined.data), **places, **joined.more
    )
    workflow.initialize()
    assert workflow.check_properties() == []


def test_a_run_that_is_resumed_at_its_end_writes_the_same(joined, tmp_path):
    shutil.copytree(joined.folder / "models", tmp_path / "models")
    (tmp_path / "models" / "model.pt").unlink()
    joined.train(tmp_path, resume=True)
    assert (tmp_path / "models" / "model.pt").read_bytes() == joined.model.read_bytes()


def test_an_evaluation_has_each_member_beside_the_score(joined, tmp_path):
    rows = evaluate(joined.folder, joined.data, tmp_path, bundle="consensus")
    terms = table(tmp_path / "terms.csv")
    assert list(terms[0])[-2:] == ["simsid", "sagan"]
    for row, each in zip(rows, terms, strict=True):
        assert float(row["score"]) == pytest.approx(
            max(float(each["sagan"]), float(each["simsid"])), rel=1e-3, abs=1e-3
        )


def test_a_member_whose_guard_refuses_is_left_out_and_said(joined, tmp_path):
    content, model = joined.load(), tmp_path / "model.pt"
    assert {name for name, state in content["member_guards"].items() if state} == {"simsid", "sagan"}
    noise = torch.rand(200, 1, 32, 32, generator=torch.Generator().manual_seed(0))
    of_noise = InputGuard.fit(noise, [{}] * len(noise)).state()
    items = load_datalist(str(joined.data), "test")[:2]
    for refusing in (("simsid",), ("simsid", "sagan")):
        states = dict.fromkeys(("simsid", "sagan")) | dict.fromkeys(refusing, of_noise)
        torch.save({**content, "member_guards": states}, model)
        detector = ma.load(model, device="cpu")
        z = joined.detector.score_terms(torch.stack([detector.trained.preprocessing(item)["image"] for item in items]))
        for item, (simsid, sagan) in zip(items, z.tolist(), strict=True):
            result = detector.score(item["image"])
            several = len(refusing) == 2
            close = {"rel": 1e-3, "abs": 1e-3}
            assert result.score == pytest.approx(max(simsid, sagan) if several else sagan, **close)
            assert result.members == {"simsid": pytest.approx(simsid, **close) if several else None, "sagan": ANY}
            assert result.members["sagan"] == pytest.approx(sagan, **close)
            assert tuple(result.left_out) == refusing and "the 200 training normals" in result.left_out["simsid"]
            assert result.decision == ("not_applicable" if several else "uncalibrated")
        if not several:
            files = tmp_path / "files"
            files.mkdir()
            for item in items:
                shutil.copy(item["image"], files)
            places = {"dataset_dir": str(files), "output_dir": str(tmp_path / "out"), "checkpoint": str(model)}
            more = {"uncalibrated": True, "device": "cpu", "overlays": False, "maps": "none"}
            run(run_id="inferring", config_file=joined.config("inference"), **places, **more)
            records = [json.loads(line) for line in (tmp_path / "out" / "records.jsonl").read_text().splitlines()]
            expected = [detector.score(file) for file in sorted(files.iterdir())]
            keys = ("score", "members", "left_out")
            found = sorted([[record[key] for key in keys] for record in records], key=str)
            assert found == sorted([[result.record()[key] for key in keys] for result in expected], key=str)


def test_the_normals_of_the_scale_calibrate_as_if_they_had_not_been_there(joined, tmp_path):
    model = shutil.copy(joined.model, tmp_path / "model.pt")
    arguments = {"checkpoint": str(model), "dataset_dir": str(joined.data), "device": "cpu"}
    run(run_id="calibrate", config_file=joined.config("calibrate"), **arguments)
    calibration = Calibration.load(tmp_path / "calibration.json")
    evidence = joined.detector.evidence
    with torch.inference_mode():
        scores = joined.detector.raw_scores(joined.images("validation", 0))
        pairs = zip(evidence.patients.tolist(), evidence.normals, strict=True)
        held_out = [float(evidence.without(patient)(own[None])[0]) for patient, own in pairs]
        own = evidence(scores)[0].tolist()
    assert calibration.scores == pytest.approx(sorted(held_out), rel=1e-3, abs=1e-3)
    assert calibration.scores != pytest.approx(sorted(own), rel=1e-2)
    item = load_datalist(str(joined.data), "test")[0]
    result = ma.load(model, false_alarm_rate=calibration.least_rate, guard=False, device="cpu").score(item["image"])
    assert result.p_value == calibration.p_value(result.score) and result.decision in ("normal", "anomalous")


def test_a_pool_gives_the_weights_of_the_logistic_rule(joined, tmp_path):
    joined.train(tmp_path, rule="logistic", pool_size=8)
    content = load(tmp_path / "models" / "model.pt")
    assert content["model"]["evidence.pool"].shape == (8, 2)
    assert not torch.equal(content["model"]["evidence.weight"], torch.full((2,), 0.5))
    assert len(content["fingerprints"]) == 12 + 8  # of the training section, and the pool


def test_an_export_scores_the_same(joined, tmp_path):
    ckpt_export(
        net_id="network_def",
        filepath=str(tmp_path / "model.ts"),
        ckpt_file=str(joined.model),
        meta_file=joined.config("metadata"),
        config_file=joined.config("inference"),
        key_in_ckpt="model",
        checkpoint=str(joined.model),
    )
    exported, _, _ = load_net_with_metadata(str(tmp_path / "model.ts"))
    image, tolerance = joined.images("test", 1)[:2], 1e-5 / float(joined.detector.evidence.spread.min())
    with torch.inference_mode():
        found, expected = exported.eval()(image), joined.detector(image)
    torch.testing.assert_close(found.mean((1, 2, 3)), expected.mean((1, 2, 3)), atol=tolerance, rtol=1e-4)
    scale = expected.abs().amax((1, 2, 3), keepdim=True)  # a pixel is rounded as its member's largest values are
    torch.testing.assert_close(found / scale, expected / scale, atol=1e-5, rtol=0)


def test_the_command_makes_a_bundle_of_its_own(joined, tmp_path, monkeypatch, capsys):
    from monai_anomaly.apps.command import bundle_verbs

    lines: list[list[str]] = []
    monkeypatch.setattr(bundle_verbs, "run_line", lambda words, **_: lines.append(list(words)) or 0)
    models, out = joined.more["members"], tmp_path / "out"
    assert main(["consensus", *models, str(out), "--dataset_dir", str(joined.data), "--rule", "fisher"]) == 0
    kept = json.loads((out / "configs" / "train.json").read_text())
    assert (kept["members"], kept["rule"]) == (models, "fisher")
    root = ["--bundle_root", out.as_posix(), "--dataset_dir", str(joined.data)]
    assert lines == [["run", "training", "--config_file", f"{out.as_posix()}/configs/train.json", *root]]
    assert main(["consensus", *models[::-1], str(out), "--dataset_dir", str(joined.data)]) == 0  # another try
    kept = json.loads((out / "configs" / "train.json").read_text())
    assert (kept["members"], kept["rule"]) == (models[::-1], "maximum")
    assert main(["bundles", "check", str(out)]) == 0
    for wrong, told in {
        ("consensus", models[0], str(out)): "needs 2 trained detectors or more and a folder",
        ("consensus", *models, str(out)): "needs --dataset_dir",
        ("consensus", *models, str(tmp_path), "--dataset_dir", str(joined.data)): "is no consensus; name a folder",
        ("consensus", "no.pt", *models, str(out), "--dataset_dir", "."): "no trained detector 'no.pt'",
        ("consensus", *models, str(out), "--dataset_dir", ".", "--rule", "mean"): "--rule must be one of maximum",
    }.items():
        assert main(list(wrong)) in (1, 2)
        assert told in capsys.readouterr().err


def test_what_cannot_be_joined_is_one_sentence(joined, examples, sentence, tmp_path):
    files = ["--config_file", config("train", "consensus"), "--dataset_dir", str(joined.data), *outputs(tmp_path)]
    assert "joins 2 trained detectors or more, and members names 0" in sentence(*files)
    other = tmp_path / "other.pt"
    content = load(examples("sagan").model)
    content["spec"]["preprocessing"]["voi"] = False
    torch.save(content, other)
    told = sentence(*files, *words({"members": [joined.more["members"][0], str(other)]}))
    assert "the same voi" in told and "True of simsid, False of sagan" in told
    assert not (tmp_path / "models" / "model.pt").exists()


def test_normals_that_a_member_was_trained_on_give_no_scale(joined, small_radiographs, sentence, tmp_path):
    data = tmp_path / "data"
    shutil.copytree(small_radiographs, data)
    content = json.loads((data / "dataset.json").read_text())
    content["validation"] = [item for item in content["training"] if item["label"] == 0][:4]
    content["training"] = content["training"][4:]
    groups = {item["group"] for item in content["validation"]}
    content["training"] = [item for item in content["training"] if item["group"] not in groups]
    (data / "dataset.json").write_text(json.dumps(content))
    files = ["--config_file", config("train", "consensus"), "--dataset_dir", str(data), *outputs(tmp_path)]
    told = sentence(*files, *words({"members": joined.more["members"]}))
    assert "no member was trained on are of 0 patients" in told
