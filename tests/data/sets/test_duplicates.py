# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

import hashlib

import numpy as np
import pytest
import torch

from monai_anomaly.data.sets.duplicates import find_duplicates, pixel_hash


@pytest.fixture
def image():
    return np.random.default_rng(0).random((1, 5, 7), np.float32)


def test_a_hash_is_what_it_says(image):
    """Written out byte by byte, so that hashes kept from today mean the same tomorrow."""
    head = b"".join(n.to_bytes(8, "little") for n in (3, 1, 5, 7))
    body = b"".join(int(v.view(np.uint32)).to_bytes(4, "little") for v in image.ravel())
    assert pixel_hash(image) == hashlib.blake2b(head + body, digest_size=16).hexdigest()


def test_the_same_values_have_one_hash_in_any_container(image):
    other = [torch.from_numpy(image), np.asfortranarray(image), image.astype(">f4"), image.astype(np.float64)]
    other += [np.repeat(image, 2, axis=2)[..., ::2], image.tolist()]
    assert {pixel_hash(value) for value in other} == {pixel_hash(image)}
    assert pixel_hash(np.array([-0.0])) == pixel_hash(np.array([0.0]))


def test_another_value_place_or_shape_is_another_hash(image):
    changed = image.copy()
    changed[0, 4, 6] = np.nextafter(changed[0, 4, 6], np.float32(2))
    other = [changed, image[:, ::-1], image.reshape(1, 7, 5), image[0], image[None], image[..., :-1]]
    other += [np.zeros(0), np.zeros((0, 1)), np.zeros((1, 0))]
    assert len({pixel_hash(value) for value in [image, *other]}) == 1 + len(other)


def test_the_image_is_left_alone(image):
    before = image.copy()
    pixel_hash(image)
    assert np.array_equal(image, before)


@pytest.mark.parametrize(
    ("hashes", "groups"),
    [
        ([], []),
        (["a"], []),
        (["a", "b", "c"], []),
        (["b", "a", "a", "b", "c", "b"], [[0, 3, 5], [1, 2]]),
        (["", "", "a"], []),
    ],
)
def test_groups_are_of_equal_hashes(hashes, groups):
    assert find_duplicates(hashes) == groups
