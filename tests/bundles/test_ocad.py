# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

"""What only the OCAD bundle and its recipes do, as a user runs them, through monai.bundle."""

from __future__ import annotations

import json
from pathlib import Path
from statistics import fmean, pstdev
from typing import Any

import pytest
import torch
from sklearn.metrics import roc_auc_score

from monai_anomaly.engines.objectives.ocad import OCADObjective
from monai_anomaly.networks.blocks.self_attention import SelfAttentionBlock
from tests.helpers.ocad_terms import check_terms
from tests.helpers.recipes import RECIPES, TINY
from tests.helpers.tiny_bundles import Example, evaluate, table, train
from tests.helpers.trained_models import assert_same, load, spec_args

pytestmark = pytest.mark.usefixtures("at_root")

NAMES = [name for name, recipe in RECIPES.items() if recipe.bundle == "ocad"]


@pytest.fixture
def trained_ocad(examples) -> Path:
    """Return the folder of a short training."""
    return examples("ocad").folder


# ---- training ------------------------------------------------------------------------------------------------------


def test_the_gaussian_term_follows_its_schedule(trained_ocad):
    rows = table(trained_ocad / "output" / "history.csv")
    assert [float(row["gaussian_weight"]) for row in rows] == [0.25, 0.5, 0.5]
    first, second, third = (float(row["latent_std"]) for row in rows)
    assert first == second != third  # refreshed in the first epoch and the third


@pytest.mark.parametrize("name", NAMES)
def test_the_score_is_fitted_to_the_last_weights(examples, name):
    example, detector = examples(name), examples(name).detector
    with torch.inference_mode():
        latents = detector.encode(example.images("training", 0))
        terms = detector.score_terms(example.images("validation", 0)).double()
    if latents.dim() == 4:
        latents = latents.movedim(1, 3).flatten(0, 2)
    torch.testing.assert_close(detector.descriptor.center, latents.mean(dim=0), rtol=1e-4, atol=1e-6)
    assert terms.shape == (3, 2)
    assert terms.mean(dim=0).tolist() == pytest.approx([0.0, 0.0], abs=1e-3)
    assert terms.std(dim=0, correction=0).tolist() == pytest.approx([1.0, 1.0], rel=1e-3)


def test_the_published_encoder_stays_as_it_was(examples, resnet):
    content = examples("ocad-paper").load("checkpoint")
    layers = {name: value for name, value in load(resnet).items() if not name.startswith("fc.")}
    assert_same({name: content["model"][f"encoder.body.{name}"] for name in layers}, layers)
    (group,) = content["optimizers"]["generator"]["param_groups"]
    detector = examples("ocad-paper").detector
    trained = [*detector.bottleneck.parameters(), *detector.decoder.parameters()]
    assert len(group["params"]) == len(trained)
    assert group["lr"] == 0.0 < group["initial_lr"]  # the power law is at its end
    assert "resnet18" not in json.dumps(content["spec"]["training"])  # nor where its weights were


# ---- evaluation ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", NAMES)
def test_the_terms_sum_to_the_score(examples, tmp_path, name):
    folder = examples(name).folder
    evaluate(folder, examples(name).data, tmp_path, bundle="ocad")
    check_terms(folder, tmp_path)
    rows, numbers = table(tmp_path / "terms.csv"), json.loads((tmp_path / "terms.json").read_text())
    labels = [int(row["label"]) for row in rows]
    assert (numbers["n_normal"], numbers["n_abnormal"]) == (6, 6)
    assert numbers["numbers"].keys() == {"score", "reconstruction", "gaussian"}
    for term, found in numbers["numbers"].items():
        auroc = roc_auc_score(labels, [float(row[term]) for row in rows])
        assert found["auroc"]["value"] == pytest.approx(auroc)


