# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from pydicom import dcmread, examples
from pydicom.dataset import Dataset
from pydicom.pixels import pixel_array
from pydicom.uid import (
    ExplicitVRBigEndian,
    ImplicitVRLittleEndian,
    JPEGLSLossless,
    RLELossless,
)

from monai_anomaly.data.image_reader import ClinicalImageReader
from tests.helpers.dicom_files import CR1, bundled, make_dataset, read, refusal, save

RNG = np.random.default_rng(0)
PICTURE = RNG.integers(0, 256, (40, 56), dtype=np.uint8)
COLOR = RNG.integers(0, 256, (40, 56, 3), dtype=np.uint8)
DEEP = RNG.integers(0, 4096, (40, 56), dtype=np.uint16)


def test_radiograph_golden_range_and_inversion():
    image, meta = read(bundled(CR1))
    assert (image.min(), image.max()) == pytest.approx((0.31534, 0.51278), abs=1e-4)
    assert meta["inverted"] and meta["voi"] and meta["spacing"] == [0.1, 0.1]
    assert meta["spacing_origin"] == "imager_pixel_spacing"


def test_without_voi_stored_bits_are_the_range():
    stored = dcmread(bundled(CR1)).pixel_array
    image, meta = read(bundled(CR1), ClinicalImageReader(voi=False))
    np.testing.assert_allclose(image[0], 1 - stored / 4095, atol=1e-6)
    assert not meta["voi"]


def test_cine_frames_match_pydicom():
    path = examples.get_path("ybr_color")
    for frame in (0, 7, None):
        image, meta = read(path, frame=frame)
        index = 15 if frame is None else frame
        assert (meta["frames"], meta["frame"]) == (30, index)
        expected = pixel_array(path, index=index, decoding_plugin="pillow").transpose(2, 0, 1) / 255
        assert np.abs(image - expected).max() <= 0.5001 / 255  # pydicom rounds after its color conversion
    assert refusal(path, frame=30).code == "frame_count"


def test_palette_gives_colors_not_indices():
    image, _ = read(examples.get_path("palette_color"))
    assert image.shape == (3, 350, 800)
    assert image.mean() == pytest.approx(0.0801, abs=1e-4)  # indices would give 0.21


@pytest.mark.parametrize("bits", [8, 16])
def test_big_endian_palette_equals_little_endian(tmp_path: Path, bits: int):
    tables = [RNG.integers(0, 2**bits, 256).astype(np.uint8 if bits == 8 else np.uint16) for _ in range(3)]
    images = []
    for big in (False, True):
        dataset = make_dataset(PICTURE, "PALETTE COLOR")
        for color, table in zip(("Red", "Green", "Blue"), tables, strict=True):
            words = np.frombuffer(table.tobytes(), np.uint16)
            setattr(dataset, f"{color}PaletteColorLookupTableDescriptor", [256, 0, bits])
            setattr(dataset, f"{color}PaletteColorLookupTableData", (words.byteswap() if big else words).tobytes())
        if big:
            dataset.file_meta.TransferSyntaxUID = ExplicitVRBigEndian
        images.append(read(save(tmp_path / f"{big}.dcm", dataset))[0])
    expected = np.stack([table[PICTURE] for table in tables]) / (2**bits - 1)
    np.testing.assert_allclose(images[0], expected, atol=1e-6)
    np.testing.assert_array_equal(images[1], images[0])


@pytest.mark.parametrize(("syntax", "plugin"), [(RLELossless, "pydicom"), (JPEGLSLossless, "pyjpegls")])
def test_lossless_compression_changes_nothing(tmp_path: Path, syntax: str, plugin: str):
    dataset = make_dataset(PICTURE)
    dataset.compress(syntax, encoding_plugin=plugin)
    image, _ = read(save(tmp_path / "a.dcm", dataset))
    np.testing.assert_array_equal(image[0], PICTURE.astype(np.float32) / 255)


def test_presentation_shape_outranks_monochrome1(tmp_path: Path):
    path = save(tmp_path / "a.dcm", make_dataset(PICTURE, "MONOCHROME1", PresentationLUTShape="IDENTITY"))
    np.testing.assert_array_equal(read(path)[0][0], PICTURE.astype(np.float32) / 255)
    path = save(tmp_path / "b.dcm", make_dataset(PICTURE, "MONOCHROME1", PresentationLUTShape="INVERSE"))
    np.testing.assert_allclose(read(path)[0][0], 1 - PICTURE / 255, atol=1e-6)


