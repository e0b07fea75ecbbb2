# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

"""Sections of a list that nobody reads, because they are called otherwise than ours."""

from __future__ import annotations

import json
import logging
from collections.abc import Mapping
from difflib import get_close_matches
from typing import Any

from monai_anomaly.data.errors import DataListError
from monai_anomaly.data.lists.folders.folder_names import POOL_NAMES, section_of
from monai_anomaly.data.lists.folders.helper_names import stem_of
from monai_anomaly.data.lists.section import Section

__all__ = ["check_sections"]

KNOWN = (Section.TRAINING, Section.VALIDATION, Section.TEST, Section.INFERENCE, *POOL_NAMES)
LONGEST = 40
logger = logging.getLogger(__name__)


def check_sections(content: Mapping[str, Any], name: str) -> None:
    """Refuse a section that is called nearly as one of ours, such as ``testing``; warn of others that hold images.

    Args:
        content: of the list.
        name: what it is called.

    Raises:
        DataListError: names the section and ours.
    """
    for key, value in content.items():
        if key in KNOWN or not _holds_images(value):
            continue
        called = json.dumps(key[:LONGEST])
        what = f"{called} of {name} has {len(value)} entries that are not read"
        near = _nearest(key)
        if near is not None:
            raise DataListError(f'{what}; call it "{near}", or remove it.')
        logger.warning("%s; the sections are %s.", what, ", ".join(f'"{known}"' for known in KNOWN[:-1]))


def _nearest(key: str) -> str | None:
    """Return our name of a section that is called by another word or misspelled."""
    word = key.strip().lower()
    meant = section_of(word) or next(iter(get_close_matches(word, KNOWN, 1, 0.75)), None)
    return None if meant is None else str(meant)


def _holds_images(value: object) -> bool:
    """Return whether a value looks like a section: a list with entries, or with paths of pictures."""
    if not isinstance(value, list):
        return False
    return any("image" in each if isinstance(each, dict) else _is_picture(each) for each in value)


def _is_picture(value: object) -> bool:
    return isinstance(value, str) and stem_of(value) != value
