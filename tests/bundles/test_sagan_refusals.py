# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

"""Settings and data that cannot be, of SAGAN's bundle: each ends in one sentence, before anything is written."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.helpers.data_lists import Sections, relist, remove_labels, remove_pool
from tests.helpers.recipes import TINY
from tests.helpers.tiny_bundles import config, outputs, words

pytestmark = pytest.mark.usefixtures("at_root")


@pytest.fixture
def fails(sentence, tmp_path) -> Callable[..., str]:
    """Give a function that trains a tiny one on the command line, to fail before it writes; its one sentence."""

    def fail(data: Path, *overlays: str, **wrong: Any) -> str:
        files = [config(name, "sagan") for name in ("train", *overlays)]
        target = tmp_path / "target"
        arguments = words({**TINY["sagan"], "dataset_dir": data, **wrong})
        printed = sentence("--config_file", str(files), *arguments, *outputs(target))
        assert not target.exists(), f"something was left behind: {sorted(target.rglob('*'))}"
        return printed

    return fail


@pytest.mark.parametrize(
    ("wrong", "expected"),
    [
        ({"image_size": 40}, "image_size must be a multiple of 8 * grid"),
        ({"generator::grid": 3}, "got image_size 32 and grid 3"),
        ({"generator::unshuffle": 2}, "image_size must be a multiple of 16 * grid"),
        ({"critic::depth": 6}, "depth must lie in [1, 5], since image_size 32 can be halved 5 times"),
        ({"batch_size": 13}, "the pool has 12 images, fewer than a batch of 13"),
        ({"pool_size": 3}, "the pool has 3 images, fewer than a batch of 4"),
        ({"pool_size": 13}, "the pool has 12 images, so 13 cannot be drawn"),
        ({"pool_size": 12, "anomaly_ratio": 0.75}, "size 12 has ratios from 0.5 to 0.5, and the largest size for this"),
        ({"anomaly_ratio": 1.5}, "anomaly_ratio must be a number from 0 to 1"),
        ({"restoration": "cubic"}, "restoration must be one of 'squared', 'relative'"),
        ({"anomaly_ratios": 0.5}, "the nearest known is 'anomaly_ratio'"),
        ({"use_pool": "no"}, "--use_pool must be True or False"),
    ],
)
def test_a_setting_that_cannot_be(fails, small_radiographs, wrong, expected):
    assert expected in fails(small_radiographs, **wrong)


def share_a_patient(listed: Sections) -> None:
    listed["unlabeled"][0]["group"] = listed["test"][0]["group"]


def keep_one_normal(listed: Sections) -> None:
    listed["training"] = listed["training"][:1]


@pytest.mark.parametrize(
    ("change", "options", "expected"),
    [
        (share_a_patient, {}, "is in test and in unlabeled"),
        (keep_one_normal, {}, "the number of normal training images is 1, and a pseudo-anomaly takes its patch from"),
        (keep_one_normal, {"use_pool": False}, "the number of normal training images is 1"),
        (remove_labels, {"anomaly_ratio": 0.5}, "12 of 12 images of the pool have no label 0 or 1"),
    ],
)
def test_data_that_cannot_be(fails, small_radiographs, tmp_path, change, options, expected):
    assert expected in fails(relist(tmp_path / "data", small_radiographs, change), **options)


@pytest.mark.parametrize("options", [{}, {"use_pool": False}])
def test_without_a_pool_none_can_choose(fails, small_radiographs, tmp_path, options):
    data = small_radiographs if options else relist(tmp_path / "data", small_radiographs, remove_pool)
    assert "give --pool_dir" in fails(data, "select_by_pool", **options)
