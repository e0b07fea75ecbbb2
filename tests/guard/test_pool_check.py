# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

import json

import pytest
import torch

from monai_anomaly.guard.pool_check import PoolCheck, check_pool_statistics
from monai_anomaly.metrics.separation import TOGETHER, Separation, Separations


def one(name: str, auroc: float, *, higher: bool | None = True, p: float = 0.002) -> Separation:
    return Separation(name, auroc, (auroc - 0.05, auroc + 0.03), higher, p)


def check(*single: Separation, together: float = 0.6, p: float = 0.002) -> PoolCheck:
    model = one(TOGETHER, together, higher=None, p=p)
    return PoolCheck(60, 50, 100, Separations(single, model, 0.58), unknown=("device", "year"))


def test_a_strong_statistic_is_a_warning_with_the_disease_that_it_would_take():
    found = check(one("sharpness", 0.92, higher=False), one("noise", 0.8), one("contrast", 0.6), together=0.95)
    assert found.warning == (
        "The sharpness alone separates pool and normals with an AUC of 0.92 (95 % 0.87 to 0.95, lower in the pool), "
        "and so do noise 0.80. Disease alone does that only where at least 74 % of the pool are abnormal; if it is the "
        "machine and not the disease, the detector will find machines."
    )
    assert " ".join(found.sentences[:2]) == found.warning and found.is_strong
    assert found.sentences[2:] == [
        "By chance the largest of 4 reaches 0.58 in 1 of 20 pools; the AUC of all together is 0.95 (0.90 to 0.98).",
        "Not known of any image, so not compared: device, year.",
    ]
    assert found.short == {"pool warning": found.warning}


def test_many_strong_ones_are_counted():
    many = [one(f"s{i}", 0.9 - i / 100) for i in range(6)]
    assert "and so do s1 0.89, s2 0.88 and 3 more." in check(*many).warning


def test_of_a_format_it_does_not_say_that_it_may_be_disease():
    warning = check(one("file format", 0.99, higher=None)).warning
    assert "No disease changes that" in warning and "in the pool" not in warning


def test_a_strong_one_by_chance_is_none_and_a_weak_one_no_warning():
    few = check(one("sharpness", 0.8, p=0.3), p=0.3)
    assert few.warning == "" and few.sentences[0].endswith("by more than chance (largest: sharpness 0.80).")
    weak = check(one("sharpness", 0.65))
    assert weak.warning == "" and "which is little and more than chance" in weak.sentences[0]
    assert "at least 20 % of the pool" in weak.sentences[1] and not weak.is_strong
    assert weak.short == {"pool check": " ".join(weak.sentences)}


def test_all_together_may_warn_where_none_does_alone():
    assert check(one("noise", 0.7), together=0.81).warning.startswith(
        "All statistics together separate pool and normals with an AUC of 0.81 (95 % 0.76 to 0.84), the largest alone "
        "with noise 0.70. Disease alone"
    )
    assert "and none alone" in check(one("noise", 0.55, p=0.5), together=0.81).warning


def test_it_can_be_written_as_json():
    state = json.loads(json.dumps(check(one("noise", 0.7)).state(), allow_nan=False))
    assert state["statistics"][0]["name"] == "noise" and state["all_together"]["auroc"] == 0.6
    assert state["by_chance"] == 0.58 and state["n_pool"] == 50 and state["unknown"] == ["device", "year"]


def images(count: int, seed: int, *, patients: int | None = None) -> tuple[torch.Tensor, list[dict[str, object]]]:
    values = torch.rand(count, 1, 24, 24, generator=torch.Generator().manual_seed(seed))
    size = {"rows": 100, "columns": 100, "gray_mean": 0.5, "gray_std": 0.2}
    return values, [{**size, "group": f"{seed}-{i % (patients or count)}"} for i in range(count)]


def test_pictures_of_another_size_are_found_and_equal_ones_are_not():
    normals, pool = images(40, 1), images(40, 2)
    assert check_pool_statistics(*normals, *pool).warning == ""
    small = [item | {"rows": 80} for item in pool[1]]
    found = check_pool_statistics(*normals, pool[0], small)
    assert {one.name for one in found.real} >= {"picture height", "aspect ratio", "picture size"}
    assert found.warning.startswith("The picture height alone separates pool and normals with an AUC of 1.00")
    assert found.n_patients == 80 and set(found.unknown) == {"device", "file format", "color model", "modality", "year"}


@pytest.mark.parametrize("part", [0, 1])
def test_few_patients_are_not_compared(part):
    sets = [images(40, 1), images(40, 2)]
    sets[part] = images(40, 3, patients=9)
    found = check_pool_statistics(*sets[0], *sets[1])
    assert found.found is None and found.warning == "" and "it takes 10" in found.sentences[0]
    assert (
        found.state()["statistics"] == [] and found.short == {"pool check": found.sentences[0]} and not found.is_strong
    )


def test_a_large_set_is_thinned(monkeypatch):
    monkeypatch.setattr("monai_anomaly.guard.pool_check.MOST_IMAGES", 30)
    normals, pool = images(31, 1), images(20, 2)
    assert check_pool_statistics(*normals, *pool).n_normal == 30
