# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

import gzip
import os
import zlib
from pathlib import Path

import itk
import numpy as np
import pytest

from monai_anomaly.data.arrays import itk_image
from monai_anomaly.data.errors import ImageReadError
from monai_anomaly.data.image_reader import ClinicalImageReader

RNG = np.random.default_rng(0)
PICTURE = RNG.integers(0, 256, (40, 56), dtype=np.uint8)
COLOR = RNG.integers(0, 256, (40, 56, 3), dtype=np.uint8)
UNIT = PICTURE.astype(np.float32) / 255
UNIT_COLOR = COLOR.transpose(2, 0, 1).astype(np.float32) / 255

NRRD = {"type": "uchar", "dimension": "2", "sizes": "56 40", "encoding": "raw"}
META = {"ObjectType": "Image", "NDims": "2", "DimSize": "56 40", "ElementType": "MET_UCHAR", "ElementDataFile": "LOCAL"}
NRRD_TYPES = {"u1": "uint8", "i1": "int8", "u2": "uint16", "i2": "int16", "i4": "int32", "f4": "float", "f8": "double"}
META_TYPES = {"u1": "UCHAR", "i1": "CHAR", "u2": "USHORT", "i2": "SHORT", "i4": "INT", "f4": "FLOAT", "f8": "DOUBLE"}


def read(path, frame=None, **options):
    reader = ClinicalImageReader(channels=None, **options)
    return reader.get_data(reader.read(path, frame))


def refusal(path, frame=None, **options) -> ImageReadError:
    with pytest.raises(ImageReadError) as caught:
        read(path, frame, **options)
    assert str(path.parent) not in str(caught.value) and "CANARY" not in str(caught.value)
    return caught.value


@pytest.fixture(autouse=True)
def silent(capfd):
    """Nothing that a file holds may reach the terminal, whatever the test does."""
    yield
    seen = capfd.readouterr()
    assert not seen.out and not seen.err


def write_nrrd(path: Path, data: bytes = PICTURE.tobytes(), *, lines: str = "", **fields: str | None) -> Path:
    """Write an NRRD by hand; an underscore in a name stands for a space, None leaves a field out."""
    merged = {**NRRD, **{name.replace("_", " "): value for name, value in fields.items()}}
    text = "".join(f"{name}: {value}\n" for name, value in merged.items() if value is not None)
    path.write_bytes(f"NRRD0004\n{text}{lines}\n".encode() + data)
    return path


def write_meta(path: Path, data: bytes = PICTURE.tobytes(), *, lines: str = "", **fields: str | None) -> Path:
    """Write a MetaImage by hand, ``lines`` before its last key."""
    if fields.get("CompressedData") == "True" and "CompressedDataSize" not in fields and data[:1] == b"\x78":
        fields["CompressedDataSize"] = str(len(data))
    merged = {**META, **fields}
    last = merged.pop("ElementDataFile")
    text = "".join(f"{name} = {value}\n" for name, value in merged.items() if value is not None) + lines
    path.write_bytes(text.encode() + (b"" if last is None else f"ElementDataFile = {last}\n".encode()) + data)
    return path


# --- what is read ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("suffix", ["nrrd", "mha", "mhd"])
@pytest.mark.parametrize("packed", [False, True])
def test_files_that_itk_writes(tmp_path: Path, suffix: str, packed: bool):
    for pixels, expected in ((PICTURE, UNIT[None]), (COLOR, UNIT_COLOR)):
        image = itk.image_from_array(pixels, is_vector=pixels.ndim == 3)
        itk.imwrite(image, str(tmp_path / f"a.{suffix}"), compression=packed)
        got, meta = read(tmp_path / f"a.{suffix}")
        np.testing.assert_array_equal(got, expected)
        assert meta["kind"] == ("nrrd" if suffix == "nrrd" else "metaimage")
        assert meta["spacing"] == [] and meta["warnings"] == []  # ITK's own default is no spacing


