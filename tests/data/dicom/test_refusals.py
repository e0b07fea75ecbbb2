# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

"""Bad files, one after the other: the code, the element by tag and name, and what cures it."""

from __future__ import annotations

import logging
import struct
import tracemalloc
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pydicom import dcmread, examples, uid
from pydicom.dataset import Dataset
from pydicom.encaps import encapsulate, generate_frames

from monai_anomaly.data.dicom.codestreams.codestream import read_codestream
from monai_anomaly.data.errors import ImageReadError
from monai_anomaly.data.image_reader import ClinicalImageReader
from monai_anomaly.transforms.load import LoadClinicalImaged
from monai_anomaly.transforms.preprocessing import Preprocessing
from tests.helpers.dicom_files import CR1, bundled, make_dataset, read, refusal, save

RNG = np.random.default_rng(0)
PICTURE = RNG.integers(0, 256, (40, 56), dtype=np.uint8)
COLOR = RNG.integers(0, 256, (40, 56, 3), dtype=np.uint8)
CURES = ("export", "copy", "raise it", "correct", "take it off", "set ", "remove", "pip install")


def check(error: ImageReadError, code: str, *words: str) -> None:
    """The code, the words, a cure, and nothing of the header or the path."""
    assert error.code == code
    for word in words:
        assert word in error.message
    assert any(cure in error.message for cure in CURES)
    assert "CANARY" not in str(error) and "evil" not in str(error) and "pytest" not in str(error)


def shape_of(code: bytes) -> tuple[int, int, int] | None:
    stream = read_codestream(code)
    return None if stream is None else (stream.rows, stream.columns, stream.components)


