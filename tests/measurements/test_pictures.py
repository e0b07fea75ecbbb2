# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

import numpy as np
from PIL import Image

from measurements.pictures import write_pictures


def test_pictures_are_gray_png_of_a_photograph_s_weight(tmp_path):
    write_pictures(tmp_path / "a", 2)
    write_pictures(tmp_path / "b", 2)
    first, second = sorted((tmp_path / "a").iterdir())
    assert first.read_bytes() == (tmp_path / "b" / first.name).read_bytes()
    assert first.read_bytes() != second.read_bytes()
    assert 25_000 < first.stat().st_size < 60_000
    with Image.open(first) as image:
        assert (image.format, image.mode, image.size) == ("PNG", "L", (256, 256))
        values = np.asarray(image)
    assert values.std() > 20
    assert np.isin(values, (0, 255)).mean() < 0.1