@pytest.mark.parametrize("name", NRRD_TYPES)
@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize("channels", [1, 3])
def test_types_and_byte_orders(tmp_path: Path, name: str, order: str, channels: int):
    stored = (COLOR if channels == 3 else PICTURE).astype(np.int64)
    stored = {"u": stored * 200, "i": stored * 200 - 20000, "f": stored / 7}[name[0]] if name[1] != "1" else stored // 3
    data = stored.astype(order + name)
    nrrd = {"kinds": "RGB-color domain domain", "dimension": "3", "sizes": "3 56 40"} if channels == 3 else {}
    write_nrrd(
        tmp_path / "a.nrrd",
        data.tobytes(),
        type=NRRD_TYPES[name],
        endian={"<": "little", ">": "big"}[order],
        **nrrd,
    )
    write_meta(
        tmp_path / "a.mha",
        data.tobytes(),
        ElementType=f"MET_{META_TYPES[name]}",
        BinaryDataByteOrderMSB=str(order == ">"),
        ElementNumberOfChannels=str(channels),
    )
    expected = np.clip((data.astype(float) + 20000) / 80000, 0, 1)
    expected = expected.transpose(2, 0, 1) if channels == 3 else expected[None]
    for path in (tmp_path / "a.nrrd", tmp_path / "a.mha"):
        np.testing.assert_allclose(read(path, value_range=(-20000, 60000))[0], expected, atol=1e-7)
        if name[0] != "u":
            assert refusal(path).code == "unknown_range"


@pytest.mark.parametrize("kind", ["RGB-color", "3-color", "vector"])
@pytest.mark.parametrize("axis", [0, 2])
def test_color_axis_by_its_kind(tmp_path: Path, kind: str, axis: int):
    data = COLOR if axis == 0 else COLOR.transpose(2, 0, 1)
    kinds, sizes = ["domain", "domain"], ["56", "40"]
    kinds.insert(axis, kind)
    sizes.insert(axis, "3")
    path = write_nrrd(tmp_path / "a.nrrd", data.tobytes(), dimension="3", sizes=" ".join(sizes), kinds=" ".join(kinds))
    np.testing.assert_array_equal(read(path)[0], UNIT_COLOR)


@pytest.mark.parametrize(("shape", "axis"), [((5, 40, 56), 2), ((5, 1, 40, 56), 3), ((1, 5, 40, 56), 2)])
def test_frames_of_the_named_axis(tmp_path: Path, shape, axis: int):
    frames = RNG.integers(0, 256, shape, dtype=np.uint8)
    sizes = " ".join(str(n) for n in shape[::-1])
    paths = [
        write_nrrd(tmp_path / "a.nrrd", frames.tobytes(), dimension=str(len(shape)), sizes=sizes),
        write_meta(
            tmp_path / "a.mha", zlib.compress(frames), NDims=str(len(shape)), DimSize=sizes, CompressedData="True"
        ),
    ]
    for path in paths:
        assert refusal(path).code == "ambiguous_axes"
        reader = ClinicalImageReader(frames_axis=axis)
        assert reader.count_frames(path) == 5
        got = np.stack([decoded.pixels[0] for decoded in reader.read_frames(path)])
        np.testing.assert_array_equal(got, frames.reshape(5, 40, 56).astype(np.float32) / 255)


def test_frames_of_colors(tmp_path: Path):
    frames = RNG.integers(0, 256, (4, 40, 56, 3), dtype=np.uint8)
    write_nrrd(
        tmp_path / "a.nrrd", frames.tobytes(), dimension="4", sizes="3 56 40 4", kinds="RGB-color space space time"
    )
    write_meta(tmp_path / "a.mha", frames.tobytes(), NDims="3", DimSize="56 40 4", ElementNumberOfChannels="3")
    for path in (tmp_path / "a.nrrd", tmp_path / "a.mha"):
        image, meta = read(path, 2, frames_axis=2)
        np.testing.assert_array_equal(image, frames[2].transpose(2, 0, 1).astype(np.float32) / 255)
        assert (meta["frames"], meta["frame"]) == (4, 2)


def test_range_holds_for_all_frames(tmp_path: Path):
    frames = np.stack([np.full((5, 6), value, "<f4") for value in (0.25, 0.5, 1)])
    fields = {"type": "float", "endian": "little", "dimension": "3", "sizes": "6 5 3"}
    path = write_nrrd(tmp_path / "a.nrrd", frames.tobytes(), **fields)
    assert [read(path, frame, frames_axis=2)[0].mean() for frame in range(3)] == [0.25, 0.5, 1]
    frames[2, 0, 0] = np.nan
    path = write_nrrd(tmp_path / "b.nrrd", frames.tobytes(), **fields)
    assert refusal(path, 0, frames_axis=2).code == "non_finite"


