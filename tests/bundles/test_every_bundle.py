# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

"""What the trained detectors of every bundle do alike, and the bundles as MONAI sees them."""

from __future__ import annotations

import csv
import json
import math
import shutil
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
from torch import nn

from monai_anomaly.__main__ import main
from monai_anomaly.apps.zoo.rules import SCHEMA
from monai_anomaly.bundle import TrainedDetector
from monai_anomaly.calibration.calibration import Calibration
from monai_anomaly.data.lists.datalist import load_datalist
from monai_anomaly.transforms.preprocessing import Preprocessing
from tests.helpers.recipes import TINY
from tests.helpers.repository import ROOT
from tests.helpers.tiny_bundles import Example, bundle_root, config, evaluate, table
from tests.helpers.trained_models import spec_args, spread

pytestmark = pytest.mark.usefixtures("at_root")

LEAST_SCORE = {"sepiad": 0.0}  # those of others are in standard deviations
_, has_onnx = optional_import("onnxscript")
needs_onnx = pytest.mark.skipif(not has_onnx, reason="onnxscript is not installed: pip install monai_anomaly[onnx]")


# ---- evaluation and inference --------------------------------------------------------------------------------------


def evaluate_example(example: Example, output: Path, **overrides: Any) -> None:
    evaluate(example.folder, example.data, output, bundle=example.bundle, **overrides)


def test_evaluation_writes_metrics_scores_and_report(example, tmp_path):
    evaluate_example(example, tmp_path)
    metrics = json.loads((tmp_path / "metrics.json").read_text())
    rows = list(csv.DictReader((tmp_path / "scores.csv").open()))
    assert list(rows[0])[:3] == ["image", "label", "score"]
    assert [row["image"] for row in rows] == [item["name"] for item in load_datalist(str(example.data), "test")]
    labels, scores = [int(r["label"]) for r in rows], [float(r["score"]) for r in rows]
    assert metrics["auroc"] == pytest.approx(roc_auc_score(labels, scores))
    report = (tmp_path / "report.html").read_text()
    assert "http://" not in report.replace("http://www.w3.org/", "") and "https://" not in report


def test_scores_are_the_detector_s_map_means(example, tmp_path):
    evaluate_example(example, tmp_path, batch_size=5, source_names=True)
    detector = example.detector
    preprocessing = Preprocessing(**spec_args(example.folder)["preprocessing"])
    for row in csv.DictReader((tmp_path / "scores.csv").open()):
        image = preprocessing({"image": str(example.data / row["image"])})["image"]
        with torch.inference_mode():
            assert float(row["score"]) == pytest.approx(
                float(detector(image[None]).mean()), abs=1e-5 / spread(detector)
            )


def test_inference_gives_one_record_per_file(example, tmp_path):
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
            for picture in (record["map"], record["overlay"]):
                assert Image.open(tmp_path / "out" / picture).size == tuple(record["source_shape"][::-1])
            assert LEAST_SCORE.get(example.bundle, -math.inf) < record["score"] < math.inf
            assert record["decision"] == "uncalibrated" and record["p_value"] is record["threshold"] is None
        else:
            assert record["status"] == "rejected" and record["reason"] and record["score"] is None
    rows = table(tmp_path / "out" / "predictions.csv")
    assert [(row["image"], row["score"]) for row in rows] == [
        (record["image"], "" if record["score"] is None else repr(record["score"])) for record in records
    ]
    page = (tmp_path / "out" / "index.html").read_text()
    assert all(name in page for name in by_name) and f'href="{by_name["c.png"]["overlay"]}"' in page


@pytest.mark.parametrize("name", ["simsid-report", "ocad", "sagan", "embedding"])  # SEPIAD's: test_calibration.py
def test_a_calibration_decides(examples, tmp_path, name):
    example = examples(name)
    model = shutil.copy(example.model, tmp_path / "model.pt")
    arguments = {"checkpoint": str(model), "dataset_dir": str(example.data), "device": "cpu"}
    run(run_id="calibrate", config_file=example.config("calibrate"), **arguments)
    calibration = Calibration.load(tmp_path / "calibration.json")
    known = [item for item in load_datalist(str(example.data), "validation") if item["label"] == 0]
    assert (calibration.n_images, calibration.n_patients) == (len(known), len({item["group"] for item in known}))
    more = {"output_dir": str(tmp_path / "out"), "false_alarm_rate": calibration.least_rate, "guard": False}
    run(config_file=example.config("inference"), **arguments, **more)
    records = [json.loads(line) for line in (tmp_path / "out" / "records.jsonl").read_text().splitlines()]
    assert len(records) == 12  # the test images, none of a pool
    for record in records:
        assert record["p_value"] == calibration.p_value(record["score"])
        assert record["decision"] == calibration.decide(record["score"], calibration.least_rate)
        assert name != "simsid-report" or 0 <= record["score"] <= 1  # bounded, as published


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
def test_properties(example, tmp_path, name, kind):
    overrides = {"dataset_dir": str(example.data), "output_dir": str(tmp_path)}
    if name != "train":
        overrides["checkpoint"] = str(example.model)
    workflow = ConfigWorkflow(config_file=example.config(name), workflow_type=kind, logging_file=False, **overrides)
    workflow.initialize()
    assert workflow.check_properties() == []


