# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

"""One rule for a codestream that contradicts its header, whatever the compression.

What a codestream says about itself was said by whoever made it, and decides how it is decoded; the header may be older.
So the codestream is believed, with a warning, about the bits, the sign and the compression itself, and about colors
where it says something. About rows, columns, components and frames the two have to agree.
"""

from __future__ import annotations

import struct
from dataclasses import replace

import numpy as np
from pydicom import uid

from monai_anomaly.data.dicom.codestreams.codestream import Codestream, read_codestream, starts_codestream
from monai_anomaly.data.dicom.codestreams.jpeg2000 import check_jpeg2000, has_color_transform
from monai_anomaly.data.dicom.codestreams.run_lengths import RLE_HEADER, fill_planes, find_segments
from monai_anomaly.data.dicom.elements import element, word
from monai_anomaly.data.dicom.layout import DicomHeader
from monai_anomaly.data.dicom.syntax import check_bits, choose_decoder
from monai_anomaly.data.errors import ImageReadError
from monai_anomaly.data.jpeg_check import check_jpeg
from monai_anomaly.data.jpeg_colors import mark_rgb, take_jpeg_colors

__all__ = ["check_code", "check_damage", "is_lossy", "settle", "starts_frame", "take_colors", "take_values"]

SYNTAXES = {
    "DCT": (uid.JPEGBaseline8Bit, uid.JPEGExtended12Bit),
    "lossless": (uid.JPEGLosslessSV1, uid.JPEGLossless),
    "LS": (uid.JPEGLSLossless, uid.JPEGLSNearLossless),
    "2000": tuple(uid.JPEG2000TransferSyntaxes),
}
"""Transfer syntaxes of each process; the first stands for all, where the header names one of another process."""
BELIEVED = "the compressed image was believed"
OVERSHOOT = 1 / 8
"""By how much of the range lossy compression may pass it: a codestream with more bits than Bits Stored allows that."""


def starts_frame(code: bytes, header: DicomHeader) -> bool:
    """Return whether a fragment that starts with these bytes is the first one of a frame."""
    if header.syntax == uid.RLELossless:
        return code.startswith(struct.pack("<2I", _planes(header), RLE_HEADER))
    return starts_codestream(code)


def check_code(code: bytes, header: DicomHeader) -> Codestream | None:
    """Return what a codestream says about itself, None for run lengths.

    Raises:
        ImageReadError: ``inconsistent`` where it would inflate to another size than the header's.
    """
    if header.syntax == uid.RLELossless:
        return None
    stream = read_codestream(code)
    if stream is None or stream.process == "other":
        raise ImageReadError(
            "inconsistent",
            f"{element('PixelData')} does not start like {header.syntax.name}; export the image again.",
        )
    if (stream.rows, stream.columns, stream.components) != (header.rows, header.columns, header.samples):
        raise ImageReadError(
            "inconsistent",
            f"the compressed image is {stream.rows} x {stream.columns} pixels of {stream.components} values where "
            f"{element('Rows')}, {element('Columns')} and {element('SamplesPerPixel')} say {header.rows} x "
            f"{header.columns} of {header.samples}; export the image again.",
        )
    return stream


def settle(header: DicomHeader, stream: Codestream) -> tuple[DicomHeader, tuple[str, ...]]:
    """Return the header as its codestream makes it, and a warning for each difference.

    Args:
        header: the checked header.
        stream: what its first codestream says about itself.

    Raises:
        ImageReadError: ``unsupported_transfer_syntax`` or ``inconsistent``.
    """
    notes, syntax = [], header.syntax
    if syntax not in SYNTAXES[stream.process]:
        syntax = SYNTAXES[stream.process][0]
        notes.append(f"the compressed image is {syntax.name}, not what {element('TransferSyntaxUID')} says; {BELIEVED}")
    check_bits(syntax, stream.precision)
    bits, signed = header.bits, header.signed
    if stream.precision < bits:
        bits = stream.precision
        notes.append(
            f"the compressed image has {bits} bits where {element('BitsStored')} says {header.bits}; {BELIEVED}"
        )
    if stream.signed and header.samples == 3:
        raise ImageReadError("inconsistent", "the compressed image gives colors a sign; export the image again.")
    if stream.signed is not None and stream.signed != signed:
        words = f"{element('PixelRepresentation')} and the compressed image differ about the sign"
        if stream.signed:
            signed = True
            notes.append(f"{words}; {BELIEVED}")
        else:  # how files with signed values are made whose writer gave the encoder the words as they were
            notes.append(f"{words}; its words were read as signed ones")
    allocated = next(size for size in (8, 16, 32) if stream.precision <= size or size == 32)
    decoder = choose_decoder(syntax)
    header.dataset.BitsStored, header.dataset.PixelRepresentation = bits, int(signed)  # pydicom's windows go by them
    return replace(header, syntax=syntax, decoder=decoder, bits=bits, signed=signed, allocated=allocated), tuple(notes)