def changed(dataset: Dataset, **elements: Any) -> Dataset:
    """Return the data set with other elements; None takes one away."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for keyword, value in elements.items():
            if value is None:
                delattr(dataset, keyword)
            else:
                setattr(dataset, keyword, value)
    return dataset


# --- not DICOM, or not an image --------------------------------------------------------------------------------------


@pytest.mark.parametrize("content", [b"", b"Dear colleague,", bytes(5000)])
def test_no_dicom_at_all(tmp_path: Path, content: bytes):
    (tmp_path / "IM1").write_bytes(content)
    check(refusal(tmp_path / "IM1"), "not_dicom")


def test_a_data_set_without_its_meta_information_is_named(tmp_path: Path):
    content = Path(bundled(CR1)).read_bytes()
    (tmp_path / "IM1").write_bytes(content[content.index(b"\x08\0\x05\0CS") :])
    check(refusal(tmp_path / "IM1"), "not_dicom", "file meta information")
    check(refusal(bundled("rtstruct.dcm")), "not_dicom", "file meta information")  # implicit types


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("DICOMDIR", "(0002,0002) Media Storage SOP Class UID"),
        ("rtplan.dcm", "SOP Class UID says RT Plan Storage"),
        ("rtdose.dcm", "RT Dose Storage"),
        ("reportsi.dcm", "SR Storage"),
    ],
)
def test_objects_that_are_no_images(name: str, words: str):
    check(refusal(bundled(name)), "not_an_image", words)


def test_an_image_class_without_rows_is_a_damaged_image(tmp_path: Path):
    dataset = changed(make_dataset(PICTURE), Rows=None, PixelData=None)
    check(refusal(save(tmp_path / "a.dcm", dataset)), "missing_tag", "(0028,0010) Rows")


def test_private_classes_may_pass(tmp_path: Path):
    dataset = make_dataset(PICTURE, SOPClassUID="1.2.3.4.5")
    dataset.file_meta.MediaStorageSOPClassUID = "1.2.3.4.5"
    assert read(save(tmp_path / "a.dcm", dataset))[0].shape == (1, 40, 56)


# --- transfer syntaxes -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("syntax", "words"),
    [
        (uid.DeflatedExplicitVRLittleEndian, "inflated"),
        (uid.MPEG2MPML, "video"),
        (uid.MPEG4HP41, "video"),
        (uid.HEVCMP51, "video"),
        (uid.UID("1.2.840.10008.1.2.4.95"), "JPIP"),
        (uid.UID("1.2.3.4"), "private or unknown"),
    ],
)
def test_transfer_syntaxes_off_the_list(tmp_path: Path, syntax: uid.UID, words: str):
    dataset = make_dataset(PICTURE)
    dataset.file_meta.TransferSyntaxUID = syntax
    dataset.PixelData = encapsulate([bytes(100)])
    path = tmp_path / "a.dcm"
    if syntax == uid.DeflatedExplicitVRLittleEndian:
        dataset.save_as(path, enforce_file_format=True)
    else:
        dataset.save_as(path, enforce_file_format=True, implicit_vr=False, little_endian=True)
    check(refusal(path), "unsupported_transfer_syntax", "(0002,0010) Transfer Syntax UID", words)


def test_missing_transfer_syntax():
    check(refusal(bundled("meta_missing_tsyntax.dcm")), "missing_tag", "(0002,0010) Transfer Syntax UID")


def test_deflated_is_refused_before_it_inflates():
    check(refusal(bundled("image_dfl.dcm")), "unsupported_transfer_syntax", "inflated")


def test_twelve_bit_jpeg_names_the_reason():
    check(refusal(bundled("JPEG-lossy.dcm")), "unsupported_transfer_syntax", "12 bits", "GPL")


# --- headers ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("keyword", "name"),
    [
        ("Rows", "(0028,0010) Rows"),
        ("Columns", "(0028,0011) Columns"),
        ("SamplesPerPixel", "(0028,0002) Samples per Pixel"),
        ("PhotometricInterpretation", "(0028,0004) Photometric Interpretation"),
        ("BitsAllocated", "(0028,0100) Bits Allocated"),
        ("BitsStored", "(0028,0101) Bits Stored"),
        ("PixelRepresentation", "(0028,0103) Pixel Representation"),
        ("PlanarConfiguration", "(0028,0006) Planar Configuration"),
        ("PixelData", "(7FE0,0010) Pixel Data"),
    ],
)
def test_missing_elements_are_named(tmp_path: Path, keyword: str, name: str):
    dataset = changed(make_dataset(COLOR, "RGB"), **{keyword: None})
    dataset.file_meta.MediaStorageSOPInstanceUID = "1.2.3"
    dataset.preamble = bytes(128)
    dataset.save_as(tmp_path / "a.dcm", enforce_file_format=False)
    check(refusal(tmp_path / "a.dcm"), "missing_tag", name)


@pytest.mark.parametrize(
    ("elements", "code", "words"),
    [
        ({"SamplesPerPixel": 3}, "inconsistent", "(0028,0002) Samples per Pixel"),
        ({"PhotometricInterpretation": "RGB"}, "inconsistent", "(0028,0002) Samples per Pixel"),
        ({"PhotometricInterpretation": "HSV"}, "unsupported_photometric", "(0028,0004) Photometric Interpretation"),
        ({"NumberOfFrames": -1}, "frame_count", "(0028,0008) Number of Frames"),
        ({"NumberOfFrames": 2}, "truncated", "(7FE0,0010) Pixel Data"),
        ({"NumberOfFrames": 2_000_000_000}, "budget", "(0028,0008) Number of Frames"),
        ({"Rows": 65535, "Columns": 65535}, "budget", "(0028,0010) Rows"),
        ({"Rows": 0}, "inconsistent", "(0028,0010) Rows"),
        ({"Rows": 41}, "truncated", "(7FE0,0010) Pixel Data"),
        ({"BitsStored": 12}, "inconsistent", "(0028,0101) Bits Stored"),
        ({"BitsAllocated": 64, "BitsStored": 64}, "inconsistent", "(0028,0100) Bits Allocated"),
        ({"HighBit": 8}, "inconsistent", "(0028,0102) High Bit"),
        ({"HighBit": 6}, "inconsistent", "(0028,0102) High Bit"),
        ({"NumberOfFrames": ["1", "2"]}, "inconsistent", "(0028,0008) Number of Frames"),
        ({"RescaleSlope": [1, 2], "RescaleIntercept": 0}, "inconsistent", "(0028,1053) Rescale Slope"),
        ({"RescaleSlope": 1, "RescaleIntercept": [0, 1]}, "inconsistent", "(0028,1052) Rescale Intercept"),
        ({"PixelRepresentation": 2}, "inconsistent", "(0028,0103) Pixel Representation"),
        ({"RescaleSlope": 0, "RescaleIntercept": 0}, "non_finite", "(0028,1053) Rescale Slope"),
        ({"RescaleSlope": "1e308", "RescaleIntercept": 0}, "non_finite", "(0028,1053) Rescale Slope"),
    ],
)
def test_bad_elements_are_named(tmp_path: Path, elements: dict[str, Any], code: str, words: str):
    check(refusal(save(tmp_path / "a.dcm", changed(make_dataset(PICTURE), **elements))), code, words)


@pytest.mark.parametrize("frames", [None, 1, 2])
def test_more_pixels_than_declared_frames(tmp_path: Path, frames: int | None):
    dataset = changed(make_dataset(np.stack([PICTURE] * 3)), NumberOfFrames=frames)
    check(refusal(save(tmp_path / "a.dcm", dataset)), "frame_count", "(0028,0008) Number of Frames")


def test_planes_of_422(tmp_path: Path):
    dataset = changed(make_dataset(COLOR, "YBR_FULL_422"), PlanarConfiguration=1, PixelData=bytes(40 * 56 * 2))
    check(refusal(save(tmp_path / "a.dcm", dataset)), "inconsistent", "(0028,0006) Planar Configuration")


@pytest.mark.parametrize("group", [0x10, 0x11])
def test_huge_elements_take_no_memory(tmp_path: Path, group: int):
    content = Path(save(tmp_path / "a.dcm", make_dataset(PICTURE))).read_bytes()
    at, size = content.index(b"\x28\x00\x02\x00US"), 200 * 2**20
    with open(tmp_path / "b.dcm", "wb") as stream:
        stream.write(content[:at] + bytes([group]) + b"\x00\x01\x90UN\x00\x00" + struct.pack("<I", size))
        stream.seek(size, 1)  # a hole
        stream.write(content[at:])
    tracemalloc.start()
    if group % 2:  # private
        np.testing.assert_allclose(read(tmp_path / "b.dcm")[0][0] * 255, PICTURE, atol=1e-4)
    else:
        check(refusal(tmp_path / "b.dcm"), "budget", "(0010,9001)")
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < size / 4


def test_empty_elements_are_no_huge_ones(tmp_path: Path):
    dataset = changed(make_dataset(PICTURE), ImagerPixelSpacing=[], FocalSpots=[], PatientAge="")
    np.testing.assert_allclose(read(save(tmp_path / "a.dcm", dataset))[0][0] * 255, PICTURE, atol=1e-4)


def test_half_a_frame(tmp_path: Path):
    path = Path(save(tmp_path / "a.dcm", make_dataset(PICTURE, NumberOfFrames=1999)))
    path.write_bytes(path.read_bytes().replace(b"1999", b"1.5 "))
    check(refusal(path), "inconsistent", "(0028,0008) Number of Frames")


def test_no_frames_are_one_with_a_warning(tmp_path: Path):
    _, meta = read(save(tmp_path / "a.dcm", make_dataset(PICTURE, NumberOfFrames=0)))
    assert meta["frames"] == 1 and "(0028,0008) Number of Frames is 0" in meta["warnings"][0]


def test_signed_colors(tmp_path: Path):
    error = refusal(save(tmp_path / "a.dcm", make_dataset(COLOR.view(np.int8), "RGB")))
    check(error, "inconsistent", "(0028,0103) Pixel Representation")


@pytest.mark.parametrize("text", [b"nan", b"inf", b"-inf", b"abc"])
@pytest.mark.parametrize(
    ("keyword", "name"),
    [
        ("RescaleSlope", "(0028,1053) Rescale Slope"),
        ("RescaleIntercept", "(0028,1052) Rescale Intercept"),
        ("WindowCenter", "(0028,1050) Window Center"),
        ("WindowWidth", "(0028,1051) Window Width"),
    ],
)
def test_number_strings_that_are_no_numbers(tmp_path: Path, keyword: str, name: str, text: bytes):
    path = tmp_path / "a.dcm"
    numbers = {"RescaleSlope": 1, "RescaleIntercept": 0, "WindowCenter": 9, "WindowWidth": 9, keyword: "7.25"}
    save(path, make_dataset(PICTURE, **numbers))
    path.write_bytes(path.read_bytes().replace(b"7.25", text.ljust(4)))
    check(refusal(path), "non_finite", name)


def test_nested_without_end(tmp_path: Path):
    depth = 3000
    head = b"\x08\x00\x15\x11SQ\x00\x00\xff\xff\xff\xff\xfe\xff\x00\xe0\xff\xff\xff\xff"
    path = tmp_path / "a.dcm"
    save(path, make_dataset(PICTURE))
    content = path.read_bytes()
    at = content.index(b"\x08\x00\x16\x00UI")
    path.write_bytes(content[:at] + head * depth + content[at:])
    for above in range(6):  # wherever in pydicom's calls the end is reached
        check(_refused_below(path, above), "budget", "header")


def _refused_below(path: Path, calls: int) -> ImageReadError:
    return _refused_below(path, calls - 1) if calls else refusal(path)


# --- for processing --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("elements", "name"),
    [
        ({"SOPClassUID": uid.DigitalXRayImageStorageForProcessing}, "(0008,0016) SOP Class UID"),
        ({"SOPClassUID": uid.DigitalMammographyXRayImageStorageForProcessing}, "(0008,0016) SOP Class UID"),
        ({"SOPClassUID": uid.DigitalIntraOralXRayImageStorageForProcessing}, "(0008,0016) SOP Class UID"),
        ({"PresentationIntentType": "FOR PROCESSING"}, "(0008,0068) Presentation Intent Type"),
    ],
)
def test_raw_images_are_refused_unless_wanted(tmp_path: Path, elements: dict[str, str], name: str):
    dataset = make_dataset(PICTURE, **elements)
    dataset.file_meta.MediaStorageSOPClassUID = dataset.SOPClassUID
    path = save(tmp_path / "a.dcm", dataset)
    check(refusal(path), "for_processing", name, "for_processing=True")
    assert read(path, ClinicalImageReader(for_processing=True))[0].shape == (1, 40, 56)
    with pytest.raises(ImageReadError, match="for_processing"):
        LoadClinicalImaged()({"image": path})
    assert LoadClinicalImaged(for_processing=True)({"image": path})["image"].shape == (1, 40, 56)
    assert Preprocessing(32, for_processing=True)({"image": path})["image"].shape == (1, 32, 32)


def test_for_presentation_is_read(tmp_path: Path):
    dataset = make_dataset(PICTURE, SOPClassUID=uid.DigitalXRayImageStorageForPresentation)
    dataset.file_meta.MediaStorageSOPClassUID = dataset.SOPClassUID
    dataset.PresentationIntentType = "FOR PRESENTATION"
    assert read(save(tmp_path / "a.dcm", dataset))[0].shape == (1, 40, 56)


# --- pixels ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["examples_rgb_color.dcm", "examples_jpeg2k.dcm", "examples_ybr_color.dcm"])
@pytest.mark.parametrize("share", [0.5, 0.95])
def test_truncated_pixels(tmp_path: Path, name: str, share: float):
    content = Path(bundled(name)).read_bytes()
    (tmp_path / "a.dcm").write_bytes(content[: int(share * len(content))])
    check(refusal(tmp_path / "a.dcm"), "truncated", "(7FE0,0010) Pixel Data")


def test_truncated_header(tmp_path: Path):
    content = Path(bundled("examples_rgb_color.dcm")).read_bytes()
    (tmp_path / "a.dcm").write_bytes(content[:1000])
    assert refusal(tmp_path / "a.dcm").code in ("truncated", "missing_tag")


def test_fewer_frames_than_declared(tmp_path: Path):
    dataset = changed(dcmread(examples.get_path("ybr_color")), NumberOfFrames=31)
    check(refusal(save(tmp_path / "a.dcm", dataset)), "frame_count", "(0028,0008) Number of Frames")


def test_fewer_frames_in_several_fragments(tmp_path: Path):
    code = b"\xff\xd8" + bytes(100) + b"\xff\xd9"
    dataset = make_dataset(PICTURE, NumberOfFrames=3)
    dataset.file_meta.TransferSyntaxUID = uid.JPEGBaseline8Bit
    dataset.PixelData = encapsulate([code, code], fragments_per_frame=2, has_bot=False)  # 4 fragments, 2 frames
    dataset["PixelData"].is_undefined_length = True
    check(refusal(save(tmp_path / "a.dcm", dataset)), "frame_count", "(0028,0008) Number of Frames")


def test_frames_in_several_fragments_are_found(tmp_path: Path):
    source = dcmread(examples.get_path("ybr_color"))
    codes = list(generate_frames(source.PixelData, number_of_frames=30))[:3]
    for table in (True, False):
        dataset = changed(dcmread(examples.get_path("ybr_color")), NumberOfFrames=3)
        dataset.PixelData = encapsulate(codes, fragments_per_frame=2, has_bot=table)
        path = save(tmp_path / f"{table}.dcm", dataset)
        for frame in (2, 0, 1):
            np.testing.assert_array_equal(
                read(path, frame=frame)[0], read(examples.get_path("ybr_color"), frame=frame)[0]
            )


@pytest.mark.parametrize("name", ["examples_ybr_color.dcm", "examples_jpeg2k.dcm"])
def test_patched_codestreams_are_not_inflated(tmp_path: Path, name: str):
    path = tmp_path / "a.dcm"
    content = bytearray(Path(bundled(name)).read_bytes())
    if name == "examples_jpeg2k.dcm":
        at = content.index(b"\xff\x4f\xff\x51") + 8
        content[at : at + 8] = struct.pack(">2I", 60000, 60000)
    else:
        at = content.index(b"\xff\xc0", content.index(b"\xff\xd8\xff")) + 5
        content[at : at + 4] = struct.pack(">2H", 65500, 65500)
    path.write_bytes(content)
    check(refusal(path, frame=0), "inconsistent", "(0028,0010) Rows", "(0028,0011) Columns")


def test_codestream_of_another_size_is_not_decoded(tmp_path: Path):
    dataset = changed(dcmread(examples.get_path("ybr_color")), Rows=241)
    check(refusal(save(tmp_path / "a.dcm", dataset)), "inconsistent", "(0028,0010) Rows")


def test_codestream_of_many_components_is_not_decoded(tmp_path: Path):
    path = tmp_path / "a.dcm"
    content = bytearray(Path(bundled("examples_jpeg2k.dcm")).read_bytes())
    at = content.index(b"\xff\x4f\xff\x51") + 40
    assert struct.unpack_from(">H", content, at) == (3,)
    content[at : at + 2] = struct.pack(">H", 16000)
    path.write_bytes(content)
    check(refusal(path), "inconsistent", "(0028,0002) Samples per Pixel")


def test_run_lengths_beyond_the_image_are_not_decoded(tmp_path: Path):
    dataset = make_dataset(PICTURE)
    dataset.file_meta.TransferSyntaxUID = uid.RLELossless
    runs = b"\x81\x00" * 100_000  # 128 times as long when decoded
    dataset.PixelData = encapsulate([struct.pack("<16I", 1, 64, *[0] * 14) + runs])
    check(refusal(save(tmp_path / "a.dcm", dataset)), "inconsistent", "(7FE0,0010) Pixel Data", "(0028,0010) Rows")


def test_noise_in_run_lengths_is_read(tmp_path: Path):
    noise = RNG.integers(0, 2**16, (300, 1), dtype=np.uint16)  # the longest that run length encoding makes
    dataset = make_dataset(noise)
    dataset.compress(uid.RLELossless, encoding_plugin="pydicom")
    np.testing.assert_array_equal(read(save(tmp_path / "a.dcm", dataset))[0][0], noise / np.float32(65535))


def test_something_else_in_place_of_a_codestream(tmp_path: Path):
    dataset = make_dataset(PICTURE)
    dataset.file_meta.TransferSyntaxUID = uid.JPEG2000Lossless
    dataset.PixelData = encapsulate([b"no codestream"])
    check(refusal(save(tmp_path / "a.dcm", dataset)), "inconsistent", "(7FE0,0010) Pixel Data")


def test_uncompressed_pixels_called_compressed(tmp_path: Path):
    path = tmp_path / "a.dcm"
    save(path, make_dataset(PICTURE))
    content = path.read_bytes()
    old, new = uid.ExplicitVRLittleEndian.encode() + b"\0", uid.RLELossless.encode() + b"\0"
    assert len(old) == len(new)
    path.write_bytes(content.replace(old, new))
    check(refusal(path), "inconsistent", "(7FE0,0010) Pixel Data")


def test_wrong_422(tmp_path: Path):
    dataset = make_dataset(COLOR, "YBR_FULL_422")  # not subsampled: longer than it says
    check(refusal(save(tmp_path / "a.dcm", dataset)), "inconsistent", "(0028,0004) Photometric Interpretation")


def test_damaged_frame(tmp_path: Path):
    dataset = make_dataset(PICTURE)
    dataset.file_meta.TransferSyntaxUID = uid.RLELossless
    dataset.PixelData = encapsulate([struct.pack("<16I", 1, 64, *[0] * 14) + b"\x00\x01"])
    check(refusal(save(tmp_path / "a.dcm", dataset)), "decode_failed", "(7FE0,0010) Pixel Data", "damaged")


# --- nothing of the header leaves ------------------------------------------------------------------------------------


def test_header_values_stay_out_of_logs_and_warnings(tmp_path: Path, caplog: pytest.LogCaptureFixture):
    path = tmp_path / "a.dcm"
    save(path, make_dataset(PICTURE, StudyInstanceUID="1.2.3"))
    path.write_bytes(path.read_bytes().replace(b"1.2.3", b"CANAR"))
    with caplog.at_level(logging.DEBUG), warnings.catch_warnings():
        warnings.simplefilter("error")
        _, meta = read(path)
    assert "CANAR" not in caplog.text and "CANAR" not in str(meta)


def test_decoders_log_nothing(tmp_path: Path, caplog: pytest.LogCaptureFixture):
    dataset = make_dataset(PICTURE)
    dataset.file_meta.TransferSyntaxUID = uid.RLELossless
    dataset.PixelData = encapsulate([struct.pack("<16I", 1, 64, *[0] * 14) + b"\x00\x01"])
    with caplog.at_level(logging.DEBUG):
        refusal(save(tmp_path / "a.dcm", dataset))
    assert not [record for record in caplog.records if record.name.startswith("pydicom")]


def test_a_codestream_that_hides_another_size_is_not_believed():
    """What is compared with the header is what the decoder will see, not what a comment or a box holds."""
    size = struct.pack(">HH8IH", 41, 0, 64, 64, 0, 0, 64, 64, 0, 0, 1) + b"\7\1\1"
    bait = b"\xff\x4f\xff\x51" + size
    frame = struct.pack(">BBHBHHB", 0xFF, 0xC0, 11, 8, 60000, 60000, 1) + bytes(16)
    jpeg = b"\xff\xd8" + struct.pack(">BBH", 0xFF, 0xFE, len(bait) + 2) + bait + frame
    assert shape_of(jpeg) == (60000, 60000, 1)
    real = b"\xff\x4f\xff\x51" + struct.pack(">HH8IH", 41, 0, 60000, 60000, 0, 0, 64, 64, 0, 0, 1) + b"\7\1\1"
    signature = b"\0\0\0\x0cjP  \r\n\x87\n"
    for head in (struct.pack(">I4s", len(bait) + 8, b"xml "), struct.pack(">I4sQ", 1, b"xml ", len(bait) + 16)):
        assert shape_of(signature + head + bait + struct.pack(">I4s", 0, b"jp2c") + real) == (60000, 60000, 1)
    assert shape_of(signature + struct.pack(">I4s", 0, b"xml ") + bait) is None
    assert shape_of(bait) == (64, 64, 1) and shape_of(bait[:30]) is None