def test_directions_never_flip_and_statistics_are_no_range(tmp_path: Path):
    write_nrrd(
        tmp_path / "a.nrrd",
        space_dimension="2",
        space_directions="(-1,0) (0,-1)",
        space_origin="(3,4)",
        min="0",
        max="9",
        old_min="0",
        old_max="1",
    )
    write_meta(tmp_path / "a.mha", TransformMatrix="-1 0 0 -1", ElementMin="0", ElementMax="9", Offset="3 4")
    for path in (tmp_path / "a.nrrd", tmp_path / "a.mha"):
        np.testing.assert_array_equal(read(path)[0][0], UNIT)


def test_other_keys_and_line_ends_change_nothing(tmp_path: Path):
    write_nrrd(tmp_path / "a.nrrd", lines="# CANARY\nPatientName:=CANARY\n")
    write_meta(tmp_path / "a.mha", lines="0010|0010 = CANARY^JANE\nName = CANARY\nComment =\n")
    for path in (tmp_path / "a.nrrd", tmp_path / "a.mha"):
        image, meta = read(path)
        np.testing.assert_array_equal(image[0], UNIT)
        assert "CANARY" not in str(meta)
    write_nrrd(tmp_path / "a.nrrd", b"")
    write_meta(tmp_path / "a.mha", b"")
    for path in (tmp_path / "a.nrrd", tmp_path / "a.mha"):
        path.write_bytes(path.read_bytes().replace(b"\n", b"\r\n") + PICTURE.tobytes())
        np.testing.assert_array_equal(read(path)[0][0], UNIT)


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({}, []),
        ({"spacings": "0.5 0.25"}, []),
        ({"spacings": "0.5 0.25", "units": '"mm" "mm"'}, [0.25, 0.5]),
        ({"spacings": "500 0.25", "units": '"um" "mm"'}, [0.25, 0.5]),
        ({"spacings": "0.5 0.25", "units": '"mm" "s"'}, []),
        ({"spacings": "0.5 nan", "units": '"mm" "mm"'}, []),
        ({"spacings": "0.5 -0.25", "units": '"mm" "mm"'}, []),
        ({"space dimension": "2", "space directions": "(0.5,0) (0,0.25)"}, []),
        ({"space dimension": "2", "space units": '"mm" "mm"', "space directions": "(0.3,0.4) (0,-0.25)"}, [0.25, 0.5]),
    ],
)
def test_nrrd_spacing(tmp_path: Path, fields, expected):
    _, meta = read(write_nrrd(tmp_path / "a.nrrd", **fields))
    assert meta["spacing"] == pytest.approx(expected) and meta["spacing_origin"] == ("nrrd" if expected else "")


@pytest.mark.parametrize(
    ("text", "expected"),
    [(None, []), ("0.5 0.25", [0.25, 0.5]), ("1 1", []), ("-1 1", []), ("1 1.5", [1.5, 1])],
)
def test_metaimage_spacing(tmp_path: Path, text, expected):
    _, meta = read(write_meta(tmp_path / "a.mha", ElementSpacing=text))
    assert meta["spacing"] == expected and meta["spacing_origin"] == ("metaimage" if expected else "")