def is_lossy(header: DicomHeader, stream: Codestream | None) -> bool:
    """Return whether stored values may differ from those before a compression, this one or an earlier one.

    Args:
        header: the settled header.
        stream: what the codestream says about itself, if there is one.
    """
    said = word(header.dataset, "LossyImageCompression")
    if said == "01" or (stream is not None and stream.lossy):
        return True
    return header.syntax in (uid.JPEG2000, uid.HTJ2K) and said != "00"


def check_damage(code: bytes, header: DicomHeader, stream: Codestream | None) -> tuple[str, ...]:
    """Refuse a codestream whose damage its decoder would not notice; JPEG-LS has a strict one.

    Returns:
        What was tolerated.

    Raises:
        ImageReadError: ``truncated``, ``decode_failed`` or ``inconsistent``.
    """
    if stream is None:
        _check_runs(code, header)
    elif stream.process == "2000":
        check_jpeg2000(code)
    elif stream.process != "LS":
        return check_jpeg(code)
    return ()


def take_colors(code: bytes, header: DicomHeader) -> tuple[bytes, str]:
    """Return the codestream to decode, and the photometric interpretation of what it decodes to.

    What a codestream says about its colors counts where the header says RGB: many writers leave it as it was before the
    compression. Other contradictions could mean either.
    """
    declared = "RGB" if header.photometric == "RGB" else "YBR"
    if header.samples == 3 and header.decoder == "pillow":
        code, says = take_jpeg_colors(code)
        if says == {"YBR"} or (not says and declared == "YBR"):
            return code, "YBR_FULL"
        if declared == "RGB" and says <= {"RGB"}:
            return mark_rgb(code), "RGB"
    elif header.samples == 3 and header.syntax in SYNTAXES["2000"] and declared == "YBR":
        if has_color_transform(code) == (header.photometric in ("YBR_ICT", "YBR_RCT")):
            return code, "RGB" if has_color_transform(code) else header.photometric
    elif header.samples == 3 and header.syntax in SYNTAXES["lossless"]:
        if take_jpeg_colors(code)[1] <= {declared}:
            return code, header.photometric
    elif header.photometric not in ("YBR_ICT", "YBR_RCT"):
        return code, header.photometric
    raise ImageReadError(
        "inconsistent",
        f"the compressed image and {element('PhotometricInterpretation')} contradict each other about colors; export "
        "the image again.",
    )


def take_values(
    stored: np.ndarray, header: DicomHeader, stream: Codestream, *, lossy: bool
) -> tuple[np.ndarray, tuple[str, ...]]:
    """Return decoded values with the header's sign and within its bits, and what was tolerated.

    Args:
        stored: ``(H, W)`` or ``(H, W, 3)``, as the codestream says.
        header: the settled header.
        stream: what the codestream says about itself.
        lossy: whether values may be off.

    Raises:
        ImageReadError: ``inconsistent`` for values that the header's bits cannot hold.
    """
    if header.signed and not stream.signed:
        spare = 8 * header.dtype.itemsize - stream.precision
        stored = np.left_shift(stored.view(header.dtype), spare) >> spare  # of its highest bit, the sign
    if stream.precision <= header.bits:
        return stored, ()
    low, high = (-(2 ** (header.bits - 1)), 2 ** (header.bits - 1) - 1) if header.signed else (0, 2**header.bits - 1)
    beyond = max(int(stored.max()) - high, low - int(stored.min()))
    if beyond <= 0:
        return stored, ()
    if lossy and beyond <= OVERSHOOT * (high - low):
        note = f"lossy compression made values beyond {element('BitsStored')}; they were taken as its ends"
        return np.clip(stored, low, high), (note,)
    raise ImageReadError(
        "inconsistent",
        f"the compressed image holds values beyond {element('BitsStored')} {header.bits}; export the image again.",
    )


def _check_runs(code: bytes, header: DicomHeader) -> None:
    """Refuse run lengths that are damaged or far too many: they declare no size, and their decoder has no limit."""
    segments = find_segments(code, planes=_planes(header), rows=header.rows, columns=header.columns)
    if not segments:
        raise ImageReadError(
            "inconsistent",
            f"the run lengths of {element('PixelData')} do not fit {element('Rows')}, {element('Columns')}, "
            f"{element('SamplesPerPixel')} and {element('BitsAllocated')}; export the image again.",
        )
    if not fill_planes(code, segments, header.rows * header.columns):
        raise ImageReadError(
            "decode_failed", f"the run lengths of {element('PixelData')} are damaged; copy or export the file again."
        )


def _planes(header: DicomHeader) -> int:
    """Return the segments of run lengths: one for each byte of a pixel."""
    return header.samples * max(header.allocated // 8, 1)