def test_the_terms_of_held_out_normals_are_standardized(trained_ocad, small_skin, tmp_path):
    evaluate(trained_ocad, small_skin, tmp_path, bundle="ocad", section="validation", guard=False)
    rows = [row for row in table(tmp_path / "terms.csv") if row["label"] == "0"]
    for term in ("reconstruction", "gaussian"):
        values = [float(row[term]) for row in rows]
        assert (fmean(values), pstdev(values)) == pytest.approx((0.0, 1.0), abs=1e-2)


# ---- ablations -----------------------------------------------------------------------------------------------------


@pytest.fixture
def other(small_skin, tmp_path) -> Example:
    """Return a detector that is yet to be trained."""
    return Example("ocad", small_skin, tmp_path)


def train_and_evaluate(other: Example, **overrides: Any) -> list[dict[str, str]]:
    """Train for an epoch and evaluate; the history."""
    other.train(other.folder, max_epochs=1, **overrides)
    evaluate(other.folder, other.data, other.folder / "evaluation", bundle="ocad")
    check_terms(other.folder, other.folder / "evaluation")
    return table(other.folder / "output" / "history.csv")


def test_without_the_interpolation_no_batch_is_doubled(other, monkeypatch):
    seen, terms = [], OCADObjective.generator_terms

    def count(self, batch):
        seen.append(len(batch["image"]))
        return terms(self, batch)

    monkeypatch.setattr(OCADObjective, "generator_terms", count)
    (row,) = train_and_evaluate(other, interpolation_weight=0)
    assert seen == [4, 4]
    assert row.keys() >= {"reconstruction", "gaussian"}
    assert not {*row} & {"critic_mixture", "critic_plain", "interpolation"}


def test_without_the_interpolation_one_image_is_a_batch(other):
    other.train(other.folder, max_epochs=1, interpolation_weight=0, batch_size=1)
    assert other.model.is_file()


def test_without_attention(examples, other):
    train_and_evaluate(other, **{"encoder::attention_stage": "$None"})
    assert spec_args(other.folder)["network"]["encoder"]["attention_stage"] is None
    with_attention, without = (examples("ocad").detector, other.detector)
    blocks = [sum(isinstance(m, SelfAttentionBlock) for m in d.modules()) for d in (with_attention, without)]
    assert blocks == [1, 0]


def test_without_the_gaussian(other):
    (row,) = train_and_evaluate(other, gaussian_weight=0, gaussian_share=0)
    assert float(row["gaussian_weight"]) == 0 and not float(row.get("gaussian") or 0)
    detector = other.detector
    image = other.images("test", 1)
    with torch.inference_mode():
        error = (detector.judge(image)[0] - detector.score_mean[0]) / detector.score_std[0]
        torch.testing.assert_close(detector(image), error)


def test_a_latent_map_gives_a_coarse_map_of_the_distance(other):
    train_and_evaluate(other, latent="map", latent_channels=3)
    image = other.images("test", 1)
    with torch.inference_mode():
        distance = other.detector.judge(image)[1]
    coarse = distance[:, :, ::4, ::4]  # two stages
    assert torch.equal(distance, coarse.repeat_interleave(4, 2).repeat_interleave(4, 3))
    assert (coarse.flatten(1).std(dim=1) > 0).all()


@pytest.mark.parametrize("overrides", [{"channels": 1}, {"spread": "scalar"}, {"critic_input": "latent"}], ids=str)
def test_other_settings(other, overrides):
    if "critic_input" in overrides:
        size = TINY["ocad"]["latent_channels"]
        target = "monai_anomaly.networks.nets.ocad.critics.LatentCritic"
        critic = {"_target_": target, "latent_size": size, "hidden": 8}
        tiny = {key: value for key, value in TINY["ocad"].items() if key != "critic::channels"}
        train(other.folder, other.data, bundle="ocad", tiny=tiny, max_epochs=1, critic=critic, **overrides)
        evaluate(other.folder, other.data, other.folder / "evaluation", bundle="ocad")
    else:
        train_and_evaluate(other, **overrides)
    if "channels" in overrides:
        assert other.images("test", 1).shape[1:] == (1, 32, 32)
    if "spread" in overrides:
        assert len(other.detector.descriptor.variance.unique()) == 1