@pytest.mark.parametrize(
    ("photometric", "shape", "inverted", "notes"),
    [
        ("MONOCHROME1", "", True, 0),
        ("MONOCHROME1", "INVERSE", True, 0),
        ("MONOCHROME2", "IDENTITY", False, 0),
        ("MONOCHROME1", "IDENTITY", False, 1),
        ("MONOCHROME2", "INVERSE", True, 1),
        ("MONOCHROME1", "LIN OD", True, 1),
        ("MONOCHROME2", "LIN OD", False, 1),
    ],
)
def test_polarity(tmp_path: Path, photometric: str, shape: str, inverted: bool, notes: int):
    dataset = make_dataset(PICTURE, photometric, PresentationLUTShape=shape)
    image, meta = read(save(tmp_path / "a.dcm", dataset))
    expected = PICTURE / 255
    np.testing.assert_allclose(image[0], 1 - expected if inverted else expected, atol=1e-6)
    assert meta["inverted"] == inverted
    assert ["(2050,0020) Presentation LUT Shape" in note for note in meta["warnings"]] == [True] * notes


def test_window_by_hand(tmp_path: Path):
    path = save(tmp_path / "a.dcm", make_dataset(PICTURE, WindowCenter=100, WindowWidth=51))
    expected = np.clip((PICTURE - 99.5) / 50 + 0.5, 0, 1)  # PS3.3 C.11.2.1.2
    np.testing.assert_allclose(read(path)[0][0], expected, atol=1e-6)


def test_unusable_window_falls_back_with_a_warning(tmp_path: Path):
    path = save(tmp_path / "a.dcm", make_dataset(PICTURE, WindowCenter=100, WindowWidth=0))
    image, meta = read(path)
    np.testing.assert_array_equal(image[0], PICTURE.astype(np.float32) / 255)
    assert not meta["voi"] and "full range" in meta["warnings"][0]


def test_negative_slope_reverses_the_range(tmp_path: Path):
    path = save(tmp_path / "a.dcm", make_dataset(PICTURE, RescaleSlope=-2, RescaleIntercept=7))
    np.testing.assert_allclose(read(path)[0][0], 1 - PICTURE / 255, atol=1e-6)


def test_signed_pixels_use_the_signed_range(tmp_path: Path):
    signed = (PICTURE.astype(np.int16) - 128) * 256
    image, _ = read(save(tmp_path / "a.dcm", make_dataset(signed)))
    np.testing.assert_allclose(image[0], (signed + 32768.0) / 65535, atol=1e-6)


def test_constant_image_is_said(tmp_path: Path):
    image, meta = read(save(tmp_path / "a.dcm", make_dataset(np.zeros((8, 8), np.uint8))))
    assert meta["constant"] and image.max() == 0 and meta["warnings"]


def test_equals_highdicom_where_it_is_installed():
    highdicom = pytest.importorskip("highdicom", reason="highdicom is not installed")
    expected = highdicom.imread(bundled(CR1)).get_frame(1, apply_voi_transform=True, apply_presentation_lut=True)
    np.testing.assert_allclose(read(bundled(CR1))[0][0], expected, atol=1e-4)


def test_frames_do_not_share_warnings_or_meta():
    reader = ClinicalImageReader(channels=3)
    metas = [reader.get_data(decoded)[1] for decoded in reader.read_frames(examples.get_path("ybr_color"))]
    assert len(metas) == 30 and [meta["frame"] for meta in metas] == list(range(30))
    assert all(meta["warnings"] == metas[0]["warnings"] for meta in metas) and len(metas[0]["warnings"]) == 1
    assert len({id(meta["identifiers"]) for meta in metas}) == 30


@pytest.mark.parametrize("name", ["RGB", "YBR_FULL"])
@pytest.mark.parametrize("planar", [0, 1])
def test_planar_colors(tmp_path: Path, name: str, planar: int):
    dataset = make_dataset(COLOR, name, PlanarConfiguration=planar)
    if planar:
        dataset.PixelData = np.ascontiguousarray(COLOR.transpose(2, 0, 1)).tobytes()
    path = save(tmp_path / "a.dcm", dataset)
    image, meta = read(path)
    assert meta["photometric"] == name
    assert np.abs(image - pixel_array(path).transpose(2, 0, 1) / 255).max() <= (0.5001 / 255 if name != "RGB" else 1e-6)


def test_ybr_by_the_standard_s_formula(tmp_path: Path):
    image, _ = read(save(tmp_path / "a.dcm", make_dataset(COLOR, "YBR_FULL")))
    y, cb, cr = COLOR.astype(float).transpose(2, 0, 1)  # PS3.3 C.7.6.3.1.2, solved for R, G and B
    red, blue = y + 1.402 * (cr - 128), y + 1.772 * (cb - 128)
    green = (y - 0.299 * red - 0.114 * blue) / 0.587
    np.testing.assert_allclose(image, np.clip(np.stack([red, green, blue]) / 255, 0, 1), atol=1e-5)


