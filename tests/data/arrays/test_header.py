# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

"""Hostile headers and packed data never take memory beyond what is needed to refuse them."""

from __future__ import annotations

import gzip
import io
import tracemalloc
import zlib
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest

from monai_anomaly.data.arrays import itk_image
from monai_anomaly.data.arrays.header import ZlibStream, check_inflated, count_frames, to_spacing
from monai_anomaly.data.errors import ImageReadError
from monai_anomaly.data.image_reader import ClinicalImageReader

BOMB = bytes(64 * 2**20)
SMALL, LARGE = (56, 40), (8192, 8192)
NRRD = "NRRD0004\ntype: uchar\ndimension: 2\nsizes: {} {}\nencoding: gzip\n\n"
META = (
    "NDims = 2\nDimSize = {} {}\nElementType = MET_UCHAR\nCompressedData = True\nCompressedDataSize = {}\n"
    "ElementDataFile = LOCAL\n"
)


def write(folder: Path, kind: str, shape: tuple[int, int], data: bytes) -> Path:
    """Write a packed file whose header declares ``shape`` and 8 bits."""
    path = folder / f"a.{kind}"
    if kind == "nrrd":
        path.write_bytes(NRRD.format(*shape).encode() + gzip.compress(data))
    elif kind == "mha":
        packed = zlib.compress(data)
        path.write_bytes(META.format(*shape, len(packed)).encode() + packed)
    else:
        header = nib.Nifti1Header()
        header.set_data_shape(shape)
        header.set_data_dtype(np.uint8)
        header["magic"], header["vox_offset"] = b"n+1", 352
        path.write_bytes(gzip.compress(header.binaryblock + bytes(4) + data))
    return path


@pytest.mark.parametrize("kind", ["nrrd", "mha", "nii.gz"])
@pytest.mark.parametrize(
    ("shape", "data", "code"),
    [(SMALL, BOMB, "inconsistent"), (LARGE, bytes(9), "truncated"), (LARGE, b"", "truncated")],
)
def test_refusing_takes_no_memory(tmp_path: Path, monkeypatch, kind: str, shape, data: bytes, code: str):
    path = write(tmp_path, kind, shape, data)
    monkeypatch.setattr(itk_image, "_read_with_itk", lambda *_: pytest.fail("ITK was shown the file"))
    reader = ClinicalImageReader()
    tracemalloc.start()
    try:
        with pytest.raises(ImageReadError) as caught:
            reader.read(path)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert caught.value.code == code
    assert peak < 8 * 2**20


def test_bomb_ahead_of_the_pixels(tmp_path: Path):
    path = write(tmp_path, "nii.gz", SMALL, b"")
    content = bytearray(gzip.decompress(path.read_bytes()))
    content[108:112] = np.float32(2**30).tobytes()  # vox_offset
    path.write_bytes(gzip.compress(bytes(content)))
    with pytest.raises(ImageReadError) as caught:
        ClinicalImageReader().count_frames(path)
    assert caught.value.code == "inconsistent"


@pytest.mark.parametrize("size", [0, 1, 1000, 3 * 2**20])
def test_zlib_stream_gives_what_zlib_gives(size: int):
    data = np.random.default_rng(size).integers(0, 4, size, dtype=np.uint8).tobytes()
    packed = zlib.compress(data)
    stream = ZlibStream(io.BytesIO(packed), len(packed))
    assert b"".join(iter(lambda: stream.read(777_777), b"")) == data
    for cut in (1, 4, len(packed) // 2):
        with pytest.raises(EOFError):
            check_inflated(ZlibStream(io.BytesIO(packed[:-cut]), None), size)
    for other, code in ((size + 1, "truncated"), (size - 1, "inconsistent")):
        with pytest.raises(ImageReadError) as caught:
            check_inflated(ZlibStream(io.BytesIO(packed), None), other)
        assert caught.value.code == code


@pytest.mark.parametrize(
    ("shape", "axis", "expected"),
    [
        ((4, 5), None, 1),
        ((4, 5, 1, 1), None, 1),
        ((4, 5, 6), 2, 6),
        ((4, 5, 1, 6), 3, 6),
        ((4, 5, 1), 2, 1),
        ((4,), None, "inconsistent"),
        ((4, 0), None, "inconsistent"),
        ((4, 5, 6), None, "ambiguous_axes"),
        ((4, 5, 6, 2), 2, "ambiguous_axes"),
        ((4, 5, 6), 1, "inconsistent"),
        ((4, 5), 2, "inconsistent"),
    ],
)
def test_count_frames(shape, axis, expected):
    if isinstance(expected, int):
        assert count_frames(shape, axis) == expected
        return
    with pytest.raises(ImageReadError) as caught:
        count_frames(shape, axis)
    assert caught.value.code == expected


def test_spacing_is_row_before_column():
    assert to_spacing(2.0, 3.0, 0.5) == (1.5, 1.0)
    for bad in (0.0, -1.0, float("nan"), float("inf")):
        assert to_spacing(bad, 1.0) is None and to_spacing(1.0, bad) is None
