# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

import zlib
from pathlib import Path

import numpy as np
import pytest
import tifffile
from PIL import Image, ImageOps

from monai_anomaly.data.errors import ImageReadError
from monai_anomaly.data.image_reader import ClinicalImageReader
from tests.helpers.tiff_files import gray_tags, pack_bits, write_tiff

READER = ClinicalImageReader(channels=None)
RNG = np.random.default_rng(0)
RAMP = np.tile(np.linspace(0, 65535, 96).astype(np.uint16), (64, 1))
RAMP[:8] //= 4  # a dark part on top, so that a turned picture is another one
UNIT = RAMP / 65535
COLORS = RNG.integers(0, 65536, (40, 56, 3), dtype=np.uint16)
PHOTO = np.asarray(Image.fromarray(COLORS[..., 0]).resize((96, 64)), np.uint16)


def read(path: Path, reader: ClinicalImageReader = READER, frame: int | None = None):
    return reader.get_data(reader.read(path, frame))


def save(path: Path, content: bytes) -> Path:
    path.write_bytes(content)
    return path


def refusal(path: Path) -> ImageReadError:
    with pytest.raises(ImageReadError) as caught:
        READER.read(path)
    return caught.value


def gray_page(values: np.ndarray, bits: int = 8, **tags: int):
    strip = pack_bits(values, bits) if bits % 8 else values.astype(f"<u{bits // 8}").tobytes()
    return gray_tags(*values.shape, bits), [strip]


# --- what numbers mean -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize("white_is_zero", [False, True])
@pytest.mark.parametrize("dtype", ["u1", "u2", "f2", "f4", "f8"])
def test_white_is_where_the_tag_says_in_every_type_and_order(tmp_path: Path, dtype: str, white_is_zero: bool, order):
    white = 1 if dtype[0] == "f" else 2 ** (8 * int(dtype[1])) - 1
    stored = np.round(UNIT * white) if white > 1 else UNIT
    stored = (white - stored if white_is_zero else stored).astype(dtype)
    photometric = "miniswhite" if white_is_zero else "minisblack"
    for big in (False, True):
        tifffile.imwrite(tmp_path / "a.tif", stored, photometric=photometric, byteorder=order, bigtiff=big)
        image, meta = read(tmp_path / "a.tif")
        assert image.mean() == pytest.approx(0.4531, abs=3e-4) and image.shape == (1, 64, 96)
        np.testing.assert_allclose(image[0], UNIT, atol=1 / min(white, 1000) / 2 + 1e-3)
        assert meta["inverted"] is white_is_zero and meta["warnings"] == [] and meta["kind"] == "raster"


@pytest.mark.parametrize("bits", [1, 2, 3, 4, 6, 7, 10, 12, 14, 16])
@pytest.mark.parametrize("white_is_zero", [False, True])
def test_packed_bits_are_scaled_by_what_they_allow(tmp_path: Path, bits: int, white_is_zero: bool):
    values = RNG.integers(0, 2**bits, (9, 13))
    stored = 2**bits - 1 - values if white_is_zero else values
    tags, strips = gray_page(stored, bits)
    tags[262] = (3, [0 if white_is_zero else 1])
    image, _ = read(save(tmp_path / "a.tif", write_tiff([(tags, strips)])))
    np.testing.assert_allclose(image[0], values / (2**bits - 1), atol=1e-6)


def test_reversed_bits(tmp_path: Path):
    values = RNG.integers(0, 4096, (9, 14))
    tags, [strip] = gray_page(values, 12)
    tags[266] = (3, [2])
    strip = bytes(int(f"{byte:08b}"[::-1], 2) for byte in strip)
    image, _ = read(save(tmp_path / "a.tif", write_tiff([(tags, [strip])])))
    np.testing.assert_allclose(image[0], values / 4095, atol=1e-6)


