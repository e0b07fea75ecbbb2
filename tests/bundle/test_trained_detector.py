# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import pytest
import torch

from monai_anomaly.bundle import open_detector, run_details
from monai_anomaly.bundle.trained_detector import TrainedDetector
from monai_anomaly.data.lists.left_out import ItemList
from monai_anomaly.networks.nets.sagan.sagan import SAGAN
from monai_anomaly.networks.nets.sepiad.sepiad import SEPIAD
from monai_anomaly.utils.checkpoint import save_checkpoint
from monai_anomaly.utils.exceptions import CheckpointError

NETWORK = {"image_size": 32, "generator": {"channels": 4, "residual_blocks": 1}, "pooling": "either"}
DATA = {"frames": "middle", "split_seed": 0, "split_shares": [0.6, 0.1, 0.3]}
SPEC = {"detector": "SAGAN", "network": NETWORK, "preprocessing": {"image_size": 32}, "data": DATA}


def save(folder: Path, **more) -> Path:
    """Save a detector with weights of its own and whatever else is to be in its file."""
    torch.manual_seed(0)
    detector = SAGAN(**NETWORK)
    detector.score_mean.fill_(0.5)
    content = {"model": detector.state_dict(), "spec": SPEC, **more}
    save_checkpoint(content, folder / "model.pt")
    return folder / "model.pt"


def bundle(folder: Path, detector: str = "SAGAN") -> Path:
    """Make a bundle that says which detector it trains."""
    (folder / "configs").mkdir(parents=True)
    (folder / "configs" / "train.json").write_text(json.dumps({"spec": {**SPEC, "detector": detector}}))
    return folder


def test_one_file_gives_detector_preprocessing_and_hashes(tmp_path):
    path = save(tmp_path)
    trained = TrainedDetector.read(path)
    assert trained.is_trained and trained.spec == SPEC
    assert trained.model_hash == hashlib.sha256(path.read_bytes()).hexdigest()
    assert trained.preprocessing.image_shape == (1, 32, 32)
    torch.manual_seed(0)
    expected = SAGAN(**NETWORK).eval()
    expected.score_mean.fill_(0.5)
    image = torch.rand(2, 1, 32, 32)
    assert not trained.detector.training
    with torch.inference_mode():
        assert torch.equal(trained.detector(image), expected(image))
    assert trained.is_trained and trained.detector is trained.detector


def test_the_file_is_opened_once_whatever_is_asked(tmp_path):
    path = save(tmp_path, map_range=[0.0, 2.0], fingerprints=torch.tensor([3, 5]), data={"training images": 2})
    trained = TrainedDetector.read(path)
    path.unlink()
    assert trained.map_range == (0.0, 2.0) and trained.fingerprints.tolist() == [3, 5]
    assert trained.guard is None and trained.identity().model_hash == trained.model_hash
    assert run_details(trained)["training images"] == 2
    trained.require_trained()


def test_score_statistics_are_those_of_the_normals(tmp_path):
    statistics = TrainedDetector.read(save(tmp_path)).score_statistics
    assert {name: value.tolist() for name, value in statistics.items()} == {
        "score_mean": [0.5, 0.5],
        "score_std": [1.0, 1.0],
    }


def test_the_spec_s_hash_is_of_how_detector_and_preprocessing_are_made():
    def spec_hash(**changed):
        return TrainedDetector("m.pt", {"spec": {**SPEC, **changed}}, "").spec_hash

    assert spec_hash() == spec_hash(training={"seed": 1}) != spec_hash(preprocessing={"image_size": 64})


@pytest.mark.parametrize(
    ("rule", "chosen_by"),
    [("epoch 3, the best of 5", "epoch 3, the best of 5"), ("the last iteration, as no epoch had it", "")],
)
def test_how_the_weights_were_chosen(rule, chosen_by):
    trained = TrainedDetector("m.pt", {"spec": SPEC, "model": {}, "data": {"checkpoint rule": rule}}, "0" * 64)
    assert trained.chosen_by == trained.identity().chosen_by == chosen_by
    assert (
        run_details(TrainedDetector("m.pt", {"spec": SPEC, "data": {"checkpoint rule": rule}}, ""))["checkpoint rule"]
        == rule
    )


def test_a_report_says_where_weights_come_from():
    network = {"image_size": 32, "feature_layers": ["r22"], "feature_width": 0.1}
    detector = SEPIAD(**network)
    detector.features.origin = "self-supervised, 7 steps on 3 normals"
    content = {"spec": {**SPEC, "detector": "SEPIAD", "network": network}, "model": detector.state_dict()}
    details = run_details(TrainedDetector("m.pt", content, "ab" * 32))
    assert list(details)[:2] == ["weights", "features"]
    assert details["weights"] == "sha256 abababababababab"
    assert details["features"] == "self-supervised, 7 steps on 3 normals"
    assert details["parameters"] == sum(p.numel() for p in detector.parameters())


# ---- refusals and what is before a training ------------------------------------------------------------------------


def test_a_guard_of_another_version(tmp_path):
    with pytest.raises(CheckpointError, match="another version"):
        _ = TrainedDetector.read(save(tmp_path, guard={"version": 0})).guard


@pytest.mark.parametrize(
    "model", [torch.nn.Linear(4, 3).state_dict(), {"generator": 3}, {1: torch.zeros(2)}, [torch.zeros(2)], None]
)
def test_weights_that_do_not_fit_the_spec(model):
    content = {"spec": SPEC, "model": model}
    with pytest.raises(CheckpointError, match=r"'m\.pt' is of another architecture"):
        _ = TrainedDetector("m.pt", content, "0" * 64).detector


def test_a_detector_that_nobody_knows():
    with pytest.raises(CheckpointError, match=r"'Other' is no detector of this version .* OCAD, SAGAN, SEPIAD, SimSID"):
        _ = TrainedDetector("m.pt", {"spec": {**SPEC, "detector": "Other"}, "model": {}}, "").detector


def test_before_a_training_the_settings_are_those_of_the_bundle(tmp_path):
    trained = open_detector(tmp_path / "model.pt", bundle(tmp_path))
    assert not trained.is_trained and trained.spec == SPEC
    assert trained.map_range == (0.0, 1.0) and trained.guard is None and trained.fingerprints is None
    assert trained.detector(torch.rand(1, 1, 32, 32)).shape == (1, 1, 32, 32)
    assert run_details(trained)["weights"] == "none"
    for refuse in (trained.require_trained, trained.identity):
        with pytest.raises(CheckpointError, match=r"there is no checkpoint .*train first"):
            refuse()


def test_a_checkpoint_of_another_bundle(tmp_path):
    path = save(tmp_path)
    assert open_detector(path, bundle(tmp_path / "same")).is_trained
    assert open_detector(path, tmp_path / "nowhere").is_trained
    with pytest.raises(CheckpointError, match="is of a SAGAN and this bundle's network is a OCAD"):
        open_detector(path, bundle(tmp_path / "other", "OCAD"))


def test_the_details_say_what_is_left_out_of_the_images():
    trained = TrainedDetector("m.pt", {"spec": SPEC}, "")
    items = ItemList([], {"masks of images": 5, "empty files": 1})
    assert run_details(trained, items)["left out of the images"] == "5 masks of images; 1 empty files"
    assert "left out of the images" not in run_details(trained, [])
