# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

"""A codestream that says something else about its values than the header does: it counts, with a warning."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from pydicom import uid

from tests.helpers.codestreams import encode_jpeg2000, encode_jpeg_lossless, encode_jpeg_ls, encode_run_lengths, wrap
from tests.helpers.dicom_files import read, refusal, save
from tests.helpers.pictures import encode, make_gray

GRAY = make_gray(64, 80)
DEEP = GRAY.astype(np.uint16) * 16 + 5  # of 12 bits
SIGNED = (DEEP.astype(np.int32) - 2048).astype(np.int16)
WORDS = (SIGNED.astype(np.int32) & 0xFFF).astype(np.uint16)
EXPECTED = DEEP / 4095
BITS, SIGN, SYNTAX = "(0028,0101) Bits Stored", "(0028,0103) Pixel Representation", "(0002,0010) Transfer Syntax UID"
J2K = uid.JPEG2000Lossless


def header(stored: int, signed: int, **elements: object) -> dict[str, object]:
    return {"BitsStored": stored, "HighBit": stored - 1, "PixelRepresentation": signed, **elements}


@pytest.mark.parametrize(
    ("code", "syntax", "stored", "signed", "warning"),
    [
        (encode_jpeg2000(DEEP, 12), J2K, 12, 0, ""),
        (encode_jpeg2000(SIGNED, 12), J2K, 12, 1, ""),
        (encode_jpeg2000(SIGNED, 12), J2K, 12, 0, SIGN),
        (encode_jpeg2000(WORDS, 12), J2K, 12, 1, SIGN),
        (encode_jpeg2000(DEEP, 12), J2K, 16, 0, BITS),
        (encode_jpeg2000(SIGNED, 12), J2K, 16, 1, BITS),
        (encode_jpeg2000(SIGNED, 12), J2K, 16, 0, SIGN),
        (encode_jpeg2000(DEEP, 16), J2K, 12, 0, ""),  # room to spare contradicts nothing
        (encode_jpeg_ls(DEEP, 12), uid.JPEGLSLossless, 12, 0, ""),
        (encode_jpeg_ls(WORDS, 12), uid.JPEGLSLossless, 12, 1, ""),  # JPEG-LS knows no sign
        (encode_jpeg_ls(DEEP, 12), uid.JPEGLSLossless, 16, 0, BITS),
        (encode_jpeg_ls(DEEP, 16), uid.JPEGLSLossless, 12, 0, ""),
        (encode_jpeg_ls(DEEP, 12), J2K, 12, 0, SYNTAX),
        (encode_jpeg2000(DEEP, 12), uid.JPEGLosslessSV1, 12, 0, SYNTAX),
    ],
)
@pytest.mark.parametrize("windowed", [False, True])
def test_bits_sign_and_syntax(
    tmp_path: Path, code: bytes, syntax: uid.UID, stored: int, signed: int, warning: str, windowed: bool
):
    negative = signed or warning == SIGN
    window = {"WindowCenter": 2048 - 2048 * negative, "WindowWidth": 4096} if windowed else {}
    image, meta = read(save(tmp_path / "a.dcm", wrap(code, syntax, DEEP, **header(stored, signed, **window))))
    np.testing.assert_allclose(image[0], EXPECTED, atol=2e-3 if windowed else 1e-6)
    notes = meta["warnings"]
    assert any(warning in note for note in notes) if warning else notes == []


def test_lossless_jpeg_of_16_bits_with_signed_and_unsigned_words(tmp_path: Path):
    for pixels, signed in ((DEEP, 0), (SIGNED.view(np.uint16), 1)):
        code = encode_jpeg_lossless(pixels, tmp_path)
        path = save(tmp_path / "a.dcm", wrap(code, uid.JPEGLosslessSV1, DEEP, **header(12, signed)))
        image, meta = read(path)
        np.testing.assert_allclose(image[0], EXPECTED, atol=1e-6)
        assert meta["warnings"] == []


@pytest.mark.parametrize(("syntax", "stored"), [(uid.JPEGBaseline8Bit, 16), (uid.JPEGExtended12Bit, 12)])
def test_a_jpeg_of_8_bits_in_a_header_of_more(tmp_path: Path, syntax: uid.UID, stored: int):
    code = encode(GRAY, "JPEG", quality=95)
    image, meta = read(save(tmp_path / "a.dcm", wrap(code, syntax, DEEP, **header(stored, 0))))
    assert np.abs(image[0] - GRAY / 255).mean() < 0.01
    assert len(meta["warnings"]) == 1 and BITS in meta["warnings"][0]


def test_bits_allocated_16_for_a_jpeg_of_8_bits(tmp_path: Path):
    code = encode(GRAY, "JPEG", quality=95)
    image, meta = read(save(tmp_path / "a.dcm", wrap(code, uid.JPEGBaseline8Bit, DEEP, **header(8, 0))))
    assert np.abs(image[0] - GRAY / 255).mean() < 0.01 and meta["warnings"] == []


@pytest.mark.parametrize("encoder", [encode_jpeg2000, encode_jpeg_ls])
def test_values_beyond_the_header_are_refused(tmp_path: Path, encoder):
    syntax = J2K if encoder is encode_jpeg2000 else uid.JPEGLSLossless
    error = refusal(save(tmp_path / "a.dcm", wrap(encoder(DEEP, 16), syntax, DEEP, **header(10, 0))))
    assert error.code == "inconsistent" and BITS in error.message


def test_what_lossy_compression_puts_beyond_the_header_is_clipped(tmp_path: Path):
    values = np.where(DEEP > 2000, 1023, 0).astype(np.uint16)
    code = encode_jpeg2000(values, 16, compression_ratios=[4])
    image, meta = read(save(tmp_path / "a.dcm", wrap(code, uid.JPEG2000, DEEP, **header(10, 0))))
    assert np.abs(image[0] - values / 1023).mean() < 0.1 and image.max() == 1
    assert len(meta["warnings"]) == 1 and BITS in meta["warnings"][0]


def test_frames_of_one_file_are_compressed_in_one_way(tmp_path: Path):
    codes = [encode_jpeg2000(DEEP, 12), encode_jpeg2000(SIGNED, 12)]
    path = save(tmp_path / "a.dcm", wrap(codes, J2K, np.stack([DEEP, DEEP]), **header(12, 0)))
    assert read(path, frame=0)[1]["warnings"] == []
    assert refusal(path, frame=1).code == "inconsistent"


def test_signed_padding_is_found_where_the_codestream_is_signed(tmp_path: Path):
    values = SIGNED.copy()
    values[:10] = -2048
    elements = header(12, 0, PixelPaddingValue=63488)  # as a word
    image, meta = read(save(tmp_path / "a.dcm", wrap(encode_jpeg2000(values, 12), J2K, DEEP, **elements)))
    assert meta["masked"] == pytest.approx(10 / 64) and not image[0, :10].any()


DAMAGES = {
    "cut": lambda code, at: code[:at],
    "cut, with an end": lambda code, at: code[:at] + b"\xff\xd9",
    "zeros to the end": lambda code, at: code[:at] + bytes(len(code) - at),
    "zeros, with an end": lambda code, at: code[:at] + bytes(len(code) - at - 2) + b"\xff\xd9",
    "zeros in the middle": lambda code, at: code[:at] + bytes(512) + code[at + 512 :],
    "a block lost": lambda code, at: code[:at] + code[at + 512 :],
}
ENCODED = {
    "JPEG": (uid.JPEGBaseline8Bit, GRAY, lambda folder: encode(GRAY, "JPEG", quality=95)),
    "JPEG lossless": (uid.JPEGLosslessSV1, DEEP, lambda folder: encode_jpeg_lossless(DEEP, folder)),
    "JPEG-LS": (uid.JPEGLSLossless, DEEP, lambda folder: encode_jpeg_ls(DEEP, 12)),
    "JPEG 2000": (J2K, DEEP, lambda folder: encode_jpeg2000(DEEP, 12)),
    "JPEG 2000, lossy": (uid.JPEG2000, DEEP, lambda folder: encode_jpeg2000(DEEP, 12, compression_ratios=[3])),
    "run lengths": (uid.RLELossless, DEEP, lambda folder: encode_run_lengths(DEEP)),
}


@pytest.mark.parametrize("name", ENCODED)
def test_damage(tmp_path: Path, name: str):
    syntax, pixels, encoder = ENCODED[name]
    code = encoder(tmp_path)
    elements = header(8 if pixels is GRAY else 12, 0)
    for padding in (b"", b"\0", b"\0\0"):
        read(save(tmp_path / "a.dcm", wrap(code + padding, syntax, pixels, **elements)))
    for damage in DAMAGES.values():
        error = refusal(save(tmp_path / "a.dcm", wrap(damage(code, len(code) // 2 - 256), syntax, pixels, **elements)))
        assert error.code in ("truncated", "decode_failed", "inconsistent")


@pytest.mark.parametrize("options", [{}, {"compression_ratios": [40, 20, 10, 5]}])
def test_black_frames_hold_runs_of_zeros_and_are_whole(tmp_path: Path, options: dict[str, object]):
    black = np.zeros((512, 512), np.uint16)
    for syntax, code in (
        (uid.JPEG2000, encode_jpeg2000(black, 12, **options)),
        (uid.RLELossless, encode_run_lengths(black)),
        (uid.JPEGLSLossless, encode_jpeg_ls(black, 12)),
        (uid.JPEGLosslessSV1, encode_jpeg_lossless(black, tmp_path)),
    ):
        image, meta = read(save(tmp_path / "a.dcm", wrap(code, syntax, black, **header(12, 0))))
        assert not image.any() and meta["warnings"] == ["every pixel has the same value"]


@pytest.mark.parametrize(
    ("syntax", "elements", "masked"),
    [
        (J2K, {}, True),
        (uid.JPEG2000, {}, False),
        (uid.JPEG2000, {"LossyImageCompression": "00"}, True),
        (J2K, {"LossyImageCompression": "01"}, False),
        (uid.RLELossless, {"LossyImageCompression": "01"}, False),
    ],
)
def test_padding_by_value_is_masked_where_values_are_exact(
    tmp_path: Path, syntax: uid.UID, elements: dict[str, str], masked: bool
):
    values = DEEP.copy()
    values[:16] = 0
    code = encode_run_lengths(values) if syntax == uid.RLELossless else encode_jpeg2000(values, 12)
    dataset = wrap(code, syntax, values, **header(12, 0, PixelPaddingValue=0, **elements))
    dataset.PhotometricInterpretation = "MONOCHROME1"
    image, meta = read(save(tmp_path / "a.dcm", dataset))
    assert meta["masked"] == (0.25 if masked else 0) and image[0, :16].max() == (0 if masked else 1)
    assert any("(0028,0120) Pixel Padding Value" in note for note in meta["warnings"]) != masked
