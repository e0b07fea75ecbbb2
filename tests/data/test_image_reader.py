# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

import gzip
import logging
import pickle
import warnings
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest
from monai.transforms import LoadImage
from PIL import Image
from pydicom import dcmread, examples
from pydicom.data import get_testdata_file
from pydicom.pixels import pixel_array
from pydicom.uid import DeflatedExplicitVRLittleEndian, ExplicitVRBigEndian, JPEGLSLossless, RLELossless

from monai_anomaly.data.decoded import boundary
from monai_anomaly.data.errors import ImageReadError
from monai_anomaly.data.image_reader import ClinicalImageReader
from tests.data.dicom_files import make_dataset, make_region, save

READER = ClinicalImageReader(channels=None)
RNG = np.random.default_rng(0)
PICTURE = RNG.integers(0, 256, (40, 56), dtype=np.uint8)
COLOR = RNG.integers(0, 256, (40, 56, 3), dtype=np.uint8)
CR1 = "dicomdirtests/77654033/CR1/6154"


def read(path, reader=READER, frame=None):
    return reader.get_data(reader.read(path, frame))


def bundled(name: str) -> str:
    path = get_testdata_file(name, download=False)
    assert isinstance(path, str)
    return path


def refusal(path, reader=READER, frame=None) -> ImageReadError:
    with pytest.raises(ImageReadError) as caught:
        read(path, reader, frame)
    return caught.value


# --- what is read ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "shape", "mean", "modality"),
    [
        # means of pydicom's own decoding, converted by hand once; CR1 is the value of highdicom's VOI + presentation
        (CR1, (1, 16, 16), 0.38325, "CR"),
        ("examples_rgb_color.dcm", (3, 240, 320), None, "US"),
        ("examples_jpeg2k.dcm", (3, 480, 640), None, "US"),
        ("ExplVR_BigEnd.dcm", (3, 60, 80), None, "US"),
    ],
)
def test_bundled_files(name, shape, mean, modality):
    path = bundled(name)
    image, meta = read(path)
    assert image.shape == shape and image.dtype == np.float32
    assert meta["modality"] == modality and meta["warnings"] in ([], ["(7FE0,0010) Pixel Data has trailing bytes"])
    if mean is None:
        mean = pixel_array(path).mean() / 255
    assert image.mean() == pytest.approx(mean, abs=1e-4)


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
        np.testing.assert_allclose(image, expected, atol=1e-6)
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


@pytest.mark.parametrize("photometric", ["MONOCHROME2", "MONOCHROME1"])
def test_png_dicom_and_nifti_of_one_picture_are_equal(tmp_path: Path, photometric: str):
    Image.fromarray(PICTURE).save(tmp_path / "a.png")
    stored = PICTURE if photometric == "MONOCHROME2" else 255 - PICTURE
    dicom = save(tmp_path / "a.dcm", make_dataset(stored, photometric))
    nib.save(nib.Nifti1Image(PICTURE.T, np.eye(4)), tmp_path / "a.nii.gz")
    png, _ = read(tmp_path / "a.png")
    np.testing.assert_array_equal(png, PICTURE[None].astype(np.float32) / 255)
    np.testing.assert_allclose(read(dicom)[0], png, atol=1e-6)
    np.testing.assert_array_equal(read(tmp_path / "a.nii.gz")[0], png)


def test_color_png_dicom_and_luma(tmp_path: Path):
    Image.fromarray(COLOR).save(tmp_path / "a.png")
    dicom = save(tmp_path / "a.dcm", make_dataset(COLOR, "RGB"))
    png, _ = read(tmp_path / "a.png")
    np.testing.assert_array_equal(read(dicom)[0], png)
    gray, _ = read(tmp_path / "a.png", ClinicalImageReader(channels=1))
    np.testing.assert_allclose(gray[0], (COLOR / 255) @ [0.299, 0.587, 0.114], atol=1e-6)
    assert gray.max() <= 1


def test_channels_three_of_gray(tmp_path: Path):
    Image.fromarray(PICTURE).save(tmp_path / "a.png")
    image, _ = read(tmp_path / "a.png", ClinicalImageReader(channels=3))
    assert image.shape == (3, 40, 56) and (image[0] == image[2]).all()


