# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

"""The SEPIAD bundle as a user runs it, through monai.bundle."""

from __future__ import annotations

import csv
import json
import math
import shutil
import subprocess
import sys
import textwrap
import time
from pathlib import Path

import numpy as np
import pytest
import torch
from monai.bundle import (
    ConfigParser,
    ConfigWorkflow,
    ckpt_export,
    onnx_export,
    run,
    verify_metadata,
    verify_net_in_out,
)
from monai.data import load_net_with_metadata
from monai.utils import optional_import
from PIL import Image
from sklearn.metrics import roc_auc_score

from monai_anomaly.bundle import read_guard
from monai_anomaly.data.datalist import load_datalist
from monai_anomaly.data.duplicates import fingerprint, pixel_hash
from monai_anomaly.handlers.detector_loader import load_detector
from monai_anomaly.networks.nets.sepiad import SEPIAD
from monai_anomaly.transforms.preprocessing import Preprocessing
from tests.bundles.conftest import BUNDLE, ROOT, TINY, config, train

SCHEMA = Path(__file__).with_name("metadata_schema.json")
_, has_mlflow = optional_import("mlflow")
_, has_onnx = optional_import("onnxscript")


def load(path: Path) -> dict:
    return torch.load(path, weights_only=True)


def assert_same(a, b, where="checkpoint"):
    """Bit for bit: tensors, numbers (NaN equals NaN) and structure."""
    assert type(a) is type(b), where
    if isinstance(a, torch.Tensor):
        assert torch.equal(a, b), where
    elif isinstance(a, dict):
        assert a.keys() == b.keys(), where
        for key in a:
            assert_same(a[key], b[key], f"{where}.{key}")
    elif isinstance(a, (list, tuple)):
        assert len(a) == len(b), where
        for i, (x, y) in enumerate(zip(a, b, strict=True)):
            assert_same(x, y, f"{where}[{i}]")
    elif not (isinstance(a, float) and math.isnan(a) and math.isnan(b)):
        assert a == b, where


def spec_args(folder: Path) -> dict:
    return load(folder / "models" / "model.pt")["spec"]


# ---- training ------------------------------------------------------------------------------------------------------


def test_training_leaves_a_model_a_history_and_curves(trained):
    model = load(trained / "models" / "model.pt")
    assert model["spec"]["network"]["latent_channels"] == 8
    assert set(model) == {"model", "spec", "map_range", "data", "guard", "fingerprints"}
    assert model["data"]["training images"] == 12 and model["data"]["training files quarantined"] == 0
    assert model["map_range"][0] == 0 < model["map_range"][1]
    rows = list(csv.DictReader((trained / "output" / "history.csv").open()))
    assert [row["epoch"] for row in rows] == ["1", "2", "3"]
    assert {"loss", "reconstruction", "adversarial_image", "critic_latent", "weight_encoder"} <= rows[0].keys()
    assert rows[0]["val_auroc"] == "" and 0 <= float(rows[1]["val_auroc"]) <= 1
    assert list((trained / "output" / "tensorboard").glob("events*"))
    assert not list(trained.rglob(".*tmp*"))


def test_the_same_seed_gives_the_same_bits(trained, small_phantom, tmp_path, at_root):
    train(tmp_path, small_phantom)
    for name in ("checkpoint.pt", "model.pt"):
        assert_same(load(tmp_path / "models" / name), load(trained / "models" / name))


def test_a_model_knows_its_normals(trained, small_phantom):
    model = trained / "models" / "model.pt"
    preprocessing = Preprocessing(**spec_args(trained)["preprocessing"])
    items = [preprocessing(item) for item in load_datalist(str(small_phantom), "training")]
    assert load(model)["fingerprints"].tolist() == [fingerprint(pixel_hash(item["image"])) for item in items]
    guard = read_guard(model)
    assert guard.n_images == 12 and guard.n_groups == len({item["group"] for item in items})
    assert {guard.check(item["image"], item) for item in items} == {""}
    assert "blank" in guard.check(torch.zeros(1, 32, 32), items[0])
    assert "rows to columns 0.25" in guard.check(items[0]["image"], {"rows": 100, "columns": 400})


def test_another_seed_gives_others(trained, small_phantom, tmp_path, at_root):
    train(tmp_path, small_phantom, seed=1, max_epochs=1, input_guard=False)
    assert read_guard(tmp_path / "models" / "model.pt") is None
    a, b = load(tmp_path / "models" / "model.pt")["model"], load(trained / "models" / "model.pt")["model"]
    assert not torch.equal(a["encoder.head.1.weight"], b["encoder.head.1.weight"])


