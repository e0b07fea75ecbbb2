# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from monai_anomaly.metrics.separation import Separation, Separations, separate

N = 120
FAST = {"n_permutations": 99, "n_bootstrap": 50}


def sets(seed: int = 0, count: int = N) -> tuple[np.random.Generator, np.ndarray, list[str]]:
    """A generator, the second half as the second set, and a patient for each image."""
    return np.random.default_rng(seed), np.arange(count) >= count // 2, [f"p{i}" for i in range(count)]


def named(found: Separations) -> dict[str, Separation]:
    return {one.name: one for one in found.single}


def test_a_number_is_as_good_as_its_auc_whichever_way_round():
    random, second, groups = sets()
    numbers = {
        "up": random.normal(size=N) + second,
        "down": random.normal(size=N) - second,
        "no": random.normal(size=N),
    }
    found = separate(numbers, {}, second, groups, **FAST)
    for name, one in named(found).items():
        auroc = roc_auc_score(second, numbers[name])
        assert one.auroc == pytest.approx(max(auroc, 1 - auroc)) and one.higher == (auroc >= 0.5)
        assert one.interval is not None and one.interval[0] < one.auroc < one.interval[1]
    assert [one.auroc for one in found.single] == sorted((one.auroc for one in found.single), reverse=True)
    real = {one.name for one in found.single if found.is_real(one)}
    assert real == {"up", "down"} and found.is_real(found.together)
    assert found.together.auroc > max(one.auroc for one in found.single) - 0.02 and found.together.higher is None


def test_the_same_images_give_the_same_result():
    random, second, groups = sets()
    numbers = {"a": random.normal(size=N)}
    assert separate(numbers, {}, second, groups, **FAST) == separate(numbers, {}, second, groups, **FAST)


def test_the_largest_of_many_is_more_than_chance_in_one_of_twenty_pools():
    alarms = 0
    for seed in range(40):
        random, second, groups = sets(seed, 60)
        numbers = {f"{i}": random.normal(size=60) for i in range(12)}
        categories = {"device": random.choice(list("abc"), 60).tolist()}
        found = separate(numbers, categories, second, groups, n_permutations=39, n_bootstrap=0)
        alarms += any(map(found.is_real, [*found.single, found.together]))
        assert found.by_chance > 0.6  # a single one would reach .62 one way, twelve need more
    assert alarms <= 6  # 2 expected; one that counts statistics singly has some 20


def test_patients_are_exchanged_and_not_their_images():
    alarms = 0
    for seed in range(30):
        random = np.random.default_rng(seed)
        owners = np.repeat(np.arange(24), 8)
        values = random.normal(size=24)[owners] + 0.1 * random.normal(size=len(owners))
        found = separate({"a": values}, {}, owners >= 12, [str(o) for o in owners], n_permutations=59, n_bootstrap=0)
        alarms += found.is_real(found.single[0])
    assert alarms <= 6  # 2 expected; as independent images more than half of them would be


def test_a_device_that_only_the_second_set_has_is_found():
    random, second, groups = sets()
    device = np.where(second & (random.random(N) < 0.6), "new", "old").tolist()
    noise = random.choice(["x", "y"], N).tolist()
    found = separate({}, {"device": device, "noise": noise}, second, groups, **FAST)
    one = named(found)["device"]
    assert one.auroc == pytest.approx(roc_auc_score(second, np.array(device) == "new"))
    assert one.higher is None and found.is_real(one) and not found.is_real(named(found)["noise"])


def test_a_category_for_each_image_says_nothing_and_rare_ones_count_as_one():
    _, second, groups = sets()
    found = separate({}, {"serial": groups}, second, groups, **FAST)
    assert found.single[0].auroc == 0.5 and found.single[0].interval is None and not found.is_real(found.single[0])


def test_values_at_both_ends_are_found_by_all_together_alone():
    random, second, groups = sets(count=200)
    values = np.where(second, random.choice([-3.0, 3.0], 200), 0.0) + random.normal(size=200)
    found = separate({"size": values}, {}, second, groups, **FAST)
    assert found.single[0].auroc < 0.6 and found.together.auroc > 0.9 and found.is_real(found.together)


def test_what_is_the_same_in_all_images_does_not_separate():
    random, second, groups = sets()
    found = separate({"same": np.ones(N), "a": random.normal(size=N)}, {"kind": ["PNG"] * N}, second, groups, **FAST)
    for name in ("same", "kind"):
        assert named(found)[name].auroc == 0.5 and named(found)[name].interval is None
        assert named(found)[name].p_value == 1.0


@pytest.mark.parametrize(
    ("numbers", "second", "said"),
    [
        ({}, [0, 1], "a statistic to compare"),
        ({"a": [0.0, np.nan]}, [0, 1], "'a' must be finite"),
        ({"a": [0.0]}, [0, 1], "'a' has 1 values for 2 images"),
        ({"a": [0.0, 1.0]}, [1, 1], "images of both sets, got 2 of 2"),
    ],
)
def test_what_cannot_be_compared_is_an_error(numbers, second, said):
    with pytest.raises(ValueError, match=said):
        separate(numbers, {}, second, ["a", "b"], **FAST)