# --- refusals --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("fields", "code"),
    [
        ({"sizes": "56 41"}, "truncated"),
        ({"sizes": "56 39"}, "inconsistent"),
        ({"sizes": "-56 40"}, "inconsistent"),
        ({"sizes": "0 40"}, "inconsistent"),
        ({"sizes": "56"}, "inconsistent"),
        ({"sizes": "56 40.0"}, "inconsistent"),
        ({"sizes": "5_6 40"}, "inconsistent"),
        ({"sizes": "99999999999 99999999999"}, "budget"),
        ({"sizes": "9" * 30 + " 40"}, "inconsistent"),
        ({"sizes": None}, "inconsistent"),
        ({"dimension": "nan"}, "inconsistent"),
        ({"dimension": "6", "sizes": "56 40 1 1 1 1"}, "unsupported"),
        ({"type": "block"}, "unsupported"),
        ({"type": "CANARY"}, "unsupported"),
        ({"type": "ushort"}, "inconsistent"),  # no endian
        ({"type": "ushort", "endian": "middle"}, "inconsistent"),
        ({"encoding": "ascii"}, "unsupported"),
        ({"encoding": "bzip2"}, "unsupported"),
        ({"encoding": None}, "inconsistent"),
        ({"data file": "CANARY.raw"}, "unsupported"),
        ({"datafile": "/etc/passwd"}, "unsupported"),
        ({"data file": "LIST"}, "unsupported"),
        ({"line skip": "1"}, "unsupported"),
        ({"byte skip": "-1"}, "unsupported"),
        ({"kinds": "domain time"}, "ambiguous_axes"),
        ({"kinds": "domain"}, "inconsistent"),
        ({"kinds": "domain list"}, "unsupported"),
        ({"kinds": "domain CANARY"}, "unsupported"),
        ({"dimension": "3", "sizes": "4 14 40", "kinds": "RGBA-color domain domain"}, "unsupported"),
        ({"dimension": "3", "sizes": "2 28 40", "kinds": "vector domain domain"}, "unsupported"),
        ({"CANARY": "1"}, "inconsistent"),
        ({"space dimension": "2", "space directions": "(0,0) (0,1)"}, "decode_failed"),
        ({"block size": "2"}, "decode_failed"),  # what only ITK knows about
    ],
)
def test_bad_nrrd_headers(tmp_path: Path, fields, code: str):
    assert refusal(write_nrrd(tmp_path / "a.nrrd", **fields)).code == code


@pytest.mark.parametrize(
    ("fields", "code"),
    [
        ({"DimSize": "56 41"}, "truncated"),
        ({"DimSize": "56 39"}, "inconsistent"),
        ({"DimSize": "-56 40"}, "inconsistent"),
        ({"DimSize": "0 40"}, "inconsistent"),
        ({"DimSize": "nan 40"}, "inconsistent"),
        ({"DimSize": None}, "inconsistent"),
        ({"DimSize": "99999999999 99999999999"}, "budget"),
        ({"NDims": "3"}, "inconsistent"),
        ({"NDims": "5", "DimSize": "56 40 1 1 1"}, "unsupported"),
        ({"ObjectType": "Mesh"}, "unsupported"),
        ({"BinaryData": "False"}, "unsupported"),
        ({"HeaderSize": "-1"}, "unsupported"),
        ({"ElementToIntensityFunctionSlope": "2"}, "unsupported"),
        ({"ElementType": "MET_LONG"}, "unsupported"),
        ({"ElementType": "MET_UCHAR_ARRAY"}, "unsupported"),
        ({"ElementType": "MET_SHORT"}, "inconsistent"),  # no byte order
        ({"BinaryDataByteOrderMSB": "True", "ElementByteOrderMSB": "False"}, "inconsistent"),
        ({"BinaryDataByteOrderMSB": "CANARY"}, "inconsistent"),
        ({"CompressedData": "maybe"}, "inconsistent"),
        ({"CompressedData": "True"}, "inconsistent"),
        ({"CompressedData": "True", "CompressedDataSize": "2240"}, "decode_failed"),
        ({"CompressedData": "True", "CompressedDataSize": "-4"}, "inconsistent"),
        ({"CompressedData": "True", "CompressedDataSize": "99999"}, "truncated"),
        *(({"ElementSpacing": text}, "inconsistent") for text in ("0 1", "nan 1", "1", "1 1 1", "x y", "1e400 1", "")),
        *(({"TransformMatrix": text}, "inconsistent") for text in ("1 0 0", "1 0 0 inf")),
        ({"ElementMin": "CANARY"}, "inconsistent"),
        ({"ElementNumberOfChannels": "4"}, "unsupported"),
        ({"ElementNumberOfChannels": "3"}, "truncated"),
        ({"ElementDataFile": None}, "truncated"),
    ],
)
def test_bad_metaimage_headers(tmp_path: Path, fields, code: str):
    data = b"" if fields.get("ElementDataFile", "") is None else PICTURE.tobytes()
    assert refusal(write_meta(tmp_path / "a.mha", data, **fields)).code == code


@pytest.mark.parametrize("lines", ["DimSize = 40 56\n", "DimSize: 40 56 = 1\n", "CANARY\n", "a b = 1\n", "= 3\n"])
def test_metaimage_lines_that_itk_would_take_for_something_else(tmp_path: Path, lines: str):
    assert refusal(write_meta(tmp_path / "a.mha", lines=lines)).code == "inconsistent"


