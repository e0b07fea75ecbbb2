# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

"""OCAD's layout of the data: folders of benign and cancerous images, as they are."""

from __future__ import annotations

import json
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from tests.helpers.ocad_terms import check_terms
from tests.helpers.tiny_bundles import Example, evaluate, outputs, tiny_words
from tests.helpers.trained_models import assert_same, load

pytestmark = pytest.mark.usefixtures("at_root")


TREE = {"Train/Benign": 20, "Train/Cancerous": 5, "Test/Benign": 4, "Test/Cancerous": 4}


def write_tree(root: Path, counts: dict[str, int]) -> Path:
    """Pictures of noise in folders, every third gray, of two sizes."""
    generator = np.random.default_rng(0)
    for folder, count in counts.items():
        (root / folder).mkdir(parents=True)
        for i in range(count):
            shape = (44 + 8 * (i % 2), 48, *((3,) if i % 3 else ()))
            Image.fromarray(generator.integers(0, 255, shape, np.uint8)).save(root / folder / f"{i:02}.png")
    return root


@pytest.fixture(scope="module")
def tree(make_once) -> Path:
    """OCAD's folders."""
    return make_once("tree", lambda folder: write_tree(folder, TREE))


@pytest.fixture(scope="module")
def trained_tree(tree, make_once) -> Example:
    """Return a short training on OCAD's folders."""
    return Example("ocad", tree, make_once("trained-ocad-tree", Example("ocad", tree, Path()).train))


@pytest.fixture
def opened() -> Iterator[list[str]]:
    """Return the paths that Python opens, from now on."""
    paths: list[str] = []
    watching = [True]

    def watch(event: str, arguments: tuple[Any, ...]) -> None:  # cannot be taken away again
        if watching and event == "open":
            paths.append(str(arguments[0]))

    sys.addaudithook(watch)
    yield paths
    watching.clear()


def test_the_layout_is_taken_as_it_is(trained_tree, tree, tmp_path):
    data = trained_tree.load()["data"]
    assert (data["training images"], data["validation images"]) == (18, 2)  # a tenth is held out
    rows = evaluate(trained_tree.folder, tree, tmp_path, bundle="ocad", source_names=True)
    names = [f"Test/{kind}/{i:02}.png" for kind in ("Benign", "Cancerous") for i in range(4)]
    assert [(row["image"], row["label"]) for row in rows] == [(name, str(int("Cancerous" in name))) for name in names]
    check_terms(trained_tree.folder, tmp_path)


@pytest.mark.parametrize("change", ["untouched", "deleted", "garbage"])
def test_a_training_never_sees_cancerous_images(trained_tree, tree, tmp_path, opened, change):
    data = tmp_path / "data"
    shutil.copytree(tree, data)
    if change == "deleted":
        shutil.rmtree(data / "Train" / "Cancerous")
    if change == "garbage":
        for path in (data / "Train" / "Cancerous").iterdir():
            path.write_bytes(b"no image at all")
    opened.clear()
    Example("ocad", data, tmp_path).train(tmp_path)
    assert any("Train/Benign" in path for path in opened)
    assert not [path for path in opened if "Train/Cancerous" in path]
    for name in ("checkpoint", "model"):
        assert_same(load(tmp_path / "models" / f"{name}.pt"), trained_tree.load(name))


# ---- bad input ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("folders", "expected"),
    [
        ({"Train/Moles": 2, "Test/Benign": 1}, "It holds Test/Benign (1 file), Train/Moles (2 files)"),
        ({"Learn/Benign": 2}, "It holds Learn/Benign (2 files)"),
        ({"Train/Benign": 0, "Train/Cancerous": 2}, "Train/Benign holds no images"),
        ({"Train/Benign": 1}, "none can be held out"),
        ({"Train/Benign": 6}, "put at least 2 normal images into the validation section"),
    ],
    ids=["other class", "other split", "no benign images", "one benign image", "few benign images"],
)
def test_folders_that_cannot_be(fails_ocad, tmp_path, folders, expected):
    data = write_tree(tmp_path / "data", folders)
    assert expected in fails_ocad(*tiny_words("ocad", data), *outputs(tmp_path), "--source_names", "True")
    assert not list(tmp_path.rglob("model.pt"))


def test_folders_are_not_named_unasked(fails_ocad, tmp_path):
    data = write_tree(tmp_path / "data", {"Train/Moles": 2})
    assert "It holds Train/another name (2 files)" in fails_ocad(*tiny_words("ocad", data), *outputs(tmp_path))


def test_a_validation_without_normals(fails_ocad, tree, tmp_path):
    data = tmp_path / "data"
    data.mkdir()
    (data / "tree").symlink_to(tree)

    def listing(folder: str, label: int) -> list[dict[str, Any]]:
        return [{"image": f"tree/{folder}/{path.name}", "label": label} for path in (tree / folder).iterdir()]

    listed = {"training": listing("Train/Benign", 0), "validation": listing("Train/Cancerous", 1)}
    (data / "dataset.json").write_text(json.dumps(listed))
    found = fails_ocad(*tiny_words("ocad", data), *outputs(tmp_path))
    assert "held-out normals, of which there are 0" in found and "validation section" in found
    assert not list(tmp_path.rglob("model.pt"))


def test_a_test_set_of_one_class(fails_ocad, examples, tmp_path):
    data = write_tree(tmp_path / "data", {"Test/Benign": 2})
    model = ["--checkpoint", str(examples("ocad").model), "--device", "cpu"]
    arguments = ["--dataset_dir", str(data), "--output_dir", str(tmp_path / "out")]
    assert "the test section has no abnormal images" in fails_ocad(*model, *arguments, names=("evaluate",))
    assert not (tmp_path / "out").exists()