@pytest.mark.parametrize("dtype", ["i1", "i2", "i4", "u4"])
def test_numbers_that_do_not_say_black_and_white_are_refused_by_name(tmp_path: Path, dtype: str):
    tifffile.imwrite(tmp_path / "a.tif", (RAMP // 1024).astype(dtype), photometric="minisblack")
    error = refusal(tmp_path / "a.tif")
    assert error.code == "unknown_range" and f"{8 * int(dtype[1])}-bit" in error.message


def test_real_numbers_beyond_one_are_refused(tmp_path: Path):
    tifffile.imwrite(tmp_path / "a.tif", UNIT.astype(np.float32) * 255, photometric="minisblack")
    assert refusal(tmp_path / "a.tif").code == "unknown_range"
    broken = UNIT.astype(np.float32)
    broken[3, 3] = np.nan
    tifffile.imwrite(tmp_path / "a.tif", broken, photometric="minisblack")
    assert refusal(tmp_path / "a.tif").code == "non_finite"


# --- colors ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize("planar", ["contig", "separate"])
@pytest.mark.parametrize("dtype", ["u1", "u2"])
def test_colors_in_both_orders_and_in_planes(tmp_path: Path, dtype: str, planar: str, order: str):
    stored = (COLORS >> (8 if dtype == "u1" else 0)).astype(dtype)
    data = stored if planar == "contig" else stored.transpose(2, 0, 1)
    tifffile.imwrite(tmp_path / "a.tif", data, photometric="rgb", planarconfig=planar, byteorder=order)
    image, meta = read(tmp_path / "a.tif")
    np.testing.assert_allclose(image, stored.transpose(2, 0, 1) / np.iinfo(dtype).max, atol=1e-6)
    assert meta["photometric"] == "RGB" and meta["warnings"] == []


@pytest.mark.parametrize(
    ("extra", "warning"), [("unassalpha", "transparent"), ("assocalpha", "transparent"), (0, "fourth")]
)
def test_a_fourth_channel_is_alpha_over_black_or_left_out(tmp_path: Path, extra, warning: str):
    alpha = RNG.integers(0, 256, (40, 56), dtype=np.uint8)
    colors = (COLORS >> 8).astype(np.uint8)
    tifffile.imwrite(tmp_path / "a.tif", np.dstack([colors, alpha]), photometric="rgb", extrasamples=[extra])
    image, meta = read(tmp_path / "a.tif")
    factor = alpha / 255 if extra == "unassalpha" else 1.0
    np.testing.assert_allclose(image, (colors / 255).transpose(2, 0, 1) * factor, atol=1e-6)
    assert len(meta["warnings"]) == 1 and warning in meta["warnings"][0]


@pytest.mark.parametrize("step", [257, 256, 1])
def test_palettes_of_16_bits_and_as_writers_make_them_of_8(tmp_path: Path, step: int):
    palette = RNG.integers(0, 256, (3, 256), dtype=np.uint16)
    palette[:, 0] = 255
    indices = RNG.integers(0, 256, (9, 11), dtype=np.uint8)
    tifffile.imwrite(tmp_path / "a.tif", indices, photometric="palette", colormap=palette * step)
    image, meta = read(tmp_path / "a.tif")
    np.testing.assert_allclose(image, palette[:, indices] / 255, atol=1e-6)
    assert len(meta["warnings"]) == (step == 1)


@pytest.mark.parametrize(
    ("shape", "dtype", "options", "word"),
    [
        ((20, 30, 3), "f4", {"photometric": "rgb"}, "colors"),
        ((20, 30, 5), "u1", {"photometric": "rgb"}, "5 numbers per pixel"),
        ((20, 30, 2), "u1", {"photometric": "minisblack", "planarconfig": "contig"}, "2 numbers per pixel"),
        ((20, 30, 3), "u1", {"photometric": "minisblack", "planarconfig": "contig"}, "3 numbers per pixel"),
        ((20, 30, 3), "u1", {"photometric": "cielab"}, "L*a*b*"),
        ((20, 30), "u2", {"photometric": "cfa"}, "color filter array"),
        ((20, 30, 3), "u2", {"photometric": "linear_raw"}, "linear raw"),
        ((20, 30, 4), "u2", {"photometric": "separated"}, "CMYK"),
        ((20, 30), "c8", {"photometric": "minisblack"}, "complex"),
        ((4, 20, 30), "u1", {"photometric": "minisblack", "volumetric": True, "tile": (4, 16, 16)}, "volume"),
    ],
)
def test_what_is_no_gray_or_rgb_is_refused_by_name_and_never_called_damaged(
    tmp_path: Path, shape, dtype, options, word
):
    tifffile.imwrite(tmp_path / "a.tif", np.ones(shape, dtype), **options)
    error = refusal(tmp_path / "a.tif")
    assert error.code == "unsupported" and word in error.message and "damage" not in error.message


# --- strips, tiles, compressions -------------------------------------------------------------------------------------


@pytest.mark.parametrize("options", [{"rowsperstrip": 7}, {"tile": (32, 48)}])
@pytest.mark.parametrize("dtype", ["u1", "u2"])
@pytest.mark.parametrize("order", ["<", ">"])
def test_deflate_in_strips_and_tiles(tmp_path: Path, dtype: str, options, order: str):
    stored = (COLORS >> (8 if dtype == "u1" else 0)).astype(dtype)
    tifffile.imwrite(tmp_path / "a.tif", stored, photometric="rgb", compression="deflate", byteorder=order, **options)
    image, _ = read(tmp_path / "a.tif")
    np.testing.assert_allclose(image, stored.transpose(2, 0, 1) / np.iinfo(dtype).max, atol=1e-6)


@pytest.mark.parametrize("order", ["<", ">"])
def test_differences_begin_anew_in_each_tile(tmp_path: Path, order: str):
    values = RNG.integers(0, 65536, (30, 40), dtype=np.uint16)
    padded = np.pad(values, ((0, 2), (0, 8)))
    tiles = [padded[y : y + 16, x : x + 16] for y in (0, 16) for x in (0, 16, 32)]
    packed = [
        zlib.compress(np.diff(tile, axis=1, prepend=np.uint16(0)).astype(f"{order}u2").tobytes()) for tile in tiles
    ]
    tags = {**gray_tags(30, 40, 16), 259: (3, [8]), 317: (3, [2]), 322: (3, [16]), 323: (3, [16])}
    image, _ = read(save(tmp_path / "a.tif", write_tiff([(tags, packed)], order=order)))
    np.testing.assert_allclose(image[0], values / 65535, atol=1e-6)


@pytest.mark.parametrize("compression", ["tiff_lzw", "packbits", "tiff_adobe_deflate", "tiff_deflate", "raw"])
@pytest.mark.parametrize("predictor", [1, 2])
@pytest.mark.parametrize("mode", ["L", "I;16", "RGB", "1"])
def test_what_libtiff_packs_is_unpacked(tmp_path: Path, mode: str, predictor: int, compression: str):
    if predictor == 2 and (mode == "1" or compression in ("packbits", "raw")):
        return  # there is no such thing
    picture = (
        Image.fromarray(PHOTO) if mode == "I;16" else Image.fromarray((COLORS >> 8).astype(np.uint8)).convert(mode)
    )
    picture.save(tmp_path / "a.tif", compression=compression, tiffinfo={317: predictor, 278: 9})
    expected = np.asarray(picture, np.float64) / (65535 if mode == "I;16" else 1 if mode == "1" else 255)
    image, _ = read(tmp_path / "a.tif")
    np.testing.assert_allclose(np.squeeze(image.transpose(1, 2, 0)), expected, atol=1e-6)


@pytest.mark.parametrize("compression", ["tiff_lzw", "tiff_adobe_deflate"])
def test_differences_of_real_numbers(tmp_path: Path, compression: str):
    values = RNG.random((31, 45)).astype(np.float32)
    Image.fromarray(values).save(tmp_path / "a.tif", compression=compression, tiffinfo={317: 3, 278: 8})
    with Image.open(tmp_path / "a.tif") as opened:
        assert opened.tag_v2[317] == 3
    np.testing.assert_array_equal(read(tmp_path / "a.tif")[0][0], values)


@pytest.mark.parametrize("mode", ["L", "RGB", "YCbCr"])
def test_jpeg_within_a_tiff_is_that_jpeg(tmp_path: Path, mode: str):
    smooth = Image.fromarray((UNIT * 255).astype(np.uint8)).convert("RGB").convert(mode)
    smooth.save(tmp_path / "a.tif", compression="jpeg", quality=95, tiffinfo={278: 16})
    with Image.open(tmp_path / "a.tif") as opened:
        expected = np.asarray(opened.convert("RGB"), np.float64) / 255
    image, meta = read(tmp_path / "a.tif", ClinicalImageReader(channels=3))
    np.testing.assert_allclose(image.transpose(1, 2, 0), expected, atol=3 / 255)
    assert abs(image.mean() - UNIT.mean()) < 0.01 and meta["warnings"] == []


def test_a_last_strip_that_claims_the_size_of_the_others(tmp_path: Path):
    values = RNG.integers(1, 256, (10, 12))
    tags, [strip] = gray_page(values)
    tags |= {278: (4, [4]), 279: (4, [48, 48, 48])}
    end = len(write_tiff([({**tags, 273: (4, [0, 0, 0])}, [])]))  # the pixels are last in the file
    content = write_tiff([({**tags, 273: (4, [end, end + 48, end + 96])}, [])]) + strip
    image, _ = read(save(tmp_path / "a.tif", content))
    np.testing.assert_allclose(image[0], values / 255, atol=1e-6)
    assert refusal(save(tmp_path / "a.tif", content[:-1])).code == "truncated"


def test_planes_of_colors_in_tiles(tmp_path: Path):
    planes = (COLORS >> 8).astype(np.uint8).transpose(2, 0, 1)
    tifffile.imwrite(
        tmp_path / "a.tif", planes, photometric="rgb", planarconfig="separate", tile=(16, 32), compression="deflate"
    )
    np.testing.assert_allclose(read(tmp_path / "a.tif")[0], planes / 255, atol=1e-6)


@pytest.mark.parametrize(
    ("number", "name"),
    [(2, "fax"), (3, "fax"), (4, "fax"), (6, "old-style"), (34712, "JPEG 2000"), (50000, "Zstandard")],
)
def test_a_compression_that_is_not_read_is_named(tmp_path: Path, number: int, name: str):
    tags, strips = gray_page(np.ones((9, 9), int))
    tags[259] = (3, [number])
    error = refusal(save(tmp_path / "a.tif", write_tiff([(tags, strips)])))
    assert error.code == "unsupported" and name in error.message


@pytest.mark.parametrize("orientation", range(1, 9))
def test_orientation_is_that_of_exif(tmp_path: Path, orientation: int):
    stored = (UNIT * 255).astype(np.uint8)
    tags, strips = gray_page(stored)
    tags[274] = (3, [orientation])
    exif = Image.Exif()
    exif[274] = orientation
    picture = Image.fromarray(stored)
    picture.info["exif"] = exif.tobytes()
    picture.getexif()[274] = orientation
    expected = np.asarray(ImageOps.exif_transpose(picture))
    image, meta = read(save(tmp_path / "a.tif", write_tiff([(tags, strips)])))
    np.testing.assert_allclose(image[0], expected / 255, atol=1e-6)
    assert meta["orientation"] == orientation and meta["shape"] == list(expected.shape)


def test_an_unknown_orientation_is_said(tmp_path: Path):
    tags, strips = gray_page(np.arange(81).reshape(9, 9))
    tags[274] = (3, [9])
    assert "Orientation" in read(save(tmp_path / "a.tif", write_tiff([(tags, strips)])))[1]["warnings"][0]


# --- pages -----------------------------------------------------------------------------------------------------------

BIG, SMALL = (np.full(shape, 99, np.uint8) for shape in ((64, 80), (32, 40)))
BIG[5:9] = SMALL[5:9] = 7


def test_pages_are_frames_and_thumbnails_levels_masks_and_labels_are_none(tmp_path: Path):
    with tifffile.TiffWriter(tmp_path / "a.tif") as file:
        file.write(SMALL, photometric="minisblack")  # a thumbnail that nothing marks
        for value in range(3):
            file.write(np.maximum(BIG, value), photometric="minisblack", subifds=1)
            file.write(SMALL, photometric="minisblack", subfiletype=1)
        file.write(BIG, photometric="minisblack", subfiletype=1)
        file.write(np.dstack([BIG] * 3), photometric="rgb")
        file.write(BIG, photometric="minisblack", subfiletype=9)
        file.write(BIG, photometric="minisblack", subfiletype=2)
    image, meta = read(tmp_path / "a.tif", frame=1)
    assert meta["frames"] == 4 and image.shape == (1, 64, 80)
    assert [text for text in meta["warnings"] if text.startswith("7 further pictures of the TIFF")]


def test_old_marks_of_pages_are_heeded(tmp_path: Path):
    page = gray_page(BIG)
    marked = ({**page[0], 255: (3, [2])}, page[1])
    frame = ({**page[0], 255: (3, [3])}, page[1])
    meta = read(save(tmp_path / "a.tif", write_tiff([marked, frame, frame])))[1]
    assert meta["frames"] == 2 and meta["warnings"][0].startswith("1 further picture of the TIFF")


def test_a_file_of_thumbnails_alone(tmp_path: Path):
    tags, strips = gray_page(BIG)
    tags[254] = (4, [1])
    assert "thumbnail" in read(save(tmp_path / "a.tif", write_tiff([(tags, strips)])))[1]["warnings"][0]
    assert refusal(save(tmp_path / "b.tif", write_tiff([(tags, strips)] * 2))).code == "unsupported"


def test_channels_of_imagej_and_frames_without_a_page_are_no_frames(tmp_path: Path):
    stack = np.stack([BIG, BIG + 1, BIG + 2])
    tifffile.imwrite(tmp_path / "c.tif", stack[None, None], imagej=True, metadata={"axes": "TZCYX"})
    assert refusal(tmp_path / "c.tif").code == "unsupported"
    tifffile.imwrite(tmp_path / "t.tif", stack, imagej=True, metadata={"axes": "TYX"})
    assert read(tmp_path / "t.tif")[1]["frames"] == 3
    tags, strips = gray_page(BIG)
    tags[270] = (2, b"ImageJ=1.53k\nimages=500\nframes=500\n\0")
    assert refusal(save(tmp_path / "a.tif", write_tiff([(tags, strips)]))).code == "frame_count"


# --- damage and bounds -----------------------------------------------------------------------------------------------


def test_a_zero_tail_is_no_picture(tmp_path: Path):
    noisy = RNG.integers(1, 256, (64, 80), dtype=np.uint8)
    content = write_tiff([gray_page(noisy)])
    start = content.index(noisy.tobytes())
    lost = content[: start + 3000] + bytes(5120 - 3000) + content[start + 5120 :]
    assert refusal(save(tmp_path / "a.tif", lost)).code == "truncated"
    black_below = noisy.copy()
    black_below[40:] = 0
    black_below[:, 70:] = 0
    read(save(tmp_path / "b.tif", write_tiff([gray_page(black_below)])))


@pytest.mark.parametrize("compression", ["tiff_lzw", "packbits", "tiff_adobe_deflate", "jpeg"])
@pytest.mark.parametrize("share", [0.3, 0.6, 0.9])
def test_half_of_a_packed_picture_is_no_picture(tmp_path: Path, compression: str, share: float):
    Image.fromarray((COLORS >> 8).astype(np.uint8)).save(tmp_path / "a.tif", compression=compression)
    content = (tmp_path / "a.tif").read_bytes()
    with tifffile.TiffFile(tmp_path / "a.tif") as file:
        page = file.pages[0]
        start, size = page.dataoffsets[0], page.databytecounts[0]
    kept = int(share * size)
    lost = content[: start + kept] + bytes(size - kept) + content[start + size :]
    assert refusal(save(tmp_path / "z.tif", lost)).code in ("truncated", "decode_failed")
    assert refusal(save(tmp_path / "c.tif", content[: start + kept])).code in ("truncated", "decode_failed")


def test_a_bit_of_a_deflated_picture(tmp_path: Path):
    tifffile.imwrite(tmp_path / "a.tif", COLORS, photometric="rgb", compression="deflate")
    content = bytearray((tmp_path / "a.tif").read_bytes())
    content[len(content) // 2] ^= 1
    assert refusal(save(tmp_path / "a.tif", bytes(content))).code in ("decode_failed", "truncated")


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({273: (4, [10**6])}, "truncated"),
        ({279: (4, [100])}, "truncated"),
        ({279: (4, [0])}, "decode_failed"),
        ({273: (4, [8, 8])}, "inconsistent"),
        ({256: (4, [0])}, "inconsistent"),
        ({256: (4, [2**31]), 257: (4, [2**31])}, "budget"),
        ({256: (2, b"80\0")}, "inconsistent"),
        ({258: (3, [8, 8, 9])}, "unsupported"),
        ({322: (3, [0]), 323: (3, [16])}, "inconsistent"),
        ({322: (4, [2**31]), 323: (4, [2**31])}, "inconsistent"),
        ({278: (4, [0])}, "inconsistent"),
        ({284: (3, [7])}, "inconsistent"),
        ({317: (3, [2])}, "unsupported"),
        ({339: (3, [9])}, "unsupported"),
        ({258: (3, [24])}, "unsupported"),
    ],
)
def test_tags_that_make_no_sense(tmp_path: Path, changes, code: str):
    tags, strips = gray_page(BIG)
    content = write_tiff([({**tags, **changes}, strips)])
    error = refusal(save(tmp_path / "a.tif", content))
    assert error.code == code and len(error.message) < 200


def test_a_ring_of_pages_and_too_many_of_them(tmp_path: Path):
    page = gray_page(SMALL)
    content = bytearray(write_tiff([page, page]))
    first = int.from_bytes(content[4:8], "little")
    content[-4:] = first.to_bytes(4, "little")
    assert refusal(save(tmp_path / "a.tif", bytes(content))).code == "inconsistent"
    with pytest.raises(ImageReadError, match=r"budget: .*max_frames=5"):
        ClinicalImageReader(max_frames=5).read(save(tmp_path / "b.tif", write_tiff([page] * 6)))


@pytest.mark.parametrize("zeros", [8, 40, 120])
def test_a_directory_in_a_lost_area_is_damage(tmp_path: Path, zeros: int):
    content = write_tiff([gray_page(BIG)])  # its directory is last
    error = refusal(save(tmp_path / "a.tif", content[:-zeros] + bytes(zeros)))
    assert error.code in ("inconsistent", "decode_failed", "truncated")


def test_no_word_of_the_file_is_in_a_message(tmp_path: Path, caplog, capfd):
    tags, strips = gray_page(BIG)
    tags[270] = (2, b"DOE^JANE\0")
    tags[262] = (3, [32803])
    error = refusal(save(tmp_path / "a.tif", write_tiff([(tags, strips)])))
    assert "DOE" not in f"{error}{caplog.text}{''.join(capfd.readouterr())}"