def test_a_killed_run_resumes_bit_identical(trained, small_phantom, tmp_path, at_root):
    script = textwrap.dedent(
        f"""
        import os, signal
        from pathlib import Path
        from monai_anomaly.handlers.training_checkpoint import TrainingCheckpoint
        from tests.bundles.conftest import train

        save = TrainingCheckpoint._save
        def save_and_die(self, engine):
            save(self, engine)
            if engine.state.epoch == 2:
                os.kill(os.getpid(), signal.SIGKILL)
        TrainingCheckpoint._save = save_and_die
        train(Path({str(tmp_path)!r}), Path({str(small_phantom)!r}))
        """
    )
    killed = subprocess.run([sys.executable, "-c", script], cwd=ROOT, capture_output=True, timeout=300)
    assert killed.returncode == -9, killed.stderr.decode()[-2000:]
    assert not (tmp_path / "models" / "model.pt").exists()
    assert load(tmp_path / "models" / "checkpoint.pt")["trainer"]["epoch"] == 2
    train(tmp_path, small_phantom, resume=True)
    for name in ("checkpoint.pt", "model.pt"):
        assert_same(load(tmp_path / "models" / name), load(trained / "models" / name))
    whole, resumed = (f / "output" / "history.csv" for f in (trained, tmp_path))
    assert resumed.read_text() == whole.read_text()


def test_a_time_budget_ends_with_a_final_checkpoint(small_phantom, tmp_path, at_root):
    start = time.monotonic()
    train(tmp_path, small_phantom, max_epochs=10**6, pretrain_epochs=10**6, max_minutes=0.2)
    assert time.monotonic() - start < 60
    assert (tmp_path / "models" / "model.pt").is_file()


def test_piad_three_channels_and_file_weights(trained, small_phantom, tmp_path, at_root):
    features = {k[9:]: v for k, v in load(trained / "models" / "model.pt")["model"].items() if k[:9] == "features."}
    torch.save(features, tmp_path / "features.pt")
    train(
        tmp_path, small_phantom, se=False, channels=3, max_epochs=1, weights=str(tmp_path / "features.pt"), n_critic=1
    )
    model = load(tmp_path / "models" / "model.pt")
    assert model["model"]["decoder.tail.1.weight"].shape[0] == 3
    assert not [name for name in model["model"] if "fc" in name or "gate" in name]
    for name, value in features.items():
        if name.startswith("features."):
            assert torch.equal(model["model"][f"features.{name}"], value)


def test_several_processes(small_phantom, tmp_path):
    files = f"['{config('train')}','{config('multi_gpu_train')}']"
    command = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc_per_node=2"]
    command += ["-m", "monai.bundle", "run", "--config_file", files, "--dataset_dir", str(small_phantom)]
    command += ["--output_dir", str(tmp_path / "output"), "--ckpt_dir", str(tmp_path / "models")]
    command += [word for key, value in TINY.items() if key != "device" for word in (f"--{key}", json.dumps(value))]
    result = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=300)
    assert result.returncode == 0, result.stderr[-3000:]
    assert load(tmp_path / "models" / "checkpoint.pt")["trainer"]["epoch"] == 3


@pytest.mark.skipif(not has_mlflow, reason="mlflow is not installed: pip install monai_anomaly[mlflow]")
def test_mlflow_tracking(small_phantom, tmp_path, at_root):
    train(tmp_path, small_phantom, max_epochs=1, tracking="mlflow")
    import sqlite3

    with sqlite3.connect(tmp_path / "output" / "mlruns.db") as database:
        names = {row[0] for row in database.execute("select distinct key from metrics")}
    assert "train_loss" in names


# ---- evaluation and inference --------------------------------------------------------------------------------------


def evaluate(trained: Path, data: Path, output: Path, **overrides) -> None:
    model = str(trained / "models" / "model.pt")
    arguments = {"checkpoint": model, "dataset_dir": str(data), "output_dir": str(output), "device": "cpu"}
    run(config_file=config("evaluate"), **{**arguments, **overrides})


def test_evaluation_writes_metrics_scores_and_report(trained, small_phantom, tmp_path, at_root):
    evaluate(trained, small_phantom, tmp_path)
    metrics = json.loads((tmp_path / "metrics.json").read_text())
    rows = list(csv.DictReader((tmp_path / "scores.csv").open()))
    assert list(rows[0])[:3] == ["image", "label", "score"]
    assert [row["image"] for row in rows] == [item["name"] for item in load_datalist(str(small_phantom), "test")]
    labels, scores = [int(r["label"]) for r in rows], [float(r["score"]) for r in rows]
    assert metrics["auroc"] == pytest.approx(roc_auc_score(labels, scores))
    report = (tmp_path / "report.html").read_text()
    assert "http://" not in report.replace("http://www.w3.org/", "") and "https://" not in report


