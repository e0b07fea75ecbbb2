# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image
from skimage.feature import hog
from sklearn.covariance import LedoitWolf
from sklearn.metrics import roc_auc_score

from monai_anomaly.apps.benchmark.baselines import (
    STATISTICS,
    hog_features,
    mahalanobis_scores,
    neighbor_scores,
    pixel_features,
    reconstruction_scores,
    score_baselines,
)

RNG = np.random.default_rng(0)


@pytest.fixture(scope="module")
def images() -> np.ndarray:
    return RNG.uniform(size=(3, 64, 64)).astype(np.float32).astype(np.float64)


@pytest.mark.parametrize("normals", [8, 60])  # fewer and more than features
def test_mahalanobis_is_scikit_learn_s(normals):
    train, test = RNG.normal(size=(normals, 20)) @ RNG.normal(size=(20, 20)), RNG.normal(size=(5, 20))
    np.testing.assert_allclose(mahalanobis_scores(train, test), LedoitWolf().fit(train).mahalanobis(test), rtol=1e-7)


def test_reconstruction_error_is_what_lies_off_the_components():
    direction = np.array([3.0, 4.0, 0.0]) / 5
    train = np.array([1.0, 2.0, 3.0]) + np.outer(RNG.normal(size=50), direction)
    off = np.array([-4.0, 3.0, 0.0]) / 5
    test = train[:2] + np.outer([0.0, 2.0], off)
    np.testing.assert_allclose(reconstruction_scores(train, test), [0.0, 4.0 / 3], atol=1e-12)


def test_reconstruction_keeps_95_percent_of_the_variance():
    spread = np.sqrt([60.0, 34.0, 4.0, 2.0])  # the first two hold 94 %
    train = np.vstack([np.diag(spread), -np.diag(spread)])
    np.testing.assert_allclose(reconstruction_scores(train, np.eye(4)), [0, 0, 0, 0.25], atol=1e-12)


def test_neighbors_by_the_slow_way():
    train, test = RNG.normal(size=(9, 4)), RNG.normal(size=(3, 4))
    slow = [np.sort([np.sqrt(((t - n) ** 2).sum()) for n in train])[:5].mean() for t in test]
    np.testing.assert_allclose(neighbor_scores(train, test), slow)
    np.testing.assert_allclose(neighbor_scores(train[:1], test), np.linalg.norm(test - train[0], axis=1))


def test_features(images):
    pixels = pixel_features(images)
    assert pixels.shape == (3, 4096)
    np.testing.assert_allclose(pixels[1], ((images[1] - images[1].mean()) / images[1].std()).ravel(), rtol=1e-4)
    np.testing.assert_array_equal(pixel_features(np.full((1, 64, 64), 0.5)), 0)
    histograms = hog_features(images)
    np.testing.assert_array_equal(
        histograms[2], hog(images[2], orientations=9, pixels_per_cell=(8, 8), cells_per_block=(2, 2))
    )


def test_statistics_of_pictures_with_known_ones():
    half = np.zeros((64, 64))
    half[:, 32:] = 1.0
    values = {name: statistic(half) for name, statistic in STATISTICS.items()}
    assert values["mean"] == values["standard deviation"] == 0.5
    assert values["entropy"] == 1.0
    assert values["share of dark pixels"] == values["share of bright pixels"] == 0.5
    assert values["mean gradient"] == pytest.approx(2 * 0.5 / 64)
    assert values["sharpness"] == pytest.approx(2 / 64)  # +1 and -1 in two columns
    flat = np.full((64, 64), 0.5)
    assert [STATISTICS[name](flat) for name in ("entropy", "sharpness", "mean gradient")] == [0, 0, 0]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Noise; abnormal test images are darker and have a larger file, which single statistics must find."""
    root = tmp_path_factory.mktemp("noise")
    rng = np.random.default_rng(1)
    for section, name, count, low in (
        ("train", "normal", 10, 60),
        ("test", "normal", 5, 60),
        ("test", "abnormal", 4, 0),
    ):
        (root / section / name).mkdir(parents=True)
        for number in range(count):
            size = 40 if low else 44
            pixels = rng.integers(low, 200, (size, 48)).astype(np.uint8)
            Image.fromarray(pixels).save(root / section / name / f"{number}.png")
    (root / "test" / "normal" / "9.png").write_bytes(b"no image")
    return root


def score(folder):
    with pytest.warns(UserWarning, match="random backbone weights"):
        return score_baselines(folder, backbone_weights="random")


@pytest.fixture(scope="module")
def scored(folder):
    return score(folder)


def test_all_baselines_of_a_folder(scored):
    rows = scored["rows"]
    assert [row["method"] for row in rows if row["kind"] == "baseline"] == [
        "PCA, pixels",
        "Mahalanobis, pixels",
        "nearest neighbors, pixels",
        "PCA, HOG",
        "Mahalanobis, HOG",
        "nearest neighbors, HOG",
        "PaDiM, mean, Lite0",
        "PaDiM, top 5 %, Lite0",
        "PatchCore, Lite0",
        "nearest neighbors, Lite0",
    ]
    assert scored["left_out"] == ""
    assert sorted(scored["labels"]) == [0] * 5 + [1] * 4
    assert (scored["n_fitted"], scored["n_rejected"]) == (9, 1)  # a tenth of the normals is held out
    assert all(len(row["scores"]) == 9 and row["seconds"] > 0 for row in rows)
    assert not any("normal" in name or ".png" in name for name in scored["names"])


def test_missing_weights_leave_their_rows_out_with_a_sentence_and_the_others_as_they_are(folder, scored, monkeypatch):
    """Without the weights their rows are missing, and it says so; the others are the same."""
    monkeypatch.setattr("monai_anomaly.networks.nets.features.packaged_weights.PACKAGE", "not_there_at_all")
    without = score_baselines(folder)
    assert without["left_out"].startswith("PaDiM, PatchCore and nearest neighbors on pretrained features are left out")
    assert 'pip install "monai_anomaly[pretrained]"' in without["left_out"]
    others = [row for row in scored["rows"] if "Lite0" not in row["method"]]
    assert [(row["method"], row["scores"]) for row in without["rows"]] == [
        (row["method"], row["scores"]) for row in others
    ]


def test_statistics_are_marked_as_oracles_and_the_best_comes_first(scored):
    rows = [row for row in scored["rows"] if row["kind"] == "statistic"]
    aurocs = [roc_auc_score(scored["labels"], row["scores"]) for row in rows]
    assert aurocs == sorted(aurocs, reverse=True) and aurocs[0] == 1.0 and aurocs[-1] >= 0.5
    assert [row["oracle"] for row in rows] == ["choice and direction"] + ["direction"] * (len(rows) - 1)
    named = {row["method"]: auroc for row, auroc in zip(rows, aurocs, strict=True)}
    assert named["mean, lower"] == named["rows of the file, higher"] == 1.0
    assert not any(name.startswith("columns") for name in named)  # the same for all files


def test_a_single_normal_fails_what_cannot_work_and_no_more(folder, monkeypatch):
    monkeypatch.setattr("monai_anomaly.apps.benchmark.baselines.MOST_NORMALS", 1)
    rows = {row["method"]: row for row in score(folder)["rows"]}
    assert "reason" in rows["Mahalanobis, HOG"] or not np.isfinite(rows["Mahalanobis, HOG"]["scores"]).all()
    assert np.isfinite(rows["nearest neighbors, HOG"]["scores"]).all()
    assert rows["PaDiM, mean, Lite0"]["reason"] == "PaDiM needs two normals or more, got 1."
    assert np.isfinite(rows["PatchCore, Lite0"]["scores"]).all()
