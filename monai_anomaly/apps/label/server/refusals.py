# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

"""What the server answers where MONAI Label would say "internal server error"."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from fastapi import HTTPException

from monai_anomaly.data.errors import ImageReadError
from monai_anomaly.utils.exceptions import CalibrationError, CheckpointError, ConfigError, TrainingError

__all__ = ["answer_refusals"]


@contextmanager
def answer_refusals() -> Iterator[None]:
    """Turn our errors into an answer with their sentence."""
    try:
        yield
    except ImageReadError as error:
        raise HTTPException(422, str(error)) from None
    except (CalibrationError, CheckpointError, ConfigError, TrainingError) as error:
        raise HTTPException(400, str(error)) from None
    except OSError as error:  # its text may hold a path or a URL
        raise HTTPException(
            502, f"an image, or the list of images, could not be had ({type(error).__name__})."
        ) from None