def test_uncompressed_422_has_half_the_colors(tmp_path: Path):
    path = bundled("SC_ybr_full_422_uncompressed.dcm")
    image, meta = read(path)
    assert meta["photometric"] == "YBR_FULL_422"
    assert np.abs(image - pixel_array(path).transpose(2, 0, 1) / 255).max() <= 0.5001 / 255
    odd = make_dataset(COLOR[:, :55], "YBR_FULL_422")
    error = refusal(save(tmp_path / "a.dcm", odd))
    assert error.code == "inconsistent" and "(0028,0011) Columns" in error.message


@pytest.mark.parametrize("syntax", [ExplicitVRBigEndian, ImplicitVRLittleEndian])
def test_byte_order_and_implicit_types(tmp_path: Path, syntax: str):
    dataset = make_dataset(DEEP, BitsStored=12, HighBit=11)
    expected, _ = read(save(tmp_path / "a.dcm", dataset))
    dataset.file_meta.TransferSyntaxUID = syntax
    if syntax == ExplicitVRBigEndian:
        dataset.PixelData = DEEP.byteswap().tobytes()
    np.testing.assert_array_equal(read(save(tmp_path / "b.dcm", dataset))[0], expected)
    np.testing.assert_allclose(expected[0], DEEP / 4095, atol=1e-7)


@pytest.mark.parametrize("dtype", [np.uint32, np.int32])
def test_thirty_two_bits(tmp_path: Path, dtype: type):
    limits = np.iinfo(dtype)
    stored = RNG.integers(limits.min, limits.max, (8, 9), dtype=dtype, endpoint=True)
    image, _ = read(save(tmp_path / "a.dcm", make_dataset(stored)))
    np.testing.assert_allclose(image[0], (stored.astype(float) - limits.min) / (2.0**32 - 1), atol=1e-6)
    image, meta = read(save(tmp_path / "b.dcm", make_dataset(stored, WindowCenter=0, WindowWidth=2**31)))
    expected = np.clip((stored - (-0.5)) / (2.0**31 - 1) + 0.5, 0, 1)
    assert meta["voi"]
    np.testing.assert_allclose(image[0], expected, atol=1e-5)


def test_one_bit(tmp_path: Path):
    bits = RNG.integers(0, 2, (8, 12), dtype=np.uint8)
    dataset = make_dataset(bits, BitsAllocated=1, BitsStored=1, HighBit=0)
    dataset.PixelData = np.packbits(bits.ravel(), bitorder="little").tobytes()
    np.testing.assert_array_equal(read(save(tmp_path / "a.dcm", dataset))[0][0], bits.astype(np.float32))


def test_unused_bits_are_not_part_of_the_value(tmp_path: Path):
    dirty = DEEP | np.uint16(0x5000)  # an overlay in the upper bits, as old files have it
    image, _ = read(save(tmp_path / "a.dcm", make_dataset(dirty, BitsStored=12, HighBit=11)))
    np.testing.assert_allclose(image[0], DEEP / 4095, atol=1e-7)


def test_rescale_type_changes_nothing(tmp_path: Path):
    rescale = {"RescaleSlope": 2, "RescaleIntercept": -1000, "WindowCenter": 100, "WindowWidth": 51}
    plain, _ = read(save(tmp_path / "a.dcm", make_dataset(PICTURE, **rescale)))
    other, _ = read(save(tmp_path / "b.dcm", make_dataset(PICTURE, **rescale, RescaleType="OD")))
    np.testing.assert_array_equal(plain, other)


def test_slope_without_intercept_is_said(tmp_path: Path):
    image, meta = read(save(tmp_path / "a.dcm", make_dataset(PICTURE, RescaleSlope=-2)))
    np.testing.assert_array_equal(image[0], PICTURE.astype(np.float32) / 255)
    assert "(0028,1053) Rescale Slope" in meta["warnings"][0]


