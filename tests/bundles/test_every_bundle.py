# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

"""What every bundle does alike, as a user runs it, through monai.bundle."""

from __future__ import annotations

import csv
import json
import math
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

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

from monai_anomaly.bundle import TrainedDetector
from monai_anomaly.data.lists.datalist import load_datalist
from monai_anomaly.data.sets.duplicates import fingerprint, pixel_hash
from monai_anomaly.transforms.preprocessing import Preprocessing
from tests.helpers.repository import ROOT
from tests.helpers.tiny_bundles import EXAMPLES, TINY, Example, bundle_root, config, train, words
from tests.helpers.trained_models import assert_same, load, load_trained, spec_args, spread

SCHEMA = Path(__file__).with_name("metadata_schema.json")
LEAST_SCORE = {"sepiad": 0.0}  # those of others are in standard deviations
ONNX_ATOL = {"sepiad": 1e-4, "simsid": 1e-5, "ocad": 1e-5, "sagan": 1e-5}
_, has_onnx = optional_import("onnxscript")


# ---- training ------------------------------------------------------------------------------------------------------


def test_the_same_seed_gives_the_same_bits(example, tmp_path, at_root):
    train(tmp_path, example.data, bundle=example.bundle)
    for name in ("checkpoint.pt", "model.pt"):
        assert_same(load(tmp_path / "models" / name), load(example.folder / "models" / name))


def test_a_model_knows_its_normals(example):
    preprocessing = Preprocessing(**spec_args(example.folder)["preprocessing"])
    items = [preprocessing(item) for item in load_datalist(str(example.data), "training")]
    normals = [fingerprint(pixel_hash(item["image"])) for item in items]
    assert load(example.model)["fingerprints"].tolist()[: len(items)] == normals  # a pool's are behind them
    guard = TrainedDetector.read(example.model).guard
    assert guard.n_images == 12 and guard.n_groups == len({item["group"] for item in items})
    assert {guard.check(item["image"], item) for item in items} == {""}
    assert "blank" in guard.check(torch.zeros_like(items[0]["image"]), items[0])
    assert "rows to columns 0.25" in guard.check(items[0]["image"], {"rows": 100, "columns": 400})


@pytest.mark.parametrize(
    ("bundle", "data", "names"),
    [
        ("sepiad", "small_phantom", ["train", "multi_gpu_train"]),
        ("simsid", "small_radiographs", ["train", "squid", "multi_gpu_train"]),  # whose memory all processes write
        ("ocad", "small_skin", ["train", "multi_gpu_train"]),
        ("sagan", "small_radiographs", ["train", "multi_gpu_train"]),
    ],
)
def test_several_processes(bundle, data, names, tmp_path, request):
    command = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc_per_node=2"]
    command += ["-m", "monai.bundle", "run", "--config_file", str([config(name, bundle) for name in names])]
    command += ["--dataset_dir", str(request.getfixturevalue(data))]
    command += ["--output_dir", str(tmp_path / "output"), "--ckpt_dir", str(tmp_path / "models")]
    command += words({key: value for key, value in TINY[bundle].items() if key != "device"})
    result = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=300)
    assert result.returncode == 0, result.stderr[-3000:]
    content = load(tmp_path / "models" / "checkpoint.pt")
    assert content["trainer"]["epoch"] == 3
    if bundle == "simsid":  # of 6 iterations, each stored 4 images of 2 processes in a ring of 10
        assert content["model"]["generator.bottleneck.memory.pointer"] == 6 * 4 * 2 % 10


# ---- evaluation and inference --------------------------------------------------------------------------------------


def evaluate(example: Example, output: Path, **overrides: Any) -> None:
    arguments = {"checkpoint": str(example.model), "dataset_dir": str(example.data), "output_dir": str(output)}
    run(config_file=example.config("evaluate"), **{**arguments, "device": "cpu", **overrides})


def test_evaluation_writes_metrics_scores_and_report(example, tmp_path, at_root):
    evaluate(example, tmp_path)
    metrics = json.loads((tmp_path / "metrics.json").read_text())
    rows = list(csv.DictReader((tmp_path / "scores.csv").open()))
    assert list(rows[0])[:3] == ["image", "label", "score"]
    assert [row["image"] for row in rows] == [item["name"] for item in load_datalist(str(example.data), "test")]
    labels, scores = [int(r["label"]) for r in rows], [float(r["score"]) for r in rows]
    assert metrics["auroc"] == pytest.approx(roc_auc_score(labels, scores))
    report = (tmp_path / "report.html").read_text()
    assert "http://" not in report.replace("http://www.w3.org/", "") and "https://" not in report


def test_scores_are_the_detector_s_map_means(example, tmp_path, at_root):
    evaluate(example, tmp_path, batch_size=5, source_names=True)
    detector = load_trained(example.folder)
    preprocessing = Preprocessing(**spec_args(example.folder)["preprocessing"])
    for row in csv.DictReader((tmp_path / "scores.csv").open()):
        image = preprocessing({"image": str(example.data / row["image"])})["image"]
        with torch.inference_mode():
            assert float(row["score"]) == pytest.approx(
                float(detector(image[None]).mean()), abs=1e-5 / spread(detector)
            )