def test_scores_are_the_detector_s_map_means(trained, small_phantom, tmp_path, at_root):
    evaluate(trained, small_phantom, tmp_path, batch_size=5, source_names=True)
    spec = spec_args(trained)
    detector = SEPIAD(**spec["network"]).eval()
    load_detector(detector, trained / "models" / "model.pt")
    preprocessing = Preprocessing(**spec["preprocessing"])
    for row in csv.DictReader((tmp_path / "scores.csv").open()):
        image = preprocessing({"image": str(small_phantom / row["image"])})["image"]
        with torch.inference_mode():
            assert float(row["score"]) == pytest.approx(float(detector(image[None]).mean()), abs=1e-5)


def test_inference_gives_one_record_per_file(trained, small_phantom, tmp_path, at_root):
    folder = tmp_path / "incoming"
    folder.mkdir()
    for name in ("a.dcm", "b.dcm"):
        item = load_datalist(str(small_phantom), "test")[name == "b.dcm"]
        shutil.copy(item["image"], folder / name)
    Image.fromarray(np.random.default_rng(0).integers(0, 255, (80, 90), np.uint8)).save(folder / "c.png")
    (folder / "broken.dcm").write_bytes((folder / "a.dcm").read_bytes()[:2000])
    (folder / "notes.txt").write_text("not an image")
    Image.fromarray(np.zeros((8, 8), np.uint8)).save(folder / "tiny.png")
    run(
        config_file=config("inference"),
        dataset_dir=str(folder),
        output_dir=str(tmp_path / "out"),
        checkpoint=str(trained / "models" / "model.pt"),
        device="cpu",
        source_names=True,
        uncalibrated=True,
    )
    records = [json.loads(line) for line in (tmp_path / "out" / "records.jsonl").read_text().splitlines()]
    by_name = {record["image"]: record for record in records}
    assert sorted(by_name) == ["a.dcm", "b.dcm", "broken.dcm", "c.png", "notes.txt", "tiny.png"]
    assert {name for name, r in by_name.items() if r["status"] == "scored"} == {"a.dcm", "b.dcm", "c.png"}
    for record in records:
        if record["status"] == "scored":
            assert (tmp_path / "out" / record["map"]).is_file() and record["score"] > 0
            assert record["decision"] == "uncalibrated" and record["p_value"] is record["threshold"] is None
        else:
            assert record["status"] == "rejected" and record["reason"] and record["score"] is None


def test_runs_from_inside_the_bundle(trained, small_phantom, tmp_path, monkeypatch):
    bundle = tmp_path / "sepiad"
    shutil.copytree(BUNDLE, bundle, ignore=shutil.ignore_patterns("output", "*.pt"))
    (bundle / "models").mkdir(exist_ok=True)
    shutil.copy(trained / "models" / "model.pt", bundle / "models" / "model.pt")
    monkeypatch.chdir(bundle)
    run(config_file="configs/evaluate.json", dataset_dir=str(small_phantom), device="cpu")
    assert (bundle / "output" / "report.html").is_file()
    assert not (bundle / "bundles").exists()


# ---- bad input -----------------------------------------------------------------------------------------------------


def fails(tmp_path: Path, *arguments: str, config_name: str = "train") -> str:
    """Run on the command line, expect a failure, and return its one sentence."""
    command = [sys.executable, "-m", "monai.bundle", "run", "--config_file", config(config_name), *arguments]
    before = sorted(p.name for p in tmp_path.rglob("*"))
    result = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=300)
    assert result.returncode == 1
    assert "Traceback" not in result.stderr, result.stderr[-3000:]
    assert sorted(p.name for p in tmp_path.rglob("*")) == before, "something was left behind"
    last = result.stderr.strip().splitlines()[-1]
    assert last.startswith("error: ")
    return last


def write_list(folder: Path, **sections) -> Path:
    folder.mkdir()
    image = Image.fromarray(np.random.default_rng(0).integers(0, 255, (64, 64), np.uint8))
    for entries in sections.values():
        for entry in entries:
            if not entry.get("missing"):
                image.save(folder / entry["image"])
            entry.pop("missing", None)
    (folder / "dataset.json").write_text(json.dumps(sections))
    return folder


