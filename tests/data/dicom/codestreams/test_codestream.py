# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

"""What compressed frames say about themselves, where the header or an offset table says something else."""

from __future__ import annotations

import io
import struct
from pathlib import Path

import gdcm
import numpy as np
import pytest
from openjpeg.utils import encode_array
from PIL import Image
from pydicom import dcmread
from pydicom.dataset import Dataset
from pydicom.encaps import encapsulate
from pydicom.uid import UID, JPEG2000Lossless, JPEGBaseline8Bit, RLELossless

from monai_anomaly.data.channels import LUMA
from tests.helpers.dicom_files import make_dataset, read, refusal, save

COLORS = np.repeat(
    np.repeat(np.array([[[255, 0, 0], [0, 255, 0]], [[0, 0, 255], [200, 180, 30]]], np.uint8), 16, 0), 16, 1
)
EXPECTED = COLORS.transpose(2, 0, 1) / 255
JFIF = b"\xff\xe0\x00\x10JFIF\x00\x01\x01\x00\x00\x01\x00\x01\x00\x00"
CONTRADICT = "(0028,0004) Photometric Interpretation"


def adobe(transform: int) -> bytes:
    return b"\xff\xee\x00\x0eAdobe\x00\x64\x00\x00\x00\x00" + bytes([transform])


def make_jpeg(kind: str, markers: bytes, names: bytes = b"\1\2\3", subsampling: int = 0) -> bytes:
    """Return a JPEG of ``COLORS`` that stores RGB or YBR, with these markers and names of components only."""
    stream = io.BytesIO()
    Image.fromarray(COLORS).save(stream, "JPEG", quality=98, subsampling=subsampling, keep_rgb=kind == "RGB")
    code, kept, at = stream.getvalue(), b"\xff\xd8" + markers, 2
    while code[at + 1] != 0xDA:
        segment = bytearray(code[at : at + 2 + int.from_bytes(code[at + 2 : at + 4], "big")])
        at += len(segment)
        if segment[1] == 0xC0:
            segment[10:19:3] = names
        if segment[1] not in (0xE0, 0xEE):
            kept += bytes(segment)
    scan = bytearray(code[at:])
    scan[5:11:2] = names
    return kept + bytes(scan)


def compressed(codes: list[bytes], syntax: UID, pixels: np.ndarray, photometric: str, **elements: object) -> Dataset:
    dataset = make_dataset(pixels, photometric, **elements)
    dataset.file_meta.TransferSyntaxUID = syntax
    dataset.PixelData = encapsulate(codes)
    dataset["PixelData"].is_undefined_length = True
    return dataset


@pytest.mark.parametrize("planar", [0, 1])
@pytest.mark.parametrize(
    ("kind", "photometric", "markers", "names"),
    [
        ("YBR", "RGB", b"", b"\1\2\3"),  # colors stored more coarsely than brightness
        ("RGB", "RGB", b"", b"\1\2\3"),
        ("RGB", "RGB", b"", b"RGB"),
        ("RGB", "RGB", adobe(0), b"\1\2\3"),
        ("RGB", "RGB", adobe(0), b"RGB"),
        ("YBR", "YBR_FULL_422", b"", b"\1\2\3"),
        ("YBR", "YBR_FULL", b"", b"\0\1\2"),
        ("YBR", "YBR_FULL", JFIF, b"\1\2\3"),
        ("YBR", "YBR_FULL", adobe(1), b"\1\2\3"),
        ("YBR", "YBR_FULL", JFIF + adobe(1), b"\1\2\3"),
        ("YBR", "RGB", JFIF, b"\1\2\3"),
        ("YBR", "RGB", adobe(1), b"\1\2\3"),
    ],
)
def test_colors_of_jpeg(tmp_path: Path, kind: str, photometric: str, markers: bytes, names: bytes, planar: int):
    code = make_jpeg(kind, markers, names)
    dataset = compressed([code], JPEGBaseline8Bit, COLORS, photometric, PlanarConfiguration=planar)
    image, meta = read(save(tmp_path / "a.dcm", dataset))
    np.testing.assert_allclose(image, EXPECTED, atol=0.02)
    assert [CONTRADICT in note for note in meta["warnings"]] == [True] * (kind != photometric[:3])


@pytest.mark.parametrize(
    ("photometric", "markers", "names"),
    [
        ("YBR_FULL", adobe(0), b"\1\2\3"),
        ("YBR_FULL", b"", b"RGB"),
        ("RGB", JFIF + adobe(0), b"\1\2\3"),
    ],
)
def test_jpeg_that_may_be_either_is_refused(tmp_path: Path, photometric: str, markers: bytes, names: bytes):
    dataset = compressed([make_jpeg("YBR", markers, names)], JPEGBaseline8Bit, COLORS, photometric)
    error = refusal(save(tmp_path / "a.dcm", dataset))
    assert error.code == "inconsistent" and CONTRADICT in error.message


@pytest.mark.parametrize("subsampling", [1, 2])
def test_subsampled_colors_without_a_marker_are_ybr_whatever_the_header_says(tmp_path: Path, subsampling: int):
    code = make_jpeg("YBR", b"", subsampling=subsampling)
    image, meta = read(save(tmp_path / "a.dcm", compressed([code], JPEGBaseline8Bit, COLORS, "RGB")))
    np.testing.assert_allclose(image[:, 4::16, 4::16], EXPECTED[:, 4::16, 4::16], atol=0.1)
    assert [CONTRADICT in note for note in meta["warnings"]] == [True]
    named = compressed([make_jpeg("YBR", b"", b"RGB", subsampling=subsampling)], JPEGBaseline8Bit, COLORS, "RGB")
    assert refusal(save(tmp_path / "b.dcm", named)).code == "inconsistent"


