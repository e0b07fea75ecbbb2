# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

"""Which transfer syntaxes are read, and by which decoder."""

from __future__ import annotations

from pydicom import uid
from pydicom.dataset import Dataset
from pydicom.pixels.decoders.base import get_decoder

from monai_anomaly.data.dicom.elements import element
from monai_anomaly.data.errors import ImageReadError

__all__ = ["DECODERS", "check_bits", "check_syntax", "choose_decoder"]

DECODERS: dict[str, tuple[str, ...]] = {
    uid.ImplicitVRLittleEndian: (),
    uid.ExplicitVRLittleEndian: (),
    uid.ExplicitVRBigEndian: (),
    uid.JPEGBaseline8Bit: ("pillow",),
    uid.JPEGExtended12Bit: ("pillow",),
    uid.JPEGLossless: ("gdcm",),
    uid.JPEGLosslessSV1: ("gdcm",),
    uid.JPEGLSLossless: ("pyjpegls",),
    uid.JPEGLSNearLossless: ("pyjpegls",),
    uid.JPEG2000Lossless: ("gdcm",),
    uid.JPEG2000: ("gdcm",),
    uid.HTJ2KLossless: ("pylibjpeg",),
    uid.HTJ2KLosslessRPCL: ("pylibjpeg",),
    uid.HTJ2K: ("pylibjpeg",),
    uid.RLELossless: ("pylibjpeg", "pydicom"),
}
"""Transfer syntaxes that are read, each with one decoder, because lossy decoders differ by a few gray levels and what
is read must not depend on what else is installed (RLE is exact, so the faster one may be taken). Deflated files
inflate before any limit can be checked, so they are left out, like videos."""

CURE = "export the image uncompressed or as JPEG, JPEG-LS, JPEG 2000 or RLE"


def check_syntax(meta: Dataset) -> uid.UID:
    """Return the transfer syntax if it is on the allow list.

    Args:
        meta: the file meta information.

    Raises:
        ImageReadError: ``missing_tag`` or ``unsupported_transfer_syntax``.
    """
    syntax = uid.UID(str(meta.get("TransferSyntaxUID") or ""))
    if not syntax:
        raise ImageReadError("missing_tag", f"{element('TransferSyntaxUID')} is missing; export the image again.")
    if syntax in DECODERS:
        return syntax
    name = "private or unknown" if syntax.name == syntax else syntax.name
    reason = f"{element('TransferSyntaxUID')} is {name}, which is not read; {CURE}."
    if "MPEG" in name or "HEVC" in name:
        reason = f"{element('TransferSyntaxUID')} says that this is a video ({name}), not frames; {CURE}."
    elif syntax == uid.DeflatedExplicitVRLittleEndian:
        reason = (
            f"{element('TransferSyntaxUID')} is {name}: the whole file would have to be inflated before its size is "
            f"known; {CURE}."
        )
    raise ImageReadError("unsupported_transfer_syntax", reason)


def check_bits(syntax: uid.UID, bits: int) -> None:
    """Refuse the JPEG that no permissible decoder can read.

    Args:
        syntax: a key of :data:`DECODERS`.
        bits: bits of a value, as the codestream has them.

    Raises:
        ImageReadError: ``unsupported_transfer_syntax``.
    """
    if syntax in (uid.JPEGBaseline8Bit, uid.JPEGExtended12Bit) and bits > 8:
        raise ImageReadError(
            "unsupported_transfer_syntax",
            f"{element('TransferSyntaxUID')} is JPEG with 12 bits, which has no decoder but the GPL-licensed "
            "pylibjpeg-libjpeg, which is not used here; export the image uncompressed or as JPEG lossless.",
        )


def choose_decoder(syntax: uid.UID) -> str:
    """Return the first installed pydicom plug-in of a transfer syntax, empty for uncompressed pixels.

    Args:
        syntax: a key of :data:`DECODERS`.

    Raises:
        ImageReadError: ``unsupported_transfer_syntax`` when none is installed.
    """
    wanted = DECODERS[syntax]
    if not wanted:
        return ""
    installed = get_decoder(syntax).available_plugins
    for name in wanted:
        if name in installed:
            return name
    package = {"gdcm": "python-gdcm", "pylibjpeg": "pylibjpeg pylibjpeg-openjpeg"}.get(wanted[0], wanted[0])
    raise ImageReadError(
        "unsupported_transfer_syntax",
        f"{element('TransferSyntaxUID')} is {syntax.name}, which needs another package: pip install {package}.",
    )