@pytest.mark.parametrize(("syntax", "plugin"), [(RLELossless, "pydicom"), (JPEGLSLossless, "pyjpegls")])
def test_lossless_compression_changes_nothing(tmp_path: Path, syntax: str, plugin: str):
    dataset = make_dataset(PICTURE)
    dataset.compress(syntax, encoding_plugin=plugin)
    image, _ = read(save(tmp_path / "a.dcm", dataset))
    np.testing.assert_array_equal(image[0], PICTURE.astype(np.float32) / 255)


@pytest.mark.parametrize(
    ("mode", "suffix"), [("1", "png"), ("P", "png"), ("LA", "png"), ("RGBA", "png"), ("CMYK", "tif"), ("I;16", "png")]
)
def test_raster_modes(tmp_path: Path, mode: str, suffix: str):
    if mode == "I;16":
        Image.fromarray(PICTURE.astype(np.uint16) * 257).save(tmp_path / "a.png")
    else:
        Image.fromarray(PICTURE).convert("RGB" if mode == "CMYK" else "L").convert(mode).save(tmp_path / f"a.{suffix}")
    image, meta = read(tmp_path / f"a.{suffix}", ClinicalImageReader(channels=1))
    expected = PICTURE / 255 if mode != "1" else np.asarray(Image.fromarray(PICTURE).convert("1"))
    np.testing.assert_allclose(image[0], expected, atol=0.005)
    assert meta["warnings"] == []


def test_transparent_parts_are_black_and_said(tmp_path: Path):
    picture = np.dstack([COLOR, np.full((40, 56), 255, np.uint8)])
    picture[:10, :, 3] = 0
    Image.fromarray(picture).save(tmp_path / "a.png")
    image, meta = read(tmp_path / "a.png")
    assert image[:, :10].max() == 0 and len(meta["warnings"]) == 1
    np.testing.assert_allclose(image[:, 10:], COLOR[10:].transpose(2, 0, 1) / 255, atol=1e-6)


def test_jpeg_is_turned_upright(tmp_path: Path):
    image = Image.fromarray(PICTURE)
    exif = image.getexif()
    exif[0x0112] = 6  # stored lying on its side
    image.save(tmp_path / "a.jpg", exif=exif, quality=95)
    assert read(tmp_path / "a.jpg")[0].shape == (1, 56, 40)


def test_content_decides_not_the_name(tmp_path: Path):
    Image.fromarray(PICTURE).save(tmp_path / "a.png")
    (tmp_path / "a.dcm").write_bytes((tmp_path / "a.png").read_bytes())
    np.testing.assert_array_equal(read(tmp_path / "a.dcm")[0], read(tmp_path / "a.png")[0])


def test_works_inside_monai_load_image(tmp_path: Path):
    Image.fromarray(PICTURE).save(tmp_path / "a.png")
    image = LoadImage(reader=READER, image_only=True)(tmp_path / "a.png")
    np.testing.assert_array_equal(image.numpy(), read(tmp_path / "a.png")[0])
    assert READER.verify_suffix(["a.png", "IM0001", "b.nii.gz"]) and not READER.verify_suffix("a.zip")


# --- pixel rules -----------------------------------------------------------------------------------------------------


def test_presentation_shape_outranks_monochrome1(tmp_path: Path):
    path = save(tmp_path / "a.dcm", make_dataset(PICTURE, "MONOCHROME1", PresentationLUTShape="IDENTITY"))
    np.testing.assert_array_equal(read(path)[0][0], PICTURE.astype(np.float32) / 255)
    path = save(tmp_path / "b.dcm", make_dataset(PICTURE, "MONOCHROME1", PresentationLUTShape="INVERSE"))
    np.testing.assert_allclose(read(path)[0][0], 1 - PICTURE / 255, atol=1e-6)


def test_padding_is_black_after_inversion(tmp_path: Path):
    stored = PICTURE.copy()
    stored[:5] = 0
    path = save(tmp_path / "a.dcm", make_dataset(stored, "MONOCHROME1", PixelPaddingValue=0))
    image, _ = read(path)
    assert (image[0, :5] == 0).all()
    np.testing.assert_allclose(image[0, 5:], np.where(stored[5:] == 0, 0, 1 - stored[5:] / 255), atol=1e-6)


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


