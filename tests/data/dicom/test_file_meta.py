# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

import io
from pathlib import Path

import pytest
from pydicom.data import get_testdata_file
from pydicom.errors import InvalidDicomError
from pydicom.filereader import read_file_meta_info

from monai_anomaly.data.dicom.elements import quiet_pydicom
from monai_anomaly.data.dicom.file_meta import read_file_meta

SMALL = Path(str(get_testdata_file("CT_small.dcm", download=False)))
FILES = sorted(SMALL.parent.glob("*.dcm"))


def result_of(read, *arguments):
    try:
        return read(*arguments)
    except Exception as error:
        return type(error)


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_it_is_what_pydicom_reads_from_a_path(path: Path):
    with quiet_pydicom(), path.open("rb") as stream:
        assert result_of(read_file_meta, stream) == result_of(read_file_meta_info, path)


def test_the_stream_is_left_at_the_data_set():
    with SMALL.open("rb") as stream:
        meta = read_file_meta(stream)
        end = 132 + 12 + meta.FileMetaInformationGroupLength
        assert stream.tell() == end and stream.read(2) == b"\x08\x00"


def test_types_that_a_writer_left_out_are_found_out():
    uid = b"1.2.840.10008.1.2\0"
    element = b"\x02\x00\x10\x00" + len(uid).to_bytes(4, "little") + uid
    meta = read_file_meta(io.BytesIO(bytes(128) + b"DICM" + element + b"\x08\x00\x05\x00\x00\x00\x00\x00"))
    assert meta.TransferSyntaxUID == "1.2.840.10008.1.2"


def test_a_file_without_file_meta_information_has_none():
    stream = io.BytesIO(bytes(128) + b"DICM" + b"\x08\x00\x05\x00CS\x00\x00")
    assert len(read_file_meta(stream)) == 0 and stream.tell() == 132


def test_a_file_without_the_preamble_is_refused():
    with pytest.raises(InvalidDicomError):
        read_file_meta(io.BytesIO(bytes(400)))