OVERLAYS = [
    *(("sepiad", name) for name in ("paper", "few_normals")),
    *(("simsid", name) for name in ("paper", "squid", "report")),
    *(("ocad", name) for name in ("paper", "reference")),
    ("sagan", "paper"),
    *((bundle, "select_by_pool") for bundle in TINY),
]
SMALLER = {"generator::channels": 4, "generator::residual_blocks": 1, "critic::channels": 4, "batch_size": 4}
"""What makes SAGAN's published networks fit into the memory."""


@pytest.mark.parametrize(("bundle", "overlay"), OVERLAYS)
def test_overlays_have_the_properties_too(examples, tmp_path, bundle, overlay):
    data = examples(bundle).data
    places = {"dataset_dir": str(data), "output_dir": str(tmp_path), "ckpt_dir": str(tmp_path)}
    more = SMALLER if (bundle, overlay) == ("sagan", "paper") else {}
    if overlay == "select_by_pool" and bundle not in ("sagan", "embedding"):  # which have one
        more = {"pool_dir": str(data / "test")}
    files = [config(name, bundle) for name in ("train", overlay)]
    workflow = ConfigWorkflow(config_file=files, workflow_type="train", logging_file=False, **places, **more)
    workflow.initialize()
    assert workflow.check_properties() == []


@pytest.mark.parametrize("bundle", TINY)
def test_metadata(bundle, tmp_path):
    shutil.copy(SCHEMA, tmp_path / "schema.json")
    verify_metadata(meta_file=config("metadata", bundle), filepath=str(tmp_path / "schema.json"))


@pytest.mark.parametrize("bundle", TINY)
@pytest.mark.parametrize("name", ["train", "inference"])
def test_network_format(name, bundle):
    files = {"meta_file": config("metadata", bundle), "config_file": config(name, bundle)}
    verify_net_in_out("network_def", **files, device="cpu")


def export_arguments(example: Example, path: Path) -> dict[str, Any]:
    """Return what both exports of MONAI are told, by the zoo's checks too."""
    return {
        "net_id": "network_def",
        "filepath": str(path),
        "ckpt_file": str(example.model),
        "meta_file": example.config("metadata"),
        "config_file": example.config("inference"),
        "checkpoint": str(example.model),
    }


def test_torchscript_export_scores_the_same(recipe, tmp_path):
    ckpt_export(**export_arguments(recipe, tmp_path / "model.ts"))
    exported, _, _ = load_net_with_metadata(str(tmp_path / "model.ts"))
    detector, images = recipe.detector, recipe.images("test", 1)
    with torch.inference_mode():
        torch.testing.assert_close(exported.eval()(images), detector(images), atol=1e-5 / spread(detector), rtol=1e-5)


@needs_onnx
def test_onnx_export_of_monai_scores_the_same(examples, tmp_path):
    import onnxruntime

    example = examples("ocad")  # the quickest
    image = example.images("test", 1)[:1]
    onnx_export(**export_arguments(example, tmp_path / "model.onnx"), input_shape=list(image.shape))
    session = onnxruntime.InferenceSession(str(tmp_path / "model.onnx"))
    detector = example.detector
    (ours,) = session.run(None, {session.get_inputs()[0].name: image.numpy()})
    with torch.inference_mode():
        np.testing.assert_allclose(ours, detector(image).numpy(), atol=1e-5 / spread(detector))


def exported(example: Example, path: Path) -> tuple[nn.Module, nn.Module]:
    """Return the trained detector, and what opens the file that the verb wrote."""
    assert main(["export", str(example.model), str(path)]) == 0
    return example.detector, TrainedDetector.read(path).detector


def assert_same_scores(detector: nn.Module, program: nn.Module, images: torch.Tensor) -> None:
    """Compare the scores of batches of 1, 3 and 7 and of all images, and their maps."""
    for batch in (images[:1], images[:3], images[:7], images):
        with torch.inference_mode():
            expected, given = detector(batch), program(batch)
        close = {"atol": 1e-5 / spread(detector), "rtol": 1e-5}
        torch.testing.assert_close(given.mean((1, 2, 3)), expected.mean((1, 2, 3)), **close)
        torch.testing.assert_close(given, expected, **close)


@pytest.mark.parametrize("kind", ["pt2", "ts"])
def test_an_exported_file_scores_the_same(example, tmp_path, kind):
    images = torch.cat([example.images(section) for section in ("test", "training", "validation")])
    assert_same_scores(*exported(example, tmp_path / f"new.{kind}"), images)


@needs_onnx
def test_an_exported_onnx_file_scores_the_same(example, tmp_path):
    detector, program = exported(example, tmp_path / "new.onnx")
    assert_same_scores(detector, program, example.images("test"))


def test_a_consensus_is_not_exported(examples, tmp_path, capfd):
    assert main(["export", str(examples("consensus").model), str(tmp_path / "new.pt2")]) == 1
    assert "export its members, one file each" in capfd.readouterr().err
    assert not list(tmp_path.iterdir())


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