def test_repeated_nrrd_fields(tmp_path: Path):
    assert refusal(write_nrrd(tmp_path / "a.nrrd", lines="sizes: 40 56\n")).code == "inconsistent"


@pytest.mark.parametrize("share", [0.02, 0.3, 0.9, 0.999])
@pytest.mark.parametrize("packed", [False, True])
def test_truncation(tmp_path: Path, share: float, packed: bool):
    data = PICTURE.tobytes()
    write_nrrd(tmp_path / "a.nrrd", gzip.compress(data) if packed else data, encoding="gzip" if packed else "raw")
    write_meta(tmp_path / "a.mha", zlib.compress(data) if packed else data, CompressedData=str(packed))
    for path in (tmp_path / "a.nrrd", tmp_path / "a.mha"):
        content = path.read_bytes()
        path.write_bytes(content[: int(share * len(content))])
        assert refusal(path).code in ("truncated", "inconsistent" if share < 0.1 else "truncated")


def test_packed_data_that_is_more_than_declared(tmp_path: Path):
    for extra in (1, 2**24):
        data = PICTURE.tobytes() + bytes(extra)
        assert refusal(write_nrrd(tmp_path / "a.nrrd", gzip.compress(data), encoding="gzip")).code == "inconsistent"
        assert (
            refusal(write_meta(tmp_path / "a.mha", zlib.compress(data), CompressedData="True")).code == "inconsistent"
        )
    data = zlib.compress(PICTURE) + b"x"
    assert refusal(write_meta(tmp_path / "a.mha", data, CompressedData="True")).code == "inconsistent"
    fields = {"CompressedData": "True", "CompressedDataSize": str(len(data) - 1)}
    assert refusal(write_meta(tmp_path / "a.mha", data, **fields)).code == "inconsistent"


def test_packed_data_with_a_wrong_sum(tmp_path: Path):
    data = gzip.compress(PICTURE.tobytes())
    assert (
        refusal(write_nrrd(tmp_path / "a.nrrd", data[:-8] + bytes(4) + data[-4:], encoding="gz")).code
        == "decode_failed"
    )
    data = zlib.compress(PICTURE)
    assert refusal(write_meta(tmp_path / "a.mha", data[:-4] + bytes(4), CompressedData="True")).code == "decode_failed"


def test_limits(tmp_path: Path):
    frames = np.zeros((5, 8, 8), np.uint8).tobytes()
    write_nrrd(tmp_path / "a.nrrd", frames, dimension="3", sizes="8 8 5")
    write_meta(tmp_path / "a.mha", frames, NDims="3", DimSize="8 8 5")
    for path in (tmp_path / "a.nrrd", tmp_path / "a.mha"):
        for limit in ({"max_frames": 4}, {"max_pixels": 63}, {"max_bytes": 8 * 8 * 5 * 4 - 1}):
            assert refusal(path, frames_axis=2, **limit).code == "budget"
        read(path, frames_axis=2, max_frames=5, max_pixels=64, max_bytes=8 * 8 * 5 * 4)


def test_header_without_end(tmp_path: Path):
    (tmp_path / "a.nrrd").write_bytes(b"NRRD0004\n#" + b"x" * 2**21)
    (tmp_path / "a.mha").write_bytes(b"NDims = " + b"2" * 2**21)
    assert {refusal(tmp_path / name).code for name in ("a.nrrd", "a.mha")} == {"budget"}


# --- detached data ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "name",
    [
        *(
            "../b.raw",
            "/etc/passwd",
            "sub/b.raw",
            "sub\\b.raw",
            "..",
            ".",
            ".hidden",
            "LIST",
            "LIST 3",
            "list",
            "b%d.raw",
        ),
        *("b%02d.raw 1 4 1", "b*.raw", "", "~/b.raw", "local"),
    ],
)
def test_data_files_elsewhere(tmp_path: Path, name: str):
    folder = tmp_path / "folder"
    (folder / "sub").mkdir(parents=True)
    for place in (tmp_path, folder / "sub"):
        (place / "b.raw").write_bytes(PICTURE.tobytes())
    error = refusal(write_meta(folder / "a.mhd", b"", ElementDataFile=name))
    assert error.code in ("unsupported", "not_found") and name not in error.message.split()


