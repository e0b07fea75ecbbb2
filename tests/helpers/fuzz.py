# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

"""Mutated real files for the reader: ``python -m tests.helpers.fuzz --count 20000``.

Each mutation is drawn from its number alone, so that a finding is repeated by ``--first NUMBER --count 1``. The number
is on disk before its file is read: after a native crash or a hang the file ``current`` in the working folder names it.
"""

from __future__ import annotations

import argparse
import gzip
import io
import resource
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path

import nibabel
import numpy as np
from PIL import Image
from pydicom import dcmread
from pydicom.data import get_testdata_file
from pydicom.uid import JPEGLSLossless

from monai_anomaly.data.errors import ImageReadError
from monai_anomaly.data.image_reader import ClinicalImageReader

REAL_FILES = (
    "examples_rgb_color.dcm",
    "examples_ybr_color.dcm",
    "examples_palette.dcm",
    "examples_jpeg2k.dcm",
    "ExplVR_BigEnd.dcm",
    "dicomdirtests/77654033/CR1/6154",
    "MR_small_RLE.dcm",
    "MR_small_jpeg_ls_lossless.dcm",
    "JPEG2000.dcm",
    "SC_rgb_jpeg_gdcm.dcm",
    "JPGExtended.dcm",
    "SC_ybr_full_422_uncompressed.dcm",
    "SC_rgb_rle_2frame.dcm",
    "SC_rgb_jls_lossy_line.dcm",
)
"""Files of pydicom's own tests: every photometric interpretation and compression that is read."""


def seeds() -> list[tuple[str, bytes]]:
    """Return the suffix and the content of the files that are mutated."""
    found = [(".dcm", Path(str(get_testdata_file(name, download=False))).read_bytes()) for name in REAL_FILES]
    dataset = dcmread(io.BytesIO(found[0][1]))
    picture = dataset.pixel_array
    dataset.compress(JPEGLSLossless, generate_instance_uid=False)
    stream = io.BytesIO()
    dataset.save_as(stream)
    found.append((".dcm", stream.getvalue()))
    for suffix, kind in ((".png", "PNG"), (".jpg", "JPEG"), (".tif", "TIFF"), (".bmp", "BMP")):
        stream = io.BytesIO()
        Image.fromarray(picture).save(stream, kind)
        found.append((suffix, stream.getvalue()))
    volume = nibabel.Nifti1Image(picture[..., 0].T.astype(np.float32) / 255, np.eye(4)).to_bytes()
    found += [(".nii", volume), (".nii.gz", gzip.compress(volume))]
    return found + _text_headers(picture[..., 0])


def _text_headers(gray: np.ndarray) -> list[tuple[str, bytes]]:
    """NRRD and MetaImage, raw and compressed; the header is text."""
    rows, columns = gray.shape
    nrrd = f"NRRD0004\ntype: uint8\ndimension: 2\nsizes: {columns} {rows}\nencoding: %s\n\n"
    meta = f"ObjectType = Image\nNDims = 2\nDimSize = {columns} {rows}\nElementType = MET_UCHAR\n%s"
    meta += "ElementDataFile = LOCAL\n"
    return [
        (".nrrd", (nrrd % "raw").encode() + gray.tobytes()),
        (".nrrd", (nrrd % "gzip").encode() + gzip.compress(gray.tobytes())),
        (".mha", (meta % "").encode() + gray.tobytes()),
    ]


def mutate(content: bytes, rng: np.random.Generator) -> bytes:
    """Return a file with one to four kinds of damage, half of it near the start, where headers are."""
    data = bytearray(content)
    for _ in range(int(rng.integers(1, 5))):
        if not data:
            break
        reach = len(data) if rng.random() < 0.5 else min(len(data), 2048)
        at = int(rng.integers(reach))
        kind = int(rng.integers(6))
        if kind == 0:
            for place in rng.integers(at, min(at + 64, len(data)), int(rng.integers(1, 9))):
                data[place] = int(rng.integers(256))
        elif kind == 1:
            del data[at : at + int(rng.integers(1, 65))]
        elif kind == 2:
            data[at:at] = rng.bytes(int(rng.integers(1, 65)))
        elif kind == 3:
            del data[at:]
        elif kind == 4:
            words = (b"\xff\xff", b"\xff\xff\xff\xff", b"\0\0\xc0\x7f", b"nan ", b"1e99", b"\0\0\0\0")
            word = words[int(rng.integers(len(words)))]
            data[at : at + len(word)] = word
        else:
            size = int(rng.integers(1, 257))
            other = int(rng.integers(len(data)))
            data[at : at + size] = data[other : other + size]
    return bytes(data)


def mutations(first: int, count: int) -> Iterator[tuple[int, str, bytes]]:
    """Yield the numbers, suffixes and contents of mutated files, the same for a number in every run."""
    sources = seeds()
    for number in range(first, first + count):
        suffix, content = sources[number % len(sources)]
        yield number, suffix, mutate(content, np.random.default_rng([7, number]))


def judge(reader: ClinicalImageReader, path: Path) -> str:
    """Read one file; returns the error's code or ``read``, and fails on anything that is neither."""
    try:
        image, meta = reader.get_data(reader.read(path))
    except ImageReadError as error:
        assert error.code and error.message.endswith((".", "?")) and "\n" not in error.message, str(error)
        return error.code
    x0, y0, x1, y1 = meta["box"]
    assert image.shape == (1, y1 - y0, x1 - x0) and image.size > 0
    assert image.dtype == np.float32 and np.isfinite(image).all() and image.min() >= 0 and image.max() <= 1
    return "read"


def run(first: int, count: int, folder: Path) -> tuple[Counter[str], float]:
    """Read mutated files; returns how often each end came, and the longest time in seconds."""
    reader = ClinicalImageReader()
    ends: Counter[str] = Counter()
    longest = 0.0
    for number, suffix, content in mutations(first, count):
        path = folder / f"mutated{suffix}"
        path.write_bytes(content)
        (folder / "current").write_text(str(number))
        start = time.perf_counter()
        ends[judge(reader, path)] += 1
        longest = max(longest, time.perf_counter() - start)
        path.unlink()
    return ends, longest


def main(arguments: Sequence[str] | None = None) -> int:
    """Print what became of the files, the longest reading and the most memory."""
    parser = argparse.ArgumentParser(prog="python -m tests.helpers.fuzz", description=__doc__)
    parser.add_argument("--first", type=int, default=0)
    parser.add_argument("--count", type=int, default=20000)
    parser.add_argument("--folder", type=Path, help="working folder (default: a temporary one)")
    options = parser.parse_args(arguments)
    folder = options.folder or Path(tempfile.mkdtemp(prefix="fuzz-"))
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    ends, longest = run(options.first, options.count, folder)
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    print(f"{ends.total()} files of {len(seeds())} seeds, no escape; longest {longest:.2f} s")
    print(f"memory {memory / 1024:.0f} MiB at most, {before / 1024:.0f} MiB before the first file")
    print(", ".join(f"{code} {number}" for code, number in ends.most_common()))
    return 0


if __name__ == "__main__":
    sys.exit(main())
