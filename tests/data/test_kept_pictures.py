# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

import numpy as np
from PIL import Image

from monai_anomaly.data.frame_source import DecodedImage
from monai_anomaly.data.image_reader import ClinicalImageReader
from monai_anomaly.data.kept_pictures import KeptPictures

BYTES = 4 * 4 * 8


def make(frame: int, rows: int = 4) -> DecodedImage:
    return DecodedImage(np.zeros((1, rows, 8), np.float32), "raster", frame=frame)


def test_a_picture_is_given_once():
    kept, picture = KeptPictures(BYTES), make(3)
    kept.put("a", picture)
    assert kept.take("a", 2) is None and kept.take("b", 3) is None
    assert kept.take("a", 3) is picture
    assert kept.take("a", 3) is None


def test_the_newest_are_kept_up_to_the_bound():
    kept, pictures = KeptPictures(2 * BYTES), [make(frame) for frame in range(3)]
    for picture in pictures:
        kept.put("a", picture)
    assert kept.take("a", 0) is None
    assert kept.take("a", 1) is pictures[1]
    kept.put("a", make(5))  # what was taken made room
    assert kept.take("a", 2) is pictures[2]


def test_the_same_frame_again_takes_the_place_of_the_first():
    kept, newer = KeptPictures(2 * BYTES), make(0)
    for picture in (make(1), make(0), newer):
        kept.put("a", picture)
    assert kept.take("a", 0) is newer
    assert kept.take("a", 1) is not None


def test_a_picture_above_the_bound_is_not_kept():
    kept = KeptPictures(BYTES)
    kept.put("a", make(0, rows=5))
    assert kept.take("a", 0) is None
    kept.put("a", make(1))
    assert kept.take("a", 1) is not None


def test_what_is_read_again_takes_no_room_from_what_waits(tmp_path):
    paths = [tmp_path / "a.png", tmp_path / "b.png"]
    for path in paths:
        Image.fromarray(np.zeros((40, 40), np.uint8)).save(path)
    reader, asked = ClinicalImageReader(), []
    ask = reader._ask
    reader._ask = lambda *rest, **more: asked.append(rest[1]) or ask(*rest, **more)
    reader.keep_pictures(40 * 40)  # one picture
    reader.read(paths[0])
    reader.read(paths[1])  # in place of the first
    reader.read_again(paths[0])
    assert asked == [*paths, paths[0]]
    reader.read_again(paths[1])  # is still there
    assert asked == [*paths, paths[0]]