def test_inference_gives_one_record_per_file(example, tmp_path, at_root):
    folder = tmp_path / "incoming"
    folder.mkdir()
    for name in ("a.dcm", "b.dcm"):
        item = load_datalist(str(example.data), "test")[name == "b.dcm"]
        shutil.copy(item["image"], folder / name)
    Image.fromarray(np.random.default_rng(0).integers(0, 255, (80, 90), np.uint8)).save(folder / "c.png")
    (folder / "broken.dcm").write_bytes((folder / "a.dcm").read_bytes()[:2000])
    (folder / "notes.txt").write_text("not an image")
    Image.fromarray(np.zeros((8, 8), np.uint8)).save(folder / "tiny.png")
    run(
        config_file=example.config("inference"),
        dataset_dir=str(folder),
        output_dir=str(tmp_path / "out"),
        checkpoint=str(example.model),
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
            assert (tmp_path / "out" / record["map"]).is_file()
            assert LEAST_SCORE.get(example.bundle, -math.inf) < record["score"] < math.inf
            assert record["decision"] == "uncalibrated" and record["p_value"] is record["threshold"] is None
        else:
            assert record["status"] == "rejected" and record["reason"] and record["score"] is None


def test_runs_from_inside_the_bundle(example, tmp_path, monkeypatch):
    bundle = tmp_path / example.bundle
    shutil.copytree(bundle_root(example.bundle), bundle, ignore=shutil.ignore_patterns("output", "*.pt"))
    (bundle / "models").mkdir(exist_ok=True)
    shutil.copy(example.model, bundle / "models" / "model.pt")
    monkeypatch.chdir(bundle)
    run(config_file="configs/evaluate.json", dataset_dir=str(example.data), device="cpu")
    assert (bundle / "output" / "report.html").is_file()
    assert not (bundle / "bundles").exists()


# ---- the bundle as MONAI sees it -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "kind"), [("train", "train"), *((name, "infer") for name in ("evaluate", "calibrate", "inference"))]
)
def test_properties(example, tmp_path, at_root, name, kind):
    overrides = {"dataset_dir": str(example.data), "output_dir": str(tmp_path)}
    if name != "train":
        overrides["checkpoint"] = str(example.model)
    workflow = ConfigWorkflow(config_file=example.config(name), workflow_type=kind, logging_file=False, **overrides)
    workflow.initialize()
    assert workflow.check_properties() == []


@pytest.mark.parametrize("bundle", EXAMPLES)
def test_metadata(bundle, at_root, tmp_path):
    shutil.copy(SCHEMA, tmp_path / "schema.json")
    verify_metadata(meta_file=config("metadata", bundle), filepath=str(tmp_path / "schema.json"))


@pytest.mark.parametrize("bundle", EXAMPLES)
@pytest.mark.parametrize("name", ["train", "inference"])
def test_network_format(at_root, name, bundle):
    files = {"meta_file": config("metadata", bundle), "config_file": config(name, bundle)}
    verify_net_in_out("network_def", **files, device="cpu")


def export_arguments(example: Example, path: Path) -> dict[str, Any]:
    """Return what both exports of MONAI are told."""
    return {
        "net_id": "network_def",
        "filepath": str(path),
        "ckpt_file": str(example.model),
        "meta_file": example.config("metadata"),
        "config_file": example.config("inference"),
        "key_in_ckpt": "model",
        "checkpoint": str(example.model),
    }


def test_torchscript_export_scores_the_same(example, tmp_path, at_root):
    ckpt_export(**export_arguments(example, tmp_path / "model.ts"))
    exported, _, _ = load_net_with_metadata(str(tmp_path / "model.ts"))
    detector = load_trained(example.folder)
    image = example.noise(3)
    with torch.inference_mode():
        torch.testing.assert_close(exported.eval()(image), detector(image), atol=1e-5 / spread(detector), rtol=1e-5)


@pytest.mark.skipif(not has_onnx, reason="onnxscript is not installed: pip install monai_anomaly[onnx]")
def test_onnx_export_scores_the_same(example, tmp_path, at_root):
    import onnxruntime

    image = example.noise(1)
    onnx_export(**export_arguments(example, tmp_path / "model.onnx"), input_shape=list(image.shape))
    session = onnxruntime.InferenceSession(str(tmp_path / "model.onnx"))
    detector = load_trained(example.folder)
    (ours,) = session.run(None, {session.get_inputs()[0].name: image.numpy()})
    with torch.inference_mode():
        np.testing.assert_allclose(ours, detector(image).numpy(), atol=ONNX_ATOL[example.bundle] / spread(detector))


@pytest.mark.parametrize(
    "path", sorted((ROOT / "bundles").glob("*/configs/*.json")), ids=lambda p: f"{p.parts[-3]}-{p.stem}"
)
def test_targets_are_whole_paths_of_known_packages(path):
    def targets(node: Any) -> Iterator[str]:
        if isinstance(node, dict):
            yield from [node["_target_"]] if "_target_" in node else []
            node = list(node.values())
        if isinstance(node, list):
            for child in node:
                yield from targets(child)

    for target in targets(ConfigParser(json.loads(path.read_text())).get()):
        assert target.startswith(("monai.", "monai_anomaly.", "torch.")), target
