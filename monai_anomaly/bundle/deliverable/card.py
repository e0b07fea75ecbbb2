# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

"""What a detector's file says beside its program: all that scoring, judging and naming it needs, as JSON."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from typing import Any

import torch

from monai_anomaly import __version__
from monai_anomaly.bundle.deliverable.plain_values import from_plain, to_plain
from monai_anomaly.utils.exceptions import CheckpointError
from monai_anomaly.utils.exported.card_entry import FORMAT, foreign

__all__ = ["card_text", "read_card_text"]

VERSION = 1
_KINDS: Mapping[str, type] = {
    "model_hash": str,
    "spec": dict,
    "image_shape": list,
    "map_range": list,
    "score_statistics": dict,
    "data": dict,
    "description": dict,
}


def card_text(content: Mapping[str, Any]) -> str:
    """Return the card of a detector.

    Args:
        content: the names above, and ``guard`` and ``calibration``, which may be None.
    """
    about = {
        "format": FORMAT,
        "version": VERSION,
        "monai_anomaly": __version__,
        "torch": str(torch.__version__),
        "input": "image",
        "output": "pred",
    }
    return json.dumps({**about, **to_plain(content)}, allow_nan=False, indent=1)


def read_card_text(text: str | bytes, path: str | os.PathLike[str]) -> dict[str, Any]:
    """Return what a card says.

    Args:
        text: JSON.
        path: the file that it is of, for messages.

    Raises:
        CheckpointError: when it is of another version, or of something else.
    """
    try:
        content = json.loads(text)
        if not isinstance(content, dict) or content.get("format") != FORMAT:
            raise foreign(path)
        if content.get("version") != VERSION:
            raise CheckpointError(
                f"the detector's file '{os.fspath(path)}' is of version {content.get('version')!r} and this package "
                f"reads {VERSION}: export it again with this version."
            )
        wrong = [key for key, kind in _KINDS.items() if not isinstance(content.get(key), kind)]
        if wrong or not isinstance(content["spec"].get("preprocessing"), dict):
            raise ValueError(wrong)
        known: dict[str, Any] = {**from_plain({**content, "calibration": None}), "calibration": content["calibration"]}
        return known
    except CheckpointError:
        raise
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise CheckpointError(f"the detector's file '{os.fspath(path)}' has a damaged card: export again.") from error