def outputs(tmp_path: Path) -> list[str]:
    return ["--output_dir", str(tmp_path / "out"), "--ckpt_dir", str(tmp_path / "models")]


def test_a_mistyped_key(tmp_path):
    assert "'max_epochs'" in fails(tmp_path, "--max_epoch", "3", *outputs(tmp_path))


def test_a_missing_file(tmp_path):
    data = write_list(
        tmp_path / "data",
        training=[{"image": "a.png", "label": 0}, {"image": "b.png", "label": 0, "missing": True}],
        validation=[{"image": "c.png", "label": 0}],
    )
    assert "training[1] of dataset.json" in fails(tmp_path, "--dataset_dir", str(data), *outputs(tmp_path))


def test_a_patient_in_two_splits(tmp_path):
    data = write_list(
        tmp_path / "data",
        training=[{"image": "a.png", "label": 0, "group": "p7"}],
        validation=[{"image": "c.png", "label": 0, "group": "p7"}],
    )
    assert "is in training and in validation" in fails(tmp_path, "--dataset_dir", str(data), *outputs(tmp_path))


def test_a_folder_without_normals(tmp_path):
    (tmp_path / "data" / "train" / "abnormal").mkdir(parents=True)
    assert "normal" in fails(tmp_path, "--dataset_dir", str(tmp_path / "data"), *outputs(tmp_path))


def test_an_image_that_is_too_small(tmp_path):
    data = write_list(
        tmp_path / "data",
        training=[{"image": "a.png", "label": 0}],
        validation=[{"image": "c.png", "label": 0}],
    )
    Image.fromarray(np.zeros((9, 9), np.uint8)).save(data / "a.png")
    assert "entry 0" in fails(tmp_path, "--dataset_dir", str(data), *outputs(tmp_path))


def test_a_test_set_of_one_class(trained, tmp_path):
    data = write_list(tmp_path / "data", training=[], validation=[], test=[{"image": "a.png", "label": 0}])
    model = str(trained / "models" / "model.pt")
    arguments = ["--dataset_dir", str(data), "--output_dir", str(tmp_path / "out"), "--checkpoint", model]
    assert "undefined" in fails(tmp_path, *arguments, config_name="evaluate")


def test_no_checkpoint(small_phantom, tmp_path):
    arguments = ["--dataset_dir", str(small_phantom), "--checkpoint", str(tmp_path / "none.pt")]
    arguments += ["--output_dir", str(tmp_path / "out")]
    assert "train first" in fails(tmp_path, *arguments, config_name="evaluate")


def test_a_checkpoint_of_another_architecture(trained, small_phantom, tmp_path):
    shutil.copytree(trained / "models", tmp_path / "models")
    overrides = [w for k, v in TINY.items() for w in (f"--{k}", str(v))]
    arguments = [*overrides, "--dataset_dir", str(small_phantom), "--resume", "True", "--se", "False"]
    sentence = fails(tmp_path, *arguments, *outputs(tmp_path))
    assert "network.se is True there and False here" in sentence


def test_a_damaged_checkpoint(trained, small_phantom, tmp_path):
    damaged = tmp_path / "model.pt"
    damaged.write_bytes((trained / "models" / "model.pt").read_bytes()[:5000])
    arguments = ["--dataset_dir", str(small_phantom), "--checkpoint", str(damaged)]
    arguments += ["--output_dir", str(tmp_path / "out")]
    assert "damaged" in fails(tmp_path, *arguments, config_name="inference")


def test_weights_that_are_nowhere(small_phantom, tmp_path):
    arguments = ["--dataset_dir", str(small_phantom), "--weights", str(tmp_path / "none.pt"), *outputs(tmp_path)]
    assert "no such file" in fails(tmp_path, *arguments)


def test_imagenet_weights_that_cannot_be_had_name_the_alternatives(small_phantom, tmp_path, monkeypatch):
    monkeypatch.setenv("TORCH_HOME", str(tmp_path / "cache"))
    monkeypatch.setenv("https_proxy", "http://127.0.0.1:9")
    command = [sys.executable, "-m", "monai.bundle", "run", "--config_file", config("train")]
    command += ["--dataset_dir", str(small_phantom), "--weights", "imagenet", "--feature_width", "1.0"]
    result = subprocess.run([*command, *outputs(tmp_path)], cwd=ROOT, capture_output=True, text=True, timeout=300)
    assert result.returncode == 1
    assert "self_supervised" in result.stderr.strip().splitlines()[-1]