@pytest.mark.parametrize(
    ("elements", "words"),
    [
        ({"WindowCenter": 100, "WindowWidth": 0}, "(0028,1051) Window Width"),
        ({"WindowCenter": 100, "WindowWidth": -5}, "(0028,1051) Window Width"),
        ({"WindowCenter": 100, "WindowWidth": 0.5}, "(0028,1051) Window Width"),
        ({"WindowCenter": 100, "WindowWidth": 50, "VOILUTFunction": "CUBIC"}, "(0028,1056) VOI LUT Function"),
        ({"WindowCenter": 100}, "(0028,1051) Window Width"),
        ({"WindowWidth": 100}, "(0028,1050) Window Center"),
        ({"VOILUTSequence": [Dataset()]}, "(0028,3010) VOI LUT Sequence"),
    ],
)
def test_unusable_voi_falls_back_with_a_warning(tmp_path: Path, elements, words: str):
    image, meta = read(save(tmp_path / "a.dcm", make_dataset(PICTURE, **elements)))
    np.testing.assert_array_equal(image[0], PICTURE.astype(np.float32) / 255)
    assert not meta["voi"] and len(meta["warnings"]) == 1 and words in meta["warnings"][0]
    quiet = read(str(tmp_path / "a.dcm"), ClinicalImageReader(voi=False))[1]
    assert quiet["warnings"] == []


@pytest.mark.parametrize("function", ["LINEAR_EXACT", "SIGMOID"])
def test_window_functions_by_hand(tmp_path: Path, function: str):
    path = save(tmp_path / "a.dcm", make_dataset(PICTURE, WindowCenter=100, WindowWidth=50, VOILUTFunction=function))
    exact = np.clip((PICTURE - 100.0) / 50 + 0.5, 0, 1)  # PS3.3 C.11.2.1.3
    sigmoid = 1 / (1 + np.exp(-4 * (PICTURE - 100.0) / 50))
    np.testing.assert_allclose(read(path)[0][0], exact if function == "LINEAR_EXACT" else sigmoid, atol=1e-6)


def test_first_of_several_windows(tmp_path: Path):
    path = save(tmp_path / "a.dcm", make_dataset(PICTURE, WindowCenter=[100, 7], WindowWidth=[51, 9]))
    np.testing.assert_allclose(read(path)[0][0], np.clip((PICTURE - 99.5) / 50 + 0.5, 0, 1), atol=1e-6)


def test_types_of_elements_against_the_transfer_syntax(tmp_path: Path):
    path = bundled("SC_rgb_jpeg.dcm")  # implicit, although its transfer syntax is explicit
    image, meta = read(path)
    expected = pixel_array(dcmread(path), decoding_plugin="pillow").transpose(2, 0, 1) / 255
    np.testing.assert_allclose(image, expected, atol=1e-6)
    assert "(0002,0010) Transfer Syntax UID" in meta["warnings"][0]
    dataset = make_dataset(PICTURE)
    dataset.file_meta.TransferSyntaxUID = ImplicitVRLittleEndian
    dataset.save_as(tmp_path / "a.dcm", implicit_vr=True, little_endian=True, enforce_file_format=True)
    content = (tmp_path / "a.dcm").read_bytes()
    explicit = Path(save(tmp_path / "b.dcm", make_dataset(PICTURE))).read_bytes()
    start, end = (data.index(b"\x08\x00\x16\x00") for data in (explicit, content))
    (tmp_path / "c.dcm").write_bytes(content[:end] + explicit[start:])
    image, meta = read(tmp_path / "c.dcm")
    np.testing.assert_array_equal(image[0], PICTURE.astype(np.float32) / 255)
    assert "(0002,0010) Transfer Syntax UID" in meta["warnings"][0]


@pytest.mark.parametrize("syntax", [ImplicitVRLittleEndian, ExplicitVRBigEndian])
@pytest.mark.parametrize("frames", [1, 3])
@pytest.mark.parametrize(
    ("signed", "pattern", "warns"),
    [(0, 0, False), (0, 0x1000, True), (0, 0x8000, True), (1, 0, False), (1, 0xF000, False), (1, 0x4000, True)],
)
def test_what_lies_above_the_bits_is_said(tmp_path, syntax, frames, signed, pattern, warns):
    stored = np.stack([np.arange(40 * 56, dtype=np.uint16).reshape(40, 56)] * frames)
    values = stored[-1].copy()
    values[20, 20] = (0x800 if signed else 0) | pattern | 5  # of a signed number, the sign and what fills the rest
    stored[-1] = values
    pixels = stored if frames > 1 else stored[0]
    dataset = make_dataset(pixels, BitsStored=12, HighBit=11, PixelRepresentation=signed)
    if syntax == ExplicitVRBigEndian:
        dataset.PixelData = pixels.astype(">u2").tobytes()
    dataset.file_meta.TransferSyntaxUID = syntax
    path = save(tmp_path / "a.dcm", dataset)
    image, meta = read(path, frame=frames - 1)
    assert any("reach beyond" in warning for warning in meta["warnings"]) == warns
    low = -2048 if signed else 0
    assert image[0, 20, 20] == pytest.approx((5 - 2048 * signed - low) / 4095, abs=1e-6)
