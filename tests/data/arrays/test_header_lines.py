# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

"""Lines of text headers are counted before ITK compares each with those before it."""

from __future__ import annotations

import io

import pytest

from monai_anomaly.data.arrays.meta_header import read_meta_header
from monai_anomaly.data.arrays.nrrd_header import read_nrrd_header
from monai_anomaly.data.errors import ImageReadError

NRRD = b"NRRD0004\ntype: uint8\ndimension: 2\nsizes: 5 4\nencoding: raw\n%s\n" + bytes(20)
META = b"ObjectType = Image\nNDims = 2\nDimSize = 5 4\nElementType = MET_UCHAR\n%sElementDataFile = LOCAL\n" + bytes(20)


@pytest.mark.parametrize("line", [b"#\n", b"k%d:=v\n"])
def test_lines_of_an_nrrd(line):
    lines = [line % number if b"%" in line else line for number in range(5000)]
    assert read_nrrd_header(io.BytesIO(NRRD % b"".join(lines[:4000]))).shape == (5, 4)
    with pytest.raises(ImageReadError, match="budget: the NRRD header has more than 4096 lines; export it again"):
        read_nrrd_header(io.BytesIO(NRRD % b"".join(lines)))


@pytest.mark.parametrize("line", [b"\n", b"K%d = v\n"])
def test_lines_of_a_metaimage(line):
    lines = [line % number if b"%" in line else line for number in range(5000)]
    assert read_meta_header(io.BytesIO(META % b"".join(lines[:4000]))).shape == (5, 4)
    with pytest.raises(ImageReadError, match="budget: the MetaImage header has more than 4096 lines; export it again"):
        read_meta_header(io.BytesIO(META % b"".join(lines)))
