# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

"""The kind of machine that made an image, as far as it is one that the standard knows."""

from __future__ import annotations

__all__ = ["modality_code"]

MODALITIES = frozenset("US IVUS CR DX MG RG XA RF CT MR NM PT OT SC ES OP OPT XC GM SM IO PX ECG BMD DMS".split())


def modality_code(said: str) -> str | None:
    """Return what a header says as Modality; None for anything but a code, which may be any text.

    Example:
        >>> modality_code("US")
        'US'
        >>> modality_code("Doe^Jane")
    """
    return said if said in MODALITIES else None