@pytest.mark.parametrize("transform", [False, True])
@pytest.mark.parametrize("photometric", ["RGB", "YBR_RCT", "YBR_FULL"])
def test_colors_of_jpeg2000(tmp_path: Path, photometric: str, transform: bool):
    pixels = COLORS
    if photometric == "YBR_FULL":
        pixels = np.asarray(Image.fromarray(COLORS).convert("YCbCr"))
    code = encode_array(pixels, photometric_interpretation=1, use_mct=transform)
    path = save(tmp_path / "a.dcm", compressed([code], JPEG2000Lossless, COLORS, photometric))
    if transform == {"RGB": transform, "YBR_RCT": True, "YBR_FULL": False}[photometric]:
        np.testing.assert_allclose(read(path)[0], EXPECTED, atol=0.01)
    else:
        error = refusal(path)
        assert error.code == "inconsistent" and CONTRADICT in error.message


@pytest.mark.parametrize("photometric", ["YBR_RCT", "YBR_ICT"])
def test_colors_of_jpeg2000_in_other_files(tmp_path: Path, photometric: str):
    assert refusal(save(tmp_path / "a.dcm", make_dataset(COLORS, photometric))).code == "inconsistent"
    dataset = make_dataset(COLORS, "RGB")
    dataset.compress(RLELossless, encoding_plugin="pydicom")
    dataset.PhotometricInterpretation = photometric
    assert refusal(save(tmp_path / "b.dcm", dataset)).code == "inconsistent"


@pytest.mark.parametrize("planar", [0, 1])
def test_lossless_jpeg_has_colors_by_pixel(tmp_path: Path, planar: int):
    reader, change, writer = gdcm.ImageReader(), gdcm.ImageChangeTransferSyntax(), gdcm.ImageWriter()
    reader.SetFileName(save(tmp_path / "a.dcm", make_dataset(COLORS, "RGB")))
    assert reader.Read()
    change.SetTransferSyntax(gdcm.TransferSyntax(gdcm.TransferSyntax.JPEGLosslessProcess14_1))
    change.SetInput(reader.GetImage())
    assert change.Change()
    writer.SetFileName(str(tmp_path / "b.dcm"))
    writer.SetFile(reader.GetFile())
    writer.SetImage(change.GetOutput())
    assert writer.Write()
    dataset = dcmread(tmp_path / "b.dcm")
    dataset.PlanarConfiguration = planar
    np.testing.assert_allclose(read(save(tmp_path / "c.dcm", dataset))[0], EXPECTED, atol=1e-6)


# --- frames in fragments ---------------------------------------------------------------------------------------------

LEVELS = (40, 120, 200)


def make_frames(table: list[int], frames: int, parts: int) -> Dataset:
    """Return a cine of three gray frames, each in so many fragments, with any offset table."""
    fragments = []
    for level in LEVELS:
        stream = io.BytesIO()
        Image.fromarray(np.full((16, 16), level, np.uint8)).save(stream, "JPEG", quality=95)
        code = stream.getvalue() + bytes(len(stream.getvalue()) % 2)
        step = len(code) // parts // 2 * 2
        fragments += [code[i * step : (i + 1) * step if i < parts - 1 else None] for i in range(parts)]
    dataset = compressed(
        [b"none"], JPEGBaseline8Bit, np.zeros((16, 16), np.uint8), "MONOCHROME2", NumberOfFrames=frames
    )
    starts = np.cumsum([0] + [8 + len(fragment) for fragment in fragments])
    offsets = struct.pack(f"<{len(table)}I", *(int(starts[at]) for at in table))
    dataset.PixelData = b"".join(b"\xfe\xff\x00\xe0" + struct.pack("<I", len(x)) + x for x in [offsets, *fragments])
    return dataset


@pytest.mark.parametrize("parts", [1, 2, 3])
@pytest.mark.parametrize("table", [[], [0, 1, 2], [0, 2, 1], [2, 0, 0], [0, 1], [0, 1, 2, 3]])
def test_a_wrong_offset_table_gives_no_other_frame(tmp_path: Path, table: list[int], parts: int):
    path = save(tmp_path / "a.dcm", make_frames(table, 3, parts))
    for frame, level in enumerate(LEVELS):
        assert float(read(path, frame=frame)[0].mean()) * 255 == pytest.approx(level, abs=1)


@pytest.mark.parametrize("parts", [1, 2])
@pytest.mark.parametrize("frames", [1, 2])
def test_more_frames_than_declared(tmp_path: Path, frames: int, parts: int):
    error = refusal(save(tmp_path / "a.dcm", make_frames([0, parts][:frames], frames, parts)), frame=0)
    assert error.code == "frame_count" and "(0028,0008) Number of Frames" in error.message


def test_more_run_lengths_than_declared(tmp_path: Path):
    gray = np.rint(COLORS @ LUMA).astype(np.uint8)
    dataset = make_dataset(np.stack([gray, 255 - gray]))
    dataset.compress(RLELossless, encoding_plugin="pydicom")
    for frame, expected in enumerate((gray, 255 - gray)):
        image, _ = read(save(tmp_path / "a.dcm", dataset), frame=frame)
        np.testing.assert_allclose(image[0] * 255, expected, atol=1e-4)
    dataset.NumberOfFrames = 1
    assert refusal(save(tmp_path / "a.dcm", dataset)).code == "frame_count"