# --- ultrasound regions ----------------------------------------------------------------------------------------------


def test_trusted_region_is_cropped(tmp_path: Path):
    path = save(tmp_path / "a.dcm", make_dataset(PICTURE, SequenceOfUltrasoundRegions=[make_region((10, 5, 49, 34))]))
    image, meta = read(path)
    np.testing.assert_array_equal(image[0], PICTURE[5:35, 10:50].astype(np.float32) / 255)
    assert (meta["region"], meta["box"], meta["shape"]) == ("trusted", [10, 5, 50, 35], [40, 56])
    assert meta["spacing"] == pytest.approx([0.2, 0.2]) and meta["spacing_origin"] == "us_region"
    whole, _ = read(path, ClinicalImageReader(crop_region=False))
    assert whole.shape == (1, 40, 56)


@pytest.mark.parametrize(
    ("boxes", "state", "box"),
    [
        ([(0, 0, 56, 40)], "trusted", [0, 0, 56, 40]),  # exclusive maximum, as some vendors write it
        ([(0, 0, 57, 39)], "untrusted", [0, 0, 56, 40]),
        ([(20, 30, 10, 35)], "untrusted", [0, 0, 56, 40]),
        ([(3, 3, 5, 5)], "untrusted", [0, 0, 56, 40]),  # too small to be the picture
        ([(0, 0, 27, 39), (26, 0, 55, 39)], "trusted", [26, 0, 56, 40]),  # dual view: the larger
        ([(0, 0, 27, 39), (0, 50, 55, 90)], "untrusted", [0, 0, 56, 40]),  # one outside: none is trusted
    ],
)
def test_region_boxes(tmp_path: Path, boxes, state, box):
    regions = [make_region(b) for b in boxes]
    _, meta = read(save(tmp_path / "a.dcm", make_dataset(PICTURE, SequenceOfUltrasoundRegions=regions)))
    assert (meta["region"], meta["box"]) == (state, box)
    assert bool(meta["warnings"]) == (state == "untrusted" or len(boxes) > 1)


@pytest.mark.parametrize("item", [make_region((0, 0, 55, 39), kind=3), make_region((0, 0, 55, 39), delta=0.0)])
def test_waveform_and_zero_delta_are_not_trusted(tmp_path: Path, item):
    _, meta = read(save(tmp_path / "a.dcm", make_dataset(PICTURE, SequenceOfUltrasoundRegions=[item])))
    assert meta["region"] == "untrusted" and meta["spacing"] == []


@pytest.mark.parametrize("name", ["palette_color", "ybr_color"])
def test_real_files_with_regions_outside_the_image(name):
    image, meta = read(examples.get_path(name))
    assert meta["region"] == "untrusted" and "cropped or rescaled" in meta["warnings"][0]
    assert list(image.shape[1:]) == meta["shape"]


# --- NIfTI -----------------------------------------------------------------------------------------------------------


def test_nifti_time_needs_a_named_axis(tmp_path: Path):
    frames = RNG.integers(0, 256, (56, 40, 5), dtype=np.uint8)
    nib.save(nib.Nifti1Image(frames, np.eye(4)), tmp_path / "a.nii")
    assert refusal(tmp_path / "a.nii").code == "ambiguous_axes"
    image, meta = read(tmp_path / "a.nii", ClinicalImageReader(frames_axis=2), 3)
    np.testing.assert_array_equal(image[0], frames[:, :, 3].T.astype(np.float32) / 255)
    assert (meta["frames"], meta["frame"]) == (5, 3)


def test_nifti_ranges(tmp_path: Path):
    values = np.linspace(0, 1000, 56 * 40, dtype=np.float32).reshape(56, 40)
    nib.save(nib.Nifti1Image(values, np.eye(4)), tmp_path / "a.nii")
    assert refusal(tmp_path / "a.nii").code == "unknown_range"
    image, meta = read(tmp_path / "a.nii", ClinicalImageReader(value_range=(0, 2000)))
    assert image.max() == pytest.approx(0.5) and meta["warnings"] == []
    nib.save(nib.Nifti1Image(values / 1000, np.eye(4)), tmp_path / "b.nii")
    np.testing.assert_allclose(read(tmp_path / "b.nii")[0][0], values.T / 1000, atol=1e-7)


