# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

"""How a directory of a TIFF says that its pixels are laid out, checked; what is not read is refused by its name."""

from __future__ import annotations

from dataclasses import dataclass

from monai_anomaly.data.errors import ImageReadError
from monai_anomaly.data.rasters.tiff.directory import Directory
from monai_anomaly.data.read_limits import ReadLimits, check_budget

__all__ = ["DEFLATE", "JPEG", "LZW", "PACK_BITS", "RAW", "TiffLayout", "check_layout"]

RAW, LZW, JPEG, DEFLATE, PACK_BITS = 1, 5, 7, (8, 32946), 32773
COMPRESSIONS = {RAW: "none", LZW: "LZW", JPEG: "JPEG", 8: "deflate", 32946: "deflate", PACK_BITS: "PackBits"}
UNREAD_COMPRESSIONS = {
    2: "CCITT fax",
    3: "CCITT fax",
    4: "CCITT fax",
    6: "old-style JPEG",
    32809: "ThunderScan",
    33003: "JPEG 2000",
    33005: "JPEG 2000",
    34676: "SGI LogLuv",
    34712: "JPEG 2000",
    34887: "LERC",
    34892: "lossy JPEG of a raw camera file",
    34925: "LZMA",
    50000: "Zstandard",
    50001: "WebP",
    50002: "JPEG XL",
    52546: "JPEG XL",
}
COLORS = {
    0: ("WhiteIsZero", 1),
    1: ("BlackIsZero", 1),
    2: ("RGB", 3),
    3: ("Palette", 1),
    5: ("CMYK", 4),
    6: ("YCbCr", 3),
}
"""PhotometricInterpretation -> its name and its numbers per pixel."""

UNREAD_COLORS = {
    4: "a transparency mask",
    8: "CIE L*a*b*",
    9: "ICC L*a*b*",
    10: "ITU L*a*b*",
    32803: "the color filter array of a raw camera file",
    32844: "SGI LogL",
    32845: "SGI LogLuv",
    34892: "linear raw colors of a camera",
    51177: "a depth map",
}
FORMATS = {1: "u", 2: "i", 3: "f", 4: "u"}
"""SampleFormat -> NumPy's kind; 4, "undefined", is to be read as numbers without sign."""

BITS = {"u": (*range(1, 17), 32), "i": (8, 16, 32), "f": (16, 32, 64)}
ALPHA = {1: "associated", 2: "unassociated"}
MOST_SAMPLES = 64
MOST_SEGMENTS = 2**16
FULL_RANGE = (0.0, 255.0, 128.0, 255.0, 128.0, 255.0)
LUMA = (0.299, 0.587, 0.114)