@pytest.mark.parametrize("name", ["b.raw", "b c(1).raw", "b-2+x.raw", "größe.raw"])
def test_data_file_in_the_same_folder(tmp_path: Path, name: str):
    (tmp_path / name).write_bytes(PICTURE.tobytes())
    path = write_meta(tmp_path / "a.mhd", b"", ElementDataFile=name)
    np.testing.assert_array_equal(read(path)[0][0], UNIT)
    (tmp_path / name).write_bytes(PICTURE.tobytes()[:-1])
    assert refusal(path).code == "truncated"
    (tmp_path / name).unlink()
    assert refusal(path).code == "not_found"


def test_links_and_pipes_are_no_data_files(tmp_path: Path):
    (tmp_path / "c.raw").write_bytes(PICTURE.tobytes())
    path = write_meta(tmp_path / "a.mhd", b"", ElementDataFile="b.raw")
    (tmp_path / "b.raw").symlink_to(tmp_path / "c.raw")
    assert refusal(path).code == "unsupported"
    (tmp_path / "b.raw").unlink()
    os.mkfifo(tmp_path / "b.raw")
    assert refusal(path).code == "unsupported"


def test_names_beyond_ascii(tmp_path: Path):
    np.testing.assert_array_equal(read(write_meta(tmp_path / "größe %d #1.mha"))[0][0], UNIT)
    error = refusal(write_nrrd(tmp_path / os.fsdecode(b"\xff.nrrd")))
    assert error.code == "unsupported" and "rename" in error.message


# --- ITK itself ------------------------------------------------------------------------------------------------------


def test_without_itk_the_message_names_the_package(tmp_path: Path, monkeypatch):
    path = write_nrrd(tmp_path / "a.nrrd")
    monkeypatch.setitem(__import__("sys").modules, "itk", None)
    error = refusal(path)
    assert error.code == "missing_package" and "itk" in error.message
    assert ClinicalImageReader().count_frames(path) == 1


def test_itk_that_disagrees_with_the_header_is_not_believed(tmp_path: Path, monkeypatch):
    monkeypatch.setattr(itk_image, "_read_with_itk", lambda *_: np.zeros((56, 40), np.uint8))
    assert refusal(write_nrrd(tmp_path / "a.nrrd")).code == "inconsistent"


def test_content_decides_not_the_name(tmp_path: Path):
    write_nrrd(tmp_path / "a.mha")
    write_meta(tmp_path / "a.nrrd")
    for name, kind in (("a.mha", "nrrd"), ("a.nrrd", "metaimage")):
        image, meta = read(tmp_path / name)
        np.testing.assert_array_equal(image[0], UNIT)
        assert meta["kind"] == kind
    (tmp_path / "b.nrrd").write_bytes(b"hello")
    assert refusal(tmp_path / "b.nrrd").code == "decode_failed"


@pytest.mark.parametrize("suffix", ["nrrd", "mha"])
@pytest.mark.parametrize("packed", [False, True])
def test_mutated_files_never_escape(tmp_path: Path, suffix: str, packed: bool):
    path = tmp_path / f"a.{suffix}"
    small = RNG.random((6, 5)).astype("<f4").tobytes()
    if suffix == "nrrd":
        fields = {"type": "float", "endian": "little", "sizes": "5 6", "encoding": "gzip" if packed else "raw"}
        source = write_nrrd(path, gzip.compress(small) if packed else small, **fields).read_bytes()
    else:
        fields = {"ElementType": "MET_FLOAT", "ElementByteOrderMSB": "False", "DimSize": "5 6"}
        data = zlib.compress(small) if packed else small
        source = write_meta(path, data, CompressedData=str(packed), **fields).read_bytes()
    rng = np.random.default_rng(2)
    count = 0
    for _ in range(150):
        content = bytearray(source)
        for _ in range(int(rng.integers(1, 4))):
            content[int(rng.integers(len(content)))] = int(rng.integers(256))
        path.write_bytes(content)
        try:
            image, _ = read(path)
        except ImageReadError:
            continue
        count += 1
        assert np.isfinite(image).all() and image.min() >= 0 and image.max() <= 1 and image.shape == (1, 6, 5)
    assert count < 150 and (packed or count > 0)