# ---- the bundle as MONAI sees it -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "kind"), [("train", "train"), *((name, "infer") for name in ("evaluate", "calibrate", "inference"))]
)
def test_properties(trained, small_phantom, tmp_path, at_root, name, kind):
    overrides = {"dataset_dir": str(small_phantom), "output_dir": str(tmp_path)}
    if name != "train":
        overrides["checkpoint"] = str(trained / "models" / "model.pt")
    workflow = ConfigWorkflow(config_file=config(name), workflow_type=kind, logging_file=False, **overrides)
    workflow.initialize()
    assert workflow.check_properties() == []


def test_metadata(at_root, tmp_path):
    shutil.copy(SCHEMA, tmp_path / "schema.json")
    verify_metadata(meta_file=config("metadata"), filepath=str(tmp_path / "schema.json"))


@pytest.mark.parametrize("name", ["train", "inference"])
def test_network_format(at_root, name):
    verify_net_in_out("network_def", meta_file=config("metadata"), config_file=config(name), device="cpu")


def test_torchscript_export_scores_the_same(trained, small_phantom, tmp_path, at_root):
    model = trained / "models" / "model.pt"
    ckpt_export(
        "network_def",
        filepath=str(tmp_path / "model.ts"),
        ckpt_file=str(model),
        meta_file=config("metadata"),
        config_file=config("inference"),
        key_in_ckpt="model",
        checkpoint=str(model),
    )
    exported, _, _ = load_net_with_metadata(str(tmp_path / "model.ts"))
    detector = SEPIAD(**spec_args(trained)["network"]).eval()
    load_detector(detector, model)
    image = torch.rand(3, 1, 32, 32)
    with torch.inference_mode():
        torch.testing.assert_close(exported.eval()(image), detector(image), atol=1e-5, rtol=1e-5)


@pytest.mark.skipif(not has_onnx, reason="onnxscript is not installed: pip install monai_anomaly[onnx]")
def test_onnx_export_scores_the_same(trained, tmp_path, at_root):
    import onnxruntime

    model = trained / "models" / "model.pt"
    onnx_export(
        "network_def",
        filepath=str(tmp_path / "model.onnx"),
        ckpt_file=str(model),
        meta_file=config("metadata"),
        config_file=config("inference"),
        key_in_ckpt="model",
        checkpoint=str(model),
        input_shape=[1, 1, 32, 32],
    )
    session = onnxruntime.InferenceSession(str(tmp_path / "model.onnx"))
    detector = SEPIAD(**spec_args(trained)["network"]).eval()
    load_detector(detector, model)
    image = torch.rand(1, 1, 32, 32)
    (ours,) = session.run(None, {session.get_inputs()[0].name: image.numpy()})
    with torch.inference_mode():
        np.testing.assert_allclose(ours, detector(image).numpy(), atol=1e-4)


@pytest.mark.parametrize(
    "name", ["train", "evaluate", "calibrate", "inference", "paper", "few_normals", "multi_gpu_train"]
)
def test_targets_are_whole_paths_of_known_packages(name):
    parser = ConfigParser(json.loads((BUNDLE / "configs" / f"{name}.json").read_text()))

    def targets(node):
        if isinstance(node, dict):
            yield from [node["_target_"]] if "_target_" in node else []
            node = list(node.values())
        if isinstance(node, list):
            for child in node:
                yield from targets(child)

    for target in targets(parser.get()):
        assert target.startswith(("monai.", "monai_anomaly.", "torch.")), target


def test_the_overlay_for_few_normals_reaches_both_stages(at_root):
    parser = ConfigParser()
    parser.read_config([config("train"), config("few_normals")])
    parser.parse()
    assert parser.get_parsed_content("augment").rotate == 15.0
    assert parser["pretrain#objective#augment"]["rotate"] == 15.0


def test_the_published_recipe_has_the_published_networks(at_root):
    parser = ConfigParser()
    parser.read_config([config("train"), config("paper")])
    parser["se"] = False

    def count(module):
        return sum(p.numel() for p in module.parameters())

    network = parser.get_parsed_content("network_def")
    assert (count(network.encoder), count(network.decoder)) == (3_452_672, 2_825_219)
    parser["se_in_critic"] = False
    assert count(parser.get_parsed_content("train#image_critic")) == 603_905
    assert count(parser.get_parsed_content("train#latent_critic")) == 1_313_793
    assert parser.get_parsed_content("max_epochs") * parser.get_parsed_content("epoch_length") == 20_000
