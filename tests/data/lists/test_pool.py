# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

import json
import logging
import random
from itertools import pairwise
from pathlib import Path

import pytest

from monai_anomaly.data.errors import DataListError
from monai_anomaly.data.lists.datalist import load_datalist
from monai_anomaly.data.lists.entries import NO_LABEL
from monai_anomaly.data.lists.pool import load_pool, with_pool
from tests.helpers.data_lists import make_list, make_tree

VALIDATION = [{"image": f"{i}.png", "label": label, "index": i} for i, label in enumerate((0, 1, 0))]


def test_normals_come_first_and_no_label_of_the_pool_is_kept(tmp_path):
    for name in ("test/normal/a.png", "test/abnormal/b.png"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_bytes(b"not read here")
    items = with_pool(VALIDATION, tmp_path, source_names=True)
    assert [item["label"] for item in items] == [0, 0, NO_LABEL, NO_LABEL]
    assert {item["name"] for item in items[2:]} == {"test/normal/a.png", "test/abnormal/b.png"}
    assert len({item["index"] for item in items}) == 4
    assert VALIDATION[1]["label"] == 1


def test_no_pool_and_no_normals_are_one_clear_sentence(tmp_path):
    with pytest.raises(DataListError, match="--pool_dir"):
        with_pool(VALIDATION, None)
    with pytest.raises(DataListError, match="no normal images"):
        with_pool(VALIDATION[1:2], tmp_path)
    with pytest.raises(DataListError, match="no files"):
        with_pool(VALIDATION, tmp_path)


def test_the_pool_of_a_training_can_be_compared_with_as_well(tmp_path):
    make_pool(tmp_path)
    pool = load_pool(tmp_path, source_names=True, size=6, seed=1)
    before = json.dumps([pool, VALIDATION])
    items = with_pool(VALIDATION, None, pool=pool)
    assert items[:2] == [VALIDATION[0], VALIDATION[2]]
    offset = len(VALIDATION)  # so that no two items share an index
    assert items[2:] == [{**item, "index": item["index"] + offset} for item in pool]
    assert len({item["index"] for item in items}) == len(items) == 8
    items[2]["name"] = items[0]["image"] = "changed"
    assert json.dumps([pool, VALIDATION]) == before


def test_labels_of_a_given_pool_are_dropped():
    pool = [{"image": f"{n}.png", "label": label, "index": n} for n, label in enumerate((0, 1, NO_LABEL))]
    assert [item["label"] for item in with_pool(VALIDATION, None, pool=pool)[2:]] == [NO_LABEL] * 3
    assert [item["label"] for item in pool] == [0, 1, NO_LABEL]


def test_a_folder_goes_before_a_given_pool(tmp_path):
    make_tree(tmp_path, "a.png", "b.png")
    pool = [{"image": "of the training", "label": NO_LABEL, "index": 0}]
    items = with_pool(VALIDATION, tmp_path, pool=pool, source_names=True)
    assert items == with_pool(VALIDATION, tmp_path, source_names=True)
    assert [item["name"] for item in items[2:]] == ["a.png", "b.png"]


@pytest.mark.parametrize("pool", [None, []])
def test_an_empty_pool_is_none(pool):
    with pytest.raises(DataListError, match="there is no pool to choose a checkpoint by; give --pool_dir"):
        with_pool(VALIDATION, None, pool=pool)
    with pytest.raises(DataListError, match="no normal images"):
        with_pool(VALIDATION[1:2], None, pool=[{"image": "a", "label": NO_LABEL, "index": 0}])


# ---- the pool to learn from -----------------------------------------------------------------------------------------

NORMAL, ABNORMAL = 12, 8


def make_pool(root: Path, labels: list | None = None) -> Path:
    """Return a data set with a pool; the name of each image says its label, ``u00_0.png``."""
    if labels is None:
        labels = [0] * NORMAL + [1] * ABNORMAL
        random.Random(0).shuffle(labels)
    return make_list(
        root,
        training=[{"image": f"t{n}.png", "label": 0} for n in range(2)],
        validation=[{"image": "v.png", "label": 0}],
        test=[{"image": "n.png", "label": 0}],
        unlabeled=[{"image": f"u{n:02}_{label}.png", "label": label} for n, label in enumerate(labels)],
    )


def draw(root: Path, **options) -> list[str]:
    return [item["name"] for item in load_pool(root, source_names=True, **options)]


def count(names: list[str]) -> tuple[int, int]:
    """Normal and abnormal images."""
    ill = sum(name.endswith("_1.png") for name in names)
    return len(names) - ill, ill


def test_the_whole_pool_and_a_draw_of_it(tmp_path):
    make_pool(tmp_path)
    items = load_pool(tmp_path, source_names=True)
    assert items == load_datalist(tmp_path, "unlabeled", source_names=True) and len(items) == 20
    drawn = load_pool(tmp_path, source_names=True, size=7, seed=3)
    assert len(drawn) == 7 and all(item in items for item in drawn)
    assert [item["index"] for item in drawn] == sorted({item["index"] for item in drawn})
    assert drawn == load_pool(tmp_path, source_names=True, size=7, seed=3)
    assert drawn != load_pool(tmp_path, source_names=True, size=7, seed=4)
    assert set(draw(tmp_path, size=7, seed=3)) < set(draw(tmp_path, size=12, seed=3))
    assert {item["label"] for item in drawn + load_pool(tmp_path, anomaly_ratio=0.5)} == {NO_LABEL}


@pytest.mark.parametrize("options", [{}, {"size": 7}, {"size": 7, "seed": 5}])
def test_without_a_ratio_the_labels_change_nothing(tmp_path, options, caplog):
    make_pool(tmp_path)
    content = json.loads((tmp_path / "dataset.json").read_text())
    found = []
    for labels in ([0, 1] * 10, [1] * 20, list(range(20)), [None] * 20, ["a finding"] * 19 + ["1"]):
        for item, label in zip(content["unlabeled"], labels, strict=True):
            item["label"] = label
        (tmp_path / "dataset.json").write_text(json.dumps(content))
        caplog.clear()
        with caplog.at_level(logging.DEBUG):
            items = load_pool(tmp_path, source_names=True, **options)
        found.append((json.dumps(items).encode(), caplog.text))
    assert len(set(found)) == 1


@pytest.mark.parametrize("size", [5, 8, 10])
@pytest.mark.parametrize("ratio", [0, 0.3, 0.5, 0.6, 0.8])
def test_a_ratio_draws_so_many_of_each(tmp_path, size, ratio, caplog):
    make_pool(tmp_path)
    with caplog.at_level(logging.DEBUG):
        names = draw(tmp_path, size=size, anomaly_ratio=ratio, seed=1)
    assert count(names) == (size - round(size * ratio), round(size * ratio))
    assert names == sorted(names) == draw(tmp_path, size=size, anomaly_ratio=ratio, seed=1)
    assert f"pool of {size} images" in caplog.text and "abnormal" not in caplog.text


def test_draws_are_nested(tmp_path):
    make_pool(tmp_path)
    draws = [set(draw(tmp_path, size=8, anomaly_ratio=ratio / 8, seed=2)) for ratio in range(9)]
    for step, (fewer, more) in enumerate(pairwise(draws)):
        assert count(sorted(more - fewer)) == (0, 1) and count(sorted(fewer - more)) == (1, 0), step
    assert draws[3] < set(draw(tmp_path, size=16, anomaly_ratio=3 / 8, seed=2))
    assert draws[3] != set(draw(tmp_path, size=8, anomaly_ratio=3 / 8, seed=3))


@pytest.mark.parametrize("ratio", [0, 0.01, 0.25, 1 / 3, 0.4, 0.5, 0.62, 0.9, 1])
def test_without_a_size_a_ratio_takes_as_many_as_there_are(tmp_path, ratio):
    make_pool(tmp_path)
    normal, abnormal = count(draw(tmp_path, anomaly_ratio=ratio))
    size = normal + abnormal
    assert abnormal == round(size * ratio)
    larger = [(s, round(s * ratio)) for s in range(size + 1, 21)]
    assert not [s for s, ill in larger if ill <= ABNORMAL and s - ill <= NORMAL]


@pytest.mark.parametrize(
    ("size", "ratio", "words"),
    [
        (12, 0.9, "size 12 has ratios from 0 to 0.666667, and the largest size for this ratio is 9"),
        (16, 0.1, "size 16 has ratios from 0.25 to 0.5, and the largest size for this ratio is 13"),
        (20, 0.5, "size 20 has ratios from 0.4 to 0.4, and the largest size for this ratio is 17"),
        (21, 0.4, "cannot be drawn from the 20 of the pool: no ratio has size 21, and the largest size for this ratio"),
        (21, None, "the pool has 20 images, so 21 cannot be drawn"),
    ],
)
def test_what_cannot_be_drawn_says_what_can(tmp_path, size, ratio, words):
    make_pool(tmp_path)
    with pytest.raises(DataListError) as caught:
        load_pool(tmp_path, size=size, anomaly_ratio=ratio)
    assert words in str(caught.value)
    if ratio is None:
        return
    largest = len(draw(tmp_path, anomaly_ratio=ratio))
    assert f"for this ratio is {largest};" in str(caught.value)
    if size <= 20:
        lowest, highest = (float(words.split()[i].rstrip(",")) for i in (5, 7))
        for there in (lowest, highest):
            assert len(draw(tmp_path, size=size, anomaly_ratio=there)) == size


@pytest.mark.parametrize(("label", "ratio"), [(0, 1), (1, 0), (1, 0.3)])
def test_a_pool_of_one_class_has_no_ratio_of_the_other(tmp_path, label, ratio):
    make_pool(tmp_path, [label] * 3)
    with pytest.raises(DataListError, match=f"it is all {('normal', 'abnormal')[label]}, and no size has this ratio"):
        load_pool(tmp_path, anomaly_ratio=ratio)
    assert len(load_pool(tmp_path, anomaly_ratio=label)) == 3


def test_a_ratio_needs_every_label(tmp_path):
    make_pool(tmp_path, [0, 1, 1, "unclear"])
    assert len(load_pool(tmp_path)) == 4
    with pytest.raises(DataListError, match=r"1 of 4 images of the pool have no label.*unlabeled\[3\].*anomaly_ratio"):
        load_pool(tmp_path, size=1, anomaly_ratio=0)


@pytest.mark.parametrize("options", [{"size": 0}, {"size": -1}, {"size": 2.0}, {"size": True}])
def test_a_size_that_no_pool_has(tmp_path, options):
    with pytest.raises(ValueError, match="size of the pool must be"):
        load_pool(make_pool(tmp_path), **options)


@pytest.mark.parametrize("ratio", [-0.1, 1.1, float("nan"), "0.5"])
def test_a_ratio_that_no_pool_has(tmp_path, ratio):
    with pytest.raises(ValueError, match="anomaly_ratio must be"):
        load_pool(make_pool(tmp_path), anomaly_ratio=ratio)


@pytest.mark.parametrize("options", [{}, {"size": 5}, {"anomaly_ratio": 0.5}])
def test_without_a_pool_training_goes_on_and_it_is_said(tmp_path, options, caplog):
    make_tree(tmp_path, "train/normal/a.png")
    assert load_pool(tmp_path, **options) == []
    assert [record.levelname for record in caplog.records] == ["WARNING"]
    assert "training goes on with normals and pseudo-anomalies alone" in caplog.text
    with pytest.raises(DataListError, match='add an "unlabeled" section'):
        load_pool(tmp_path, required=True, **options)


def test_the_seed_of_the_split_decides_whose_images_are_left_out(tmp_path):
    make_tree(tmp_path, *(f"{part}/p{n}/a.png" for n in range(20) for part in ("train/normal", "unlabeled")))
    for seed in (0, 1):
        held = {item["group"] for item in load_datalist(tmp_path, "validation", seed=seed, source_names=True)}
        pool = load_pool(tmp_path, split_seed=seed, source_names=True)
        assert len(pool) == 18 and not held & {item["group"] for item in pool}