def test_nifti_faults(tmp_path: Path):
    values = np.full((56, 40), np.nan, np.float32)
    nib.save(nib.Nifti1Image(values, np.eye(4)), tmp_path / "nan.nii")
    assert refusal(tmp_path / "nan.nii").code == "non_finite"
    nib.save(nib.Nifti1Image(RNG.random((56, 40)).astype(np.float32), np.eye(4)), tmp_path / "a.nii.gz")
    content = (tmp_path / "a.nii.gz").read_bytes()
    (tmp_path / "cut.nii.gz").write_bytes(content[: len(content) // 2])
    assert refusal(tmp_path / "cut.nii.gz").code == "truncated"
    header = nib.Nifti1Header()
    header.set_data_shape((32767, 32767))
    header["magic"] = b"n+1"
    with gzip.open(tmp_path / "bomb.nii.gz", "wb") as stream:
        stream.write(header.binaryblock + bytes(4096))
    assert refusal(tmp_path / "bomb.nii.gz").code == "budget"


# --- refusals --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("change", "code", "words"),
    [
        ({"Rows": None}, "missing_tag", "(0028,0010) Rows"),
        ({"BitsAllocated": None}, "missing_tag", "(0028,0100) Bits Allocated"),
        ({"SOPInstanceUID": "../../evil"}, "inconsistent", "SOP Instance UID"),
        ({"RescaleSlope": 0, "RescaleIntercept": 0}, "non_finite", "Rescale Slope"),
        ({"SamplesPerPixel": 3}, "inconsistent", "Samples per Pixel"),
        ({"PhotometricInterpretation": "HSV"}, "unsupported_photometric", "Photometric"),
        ({"NumberOfFrames": -1}, "frame_count", "Number of Frames"),
        ({"NumberOfFrames": 2_000_000_000}, "budget", "max_frames"),
        ({"Rows": 65535, "Columns": 65535}, "budget", "max_pixels"),
        ({"Rows": 41}, "truncated", "Pixel Data"),
        ({"BitsStored": 12}, "inconsistent", "Bits Stored"),
        ({"PixelData": None}, "missing_tag", "Pixel Data"),
    ],
)
def test_bad_headers(tmp_path: Path, change, code, words):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        dataset = make_dataset(PICTURE)
        for keyword, value in change.items():
            if value is None:
                delattr(dataset, keyword)
            else:
                setattr(dataset, keyword, value)
        error = refusal(save(tmp_path / "a.dcm", dataset))
    assert error.code == code and words in error.message
    assert "CANARY" not in str(error) and str(tmp_path) not in str(error)


@pytest.mark.parametrize("text", [b"nan", b"inf", b"abc"])
def test_number_strings_that_are_no_numbers(tmp_path: Path, text: bytes):
    path = tmp_path / "a.dcm"
    save(path, make_dataset(PICTURE, RescaleSlope="7.25", RescaleIntercept=0))
    path.write_bytes(path.read_bytes().replace(b"7.25", text.ljust(4)))
    assert refusal(path).code == "non_finite"


def test_deflated_is_refused_before_it_inflates(tmp_path: Path):
    dataset = make_dataset(np.zeros((4000, 4000), np.uint8))
    dataset.file_meta.TransferSyntaxUID = DeflatedExplicitVRLittleEndian
    assert refusal(save(tmp_path / "a.dcm", dataset)).code == "unsupported_transfer_syntax"


@pytest.mark.parametrize(
    ("content", "code"),
    [(b"", "not_dicom"), (b"hello", "not_dicom"), (bytes(5000), "not_dicom"), (b"\x89PNG\r\n\x1a\n", "decode_failed")],
)
def test_garbage(tmp_path: Path, content: bytes, code: str):
    (tmp_path / "IM0001").write_bytes(content)
    assert refusal(tmp_path / "IM0001").code == code


def test_missing_file_and_folder(tmp_path: Path):
    assert refusal(tmp_path / "none.png").code == "not_found"
    assert refusal(tmp_path).code == "unreadable"


@pytest.mark.parametrize("suffix", ["png", "jpg", "bmp", "tif"])
@pytest.mark.parametrize("share", [0.1, 0.5, 0.97])
def test_truncated_rasters(tmp_path: Path, suffix: str, share: float):
    Image.fromarray(PICTURE).save(tmp_path / f"a.{suffix}")
    content = (tmp_path / f"a.{suffix}").read_bytes()
    (tmp_path / f"b.{suffix}").write_bytes(content[: int(share * len(content))])
    assert refusal(tmp_path / f"b.{suffix}").code in ("truncated", "decode_failed")


@pytest.mark.parametrize("name", ["examples_rgb_color.dcm", "examples_jpeg2k.dcm", "examples_ybr_color.dcm"])
@pytest.mark.parametrize("share", [0.01, 0.5, 0.95])
def test_truncated_dicom(tmp_path: Path, name: str, share: float):
    content = Path(bundled(name)).read_bytes()
    (tmp_path / "a.dcm").write_bytes(content[: int(share * len(content))])
    assert refusal(tmp_path / "a.dcm").code in ("truncated", "missing_tag")


def test_fewer_frames_than_declared(tmp_path: Path):
    dataset = dcmread(examples.get_path("ybr_color"))
    dataset.NumberOfFrames = 31
    assert refusal(save(tmp_path / "a.dcm", dataset)).code == "frame_count"


def test_codestream_of_another_size_is_not_decoded(tmp_path: Path):
    dataset = dcmread(examples.get_path("ybr_color"))
    dataset.Rows = 241
    assert refusal(save(tmp_path / "a.dcm", dataset)).code == "inconsistent"


def test_twelve_bit_jpeg_names_the_reason():
    error = refusal(bundled("JPEG-lossy.dcm"))
    assert error.code == "unsupported_transfer_syntax" and "12 bits" in error.message


def test_large_raster_is_refused_by_its_header(tmp_path: Path):
    Image.new("1", (9000, 9000)).save(tmp_path / "a.png")
    assert refusal(tmp_path / "a.png").code == "budget"


def test_everything_but_an_interrupt_becomes_one_error():
    for raised in (StopIteration, RecursionError, MemoryError, KeyError):
        with pytest.raises(ImageReadError), boundary("testing"):
            raise raised
    with pytest.raises(KeyboardInterrupt), boundary("testing"):
        raise KeyboardInterrupt


def test_mutated_files_never_escape(tmp_path: Path):
    names = ["examples_rgb_color.dcm", "ExplVR_BigEnd.dcm", "examples_ybr_color.dcm", CR1]
    sources = [Path(bundled(name)).read_bytes() for name in names]
    rng = np.random.default_rng(1)
    path = tmp_path / "a.dcm"
    read_whole = 0
    for number in range(80):
        content = bytearray(sources[number % len(sources)])
        for _ in range(int(rng.integers(1, 30))):
            content[int(rng.integers(132, min(len(content), 4000)))] = int(rng.integers(256))
        path.write_bytes(content)
        try:
            image, meta = read(path)
        except ImageReadError:
            continue
        read_whole += 1
        assert np.isfinite(image).all() and image.min() >= 0 and image.max() <= 1
        assert image.size > 0 and meta["frames"] >= 1
    assert 0 < read_whole < 80


def test_header_values_stay_out_of_logs_and_warnings(tmp_path: Path, caplog):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        path = tmp_path / "a.dcm"
        save(path, make_dataset(PICTURE, StudyInstanceUID="1.2.3"))
        path.write_bytes(path.read_bytes().replace(b"1.2.3", b"CANAR"))
    with caplog.at_level(logging.DEBUG), warnings.catch_warnings():
        warnings.simplefilter("error")
        _, meta = read(path)
    assert "CANAR" not in caplog.text and "CANAR" not in str(meta)


def test_error_survives_pickling():
    error = pickle.loads(pickle.dumps(ImageReadError("code", "a sentence.")))
    assert (error.code, error.message, str(error)) == ("code", "a sentence.", "code: a sentence.")


def test_arguments_are_checked():
    for arguments in ({"channels": 2}, {"max_pixels": 0}, {"value_range": (1, 1)}):
        with pytest.raises(ValueError, match="must be"):
            ClinicalImageReader(**arguments)
