# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

from PIL import Image

from measurements.front_picture import SIDE, first_of_each_kind, fit


def test_the_first_image_of_each_kind_is_taken_and_none_is_chosen():
    kinds = ["focus", "normal", "mass", "focus", "normal"]
    entries = [{"image": str(n), "kind": kind, "label": int(kind != "normal")} for n, kind in enumerate(kinds)]
    taken = {kind: entry["image"] for kind, entry in first_of_each_kind(entries).items()}
    assert taken == {"no lesion": "1", "focus": "0", "mass": "2"}


def test_a_panel_shows_the_box_with_its_aspect():
    picture = Image.new("RGB", (400, 300))
    picture.paste((255, 255, 255), (100, 50, 400, 200))
    panel = fit(picture, (100, 50, 400, 200))
    assert panel.size == (SIDE, SIDE)
    assert panel.getbbox() == (0, SIDE // 4, SIDE, SIDE - SIDE // 4)
