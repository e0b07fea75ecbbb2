# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

"""What is asked of a data set."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from monai_anomaly.data.lists.columns import check_columns
from monai_anomaly.data.lists.entries import Naming
from monai_anomaly.data.lists.folders.folder_names import check_folders
from monai_anomaly.data.lists.listed_paths import check_allowed
from monai_anomaly.data.lists.patient_split import DEFAULT_SHARES, check_shares
from monai_anomaly.data.lists.section import Section

__all__ = ["SPOILED_BY_POOL", "Request", "make_request"]

SPOILED_BY_POOL = (Section.UNLABELED, Section.VALIDATION, Section.TEST)
"""Sections that no patient of the pool may be in; for others the pool of a list or a table is not looked at."""


@dataclass(frozen=True)
class Request:
    """What is asked of a data set; see :func:`~monai_anomaly.data.lists.datalist.load_datalist`."""

    section: Section
    naming: Naming
    seed: int
    split_shares: Sequence[float]
    columns: Sequence[str]
    abnormal_folders: Sequence[str]
    allowed: Sequence[Path]


def make_request(
    section: Section | str,
    *,
    seed: int = 0,
    split_shares: Sequence[float] = DEFAULT_SHARES,
    source_names: bool = False,
    columns: Sequence[str] = (),
    abnormal_folders: Sequence[str] | str = (),
    allow_outside: object = None,
) -> Request:
    """Return what is asked, checked; see :func:`~monai_anomaly.data.lists.datalist.load_datalist`.

    Raises:
        DataListError: for a column that makes no subgroups.
        ValueError: for anything else that makes no sense.
    """
    folders = check_folders(abnormal_folders)
    return Request(
        Section.of(section),
        Naming(source_names, folders),
        seed,
        check_shares(split_shares),
        check_columns(columns),
        folders,
        check_allowed(allow_outside),
    )
