# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

"""Memory that a step frees, for the next step."""

from __future__ import annotations

import ctypes
import logging

__all__ = ["give_back_freed_memory", "keep_freed_memory"]

logger = logging.getLogger(__name__)

_TRIM_THRESHOLD, _MMAP_THRESHOLD = -1, -3  # of mallopt(3)
_LEAST, _MOST = 128 * 1024, 2**31 - 1


def keep_freed_memory(keep: bool = True) -> bool:
    """Have the C library keep what is freed for what is asked for next, in this process.

    By itself it gives large blocks back to the system at once, which has to clear each page of the next ones: half of
    the time of a step whose gradients are large. The process keeps the most that it ever needed until it ends. The
    environment variables ``MALLOC_MMAP_THRESHOLD_`` and ``MALLOC_TRIM_THRESHOLD_`` do the same from outside.

    Args:
        keep: or, if false, give back again what is beyond 128 KiB.

    Returns:
        whether that was possible: it is with glibc, so on most Linux systems.
    """
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except (AttributeError, OSError, TypeError):  # another C library
        logger.info("the C library has no mallopt: it gives freed memory back as it is used to")
        return False
    threshold = _MOST if keep else _LEAST
    return bool(mallopt(_TRIM_THRESHOLD, threshold)) and bool(mallopt(_MMAP_THRESHOLD, threshold))


def give_back_freed_memory() -> bool:
    """Give the system what is free now, where what comes next has no use for blocks of such sizes.

    Returns:
        whether that was possible: it is with glibc.
    """
    try:
        trim = ctypes.CDLL(None).malloc_trim
    except (AttributeError, OSError, TypeError):  # another C library
        logger.info("the C library has no malloc_trim: it keeps freed memory as it is used to")
        return False
    trim(0)
    return True
