# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

import numpy as np
import pytest

from monai_anomaly.report.gallery import MOST_REFUSED, Gallery, Picture


def _picture(name: str, label: int, score: float, decision: str = "") -> Picture:
    return Picture(name, label, score, np.zeros((1, 2, 2), np.float32), np.zeros((2, 2), np.float32), decision=decision)


@pytest.mark.parametrize("size", [0, 1, 5, 6, 24, 1000])
@pytest.mark.parametrize("decimals", [9, 0])  # 0: many ties
def test_keeps_what_sorting_everything_would(size, decimals):
    random = np.random.default_rng(size)
    cases = [
        (f"{i}", int(y), round(float(s), decimals))
        for i, (y, s) in enumerate(zip(random.integers(2, size=200), random.normal(size=200), strict=True))
    ]
    gallery = Gallery(size)
    for case in cases:
        if gallery.wants(case[1], case[2]):
            gallery.add(_picture(*case))
        assert len(gallery.pictures) <= size

    aside = size // 6
    top = sorted(cases, key=lambda case: -case[2])[: size - 2 * aside]
    missed = sorted((c for c in cases if c[1]), key=lambda case: case[2])[:aside]
    alarms = sorted((c for c in cases if not c[1]), key=lambda case: -case[2])[:aside]
    names = [case[0] for case in top]
    assert [p.name for p in gallery.most_anomalous] == names
    assert [p.name for p in gallery.missed] == [c[0] for c in missed if c[0] not in names]
    assert [p.name for p in gallery.false_alarms] == [c[0] for c in alarms if c[0] not in names]


def test_a_negative_size_is_refused():
    with pytest.raises(ValueError, match="0 or more, got -1"):
        Gallery(-1)


def test_keeps_the_first_refused_images_beside_the_others():
    gallery = Gallery(6)
    for i in range(60):
        decision = "not_applicable" if i % 2 else "normal"
        if gallery.wants(0, float(-i), decision):
            gallery.add(_picture(f"{i}", 0, float(-i), decision))
    assert [p.name for p in gallery.refused] == [f"{i}" for i in range(1, 2 * MOST_REFUSED, 2)]
    assert len({p.name for p in gallery.pictures}) == len(gallery.pictures) <= 6 + MOST_REFUSED
    assert not {p.name for p in gallery.other_refused} & {p.name for p in gallery.most_anomalous}
    empty = Gallery(0)
    assert not empty.wants(0, 1.0, "not_applicable")