@dataclass(frozen=True)
class TiffLayout:
    """A page's layout that passed every check.

    Args:
        rows: rows as stored.
        columns: columns as stored.
        colors: the photometric interpretation, a name of ``COLORS``.
        samples: numbers per pixel.
        alpha: what a number beyond the colors is: ``""`` where there is none, ``"associated"`` (colors are multiplied
            by it), ``"unassociated"`` or ``"unknown"``.
        kind: NumPy's kind of the numbers: ``"u"``, ``"i"`` or ``"f"``.
        bits: bits of a number.
        compression: number of the compression.
        predictor: 1 none, 2 differences, 3 differences of the bytes of real numbers.
        planar: whether each color is stored for itself.
        segment_rows: rows of a strip or tile.
        segment_columns: columns of a tile; those of the picture in strips.
        tiled: whether the segments are tiles, all of one size.
        orientation: 1 upright, up to 8, as in Exif.
        warnings: what was tolerated.
    """

    rows: int
    columns: int
    colors: str
    samples: int
    alpha: str
    kind: str
    bits: int
    compression: int
    predictor: int
    planar: bool
    segment_rows: int
    segment_columns: int
    tiled: bool
    orientation: int
    warnings: tuple[str, ...]

    @property
    def down(self) -> int:
        """Segments below each other."""
        return -(-self.rows // self.segment_rows)

    @property
    def across(self) -> int:
        """Segments beside each other."""
        return -(-self.columns // self.segment_columns)

    @property
    def planes(self) -> int:
        """Groups of segments that each hold the whole picture."""
        return self.samples if self.planar else 1

    @property
    def segment_samples(self) -> int:
        """Numbers per pixel in a segment."""
        return 1 if self.planar else self.samples


def check_layout(directory: Directory, limits: ReadLimits, frames: int = 1) -> TiffLayout:
    """Check that the tags that describe the pixels agree with each other and with the limits; no pixel is read.

    Args:
        directory: the page.
        limits: the limits.
        frames: pages of the file that are frames.

    Raises:
        ImageReadError: ``unsupported`` for what is not read, ``inconsistent``, ``budget`` or ``truncated``.
    """
    rows, columns = directory.number(257), directory.number(256)
    samples = directory.number(277, 1)
    if directory.number(32997, 1) != 1 or 33629 in directory:
        raise ImageReadError("unsupported", "the TIFF holds a volume in one page; save each picture as a page.")
    photometric, alpha = _check_colors(directory, samples)
    check_budget(limits, rows=rows, columns=columns, frames=frames, bytes_per_pixel=4 * samples)
    kind, bits = _check_numbers(directory, samples, photometric)
    compression, predictor = _check_compression(directory, kind, bits)
    planar = directory.number(284, 1)
    if planar not in (1, 2) or directory.number(266, 1) not in (1, 2):
        raise ImageReadError(
            "inconsistent", "PlanarConfiguration (284) or FillOrder (266) of the TIFF makes no sense; export it again."
        )
    if compression == JPEG:
        _check_jpeg(directory, photometric, bits, planar)
    elif photometric == 6:
        raise ImageReadError("unsupported", "the TIFF holds YCbCr without JPEG; save it as RGB.")
    tiled = 322 in directory or 324 in directory
    height, width = (directory.number(323), directory.number(322)) if tiled else (directory.number(278, rows), columns)
    orientation = directory.number(274, 1)
    known = orientation in range(1, 9)
    layout = TiffLayout(
        rows=rows,
        columns=columns,
        colors=COLORS[photometric][0],
        samples=samples,
        alpha=alpha,
        kind=kind,
        bits=bits,
        compression=compression,
        predictor=predictor,
        planar=planar == 2 and samples > 1,
        segment_rows=height if tiled else min(height, rows),
        segment_columns=width,
        tiled=tiled,
        orientation=orientation if known else 1,
        warnings=() if known else ("Orientation (274) is unknown and was not applied",),
    )
    _check_segments(layout, limits)
    return layout


def _check_colors(directory: Directory, samples: int) -> tuple[int, str]:
    """Return the photometric interpretation, and what a number beyond its colors is."""
    photometric = directory.number(262)
    if photometric not in COLORS:
        what = UNREAD_COLORS.get(photometric, f"PhotometricInterpretation (262) {photometric}")
        raise ImageReadError("unsupported", f"the TIFF holds {what}, which is not read; save it as gray or RGB.")
    name, colors = COLORS[photometric]
    if photometric == 5 and directory.number(332, 1) != 1:
        raise ImageReadError("unsupported", "the TIFF holds inks other than CMYK; save it as RGB.")
    if samples < colors:
        raise ImageReadError("inconsistent", f"the TIFF has too few numbers per pixel for {name}; export it again.")
    if samples == colors:
        return photometric, ""
    extra = directory.numbers(338, MOST_SAMPLES)
    alpha = ALPHA.get(extra[0], "unknown") if len(extra) == 1 else "unknown"
    if samples == colors + 1 and (photometric == 2 or (photometric in (0, 1) and alpha != "unknown")):
        return photometric, alpha
    raise ImageReadError(
        "unsupported",
        f"the TIFF has {samples} numbers per pixel, where {name} has {colors}; save it as gray or RGB.",
    )


def _check_numbers(directory: Directory, samples: int, photometric: int) -> tuple[str, int]:
    """Return kind and bits of the numbers, which are the same for all colors."""
    every_bits = directory.numbers(258, MOST_SAMPLES) or (1,)
    formats = directory.numbers(339, MOST_SAMPLES) or (1,)
    if len(set(every_bits)) > 1 or len(set(formats)) > 1:
        raise ImageReadError("unsupported", "the colors of the TIFF have different bits or types; save it as RGB.")
    bits, kind = every_bits[0], FORMATS.get(formats[0])
    if kind is None or bits not in BITS[kind]:
        what = {"u": "without sign", "i": "with sign", "f": "real"}.get(kind or "", "complex or unknown")
        raise ImageReadError(
            "unsupported", f"the TIFF holds {bits}-bit {what} numbers; save it with 8 or 16 bits without sign."
        )
    if photometric == 5 and bits != 8:
        raise ImageReadError("unsupported", "the TIFF holds CMYK with other than 8 bits; save it as RGB.")
    if (samples > 1 or photometric == 3) and (kind != "u" or bits > 16):
        raise ImageReadError(
            "unsupported", "colors of the TIFF are no numbers of up to 16 bits without sign; save it so."
        )
    return kind, bits


def _check_compression(directory: Directory, kind: str, bits: int) -> tuple[int, int]:
    """Return compression and predictor."""
    compression, predictor = directory.number(259, RAW), directory.number(317, 1)
    if compression not in COMPRESSIONS:
        name = UNREAD_COMPRESSIONS.get(compression, f"number {compression}")
        raise ImageReadError(
            "unsupported", f"the compression of the TIFF, {name}, is not read; save it with LZW, deflate or none."
        )
    if compression == JPEG:
        return compression, 1
    fits = {1: True, 2: kind != "f" and bits in (8, 16, 32), 3: kind == "f"}.get(predictor, False)
    if not fits or (predictor > 1 and compression not in (LZW, *DEFLATE)):
        raise ImageReadError(
            "unsupported", "Predictor (317) of the TIFF is not read with its numbers and compression; save it anew."
        )
    return compression, predictor


def _check_jpeg(directory: Directory, photometric: int, bits: int, planar: int) -> None:
    """Refuse colors that no JPEG within a TIFF is read as."""
    if bits != 8 or photometric not in (0, 1, 2, 6) or (photometric == 6 and planar == 2):
        raise ImageReadError(
            "unsupported", "the TIFF holds a JPEG that is neither gray, RGB nor YCbCr with 8 bits; save it as PNG."
        )
    levels, luma = directory.ratios(532, 6), directory.ratios(529, 3)
    usual = all(abs(a - b) < 1.01 for a, b in zip(levels, FULL_RANGE, strict=False))
    if photometric == 6 and not (usual and all(abs(a - b) < 1e-3 for a, b in zip(luma, LUMA, strict=False))):
        raise ImageReadError(
            "unsupported", "the YCbCr of the TIFF is not that of JPEG (tags 529, 532); save it as RGB or PNG."
        )


def _check_segments(layout: TiffLayout, limits: ReadLimits) -> None:
    """Keep strips and tiles to the budget, whose padding is decoded, too."""
    if layout.segment_rows < 1 or layout.segment_columns < 1:
        raise ImageReadError("inconsistent", "strips or tiles of the TIFF have no pixels; export it again.")
    if layout.down * layout.across * layout.planes > MOST_SEGMENTS:
        raise ImageReadError("budget", f"the TIFF has more than {MOST_SEGMENTS} strips or tiles; save it in fewer.")
    padded = layout.down * layout.segment_rows * layout.across * layout.segment_columns
    if layout.tiled and padded > 4 * max(layout.rows * layout.columns, 2**20):
        raise ImageReadError("inconsistent", "the tiles of the TIFF are larger than its picture; export it again.")
    if padded * layout.samples * -(-layout.bits // 8) > max(limits.max_bytes, 4 * 2**20):
        raise ImageReadError("budget", f"the tiles of the TIFF hold more than max_bytes={limits.max_bytes}; raise it.")
