# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0
"""What stands at the top of a page: what it is of, made when and by what, and what a reader must know first."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

import monai_anomaly

__all__ = ["PageHead", "make_head"]


@dataclass(frozen=True)
class PageHead:
    """The head of a page; ``templates/layout.html.jinja`` shows it, with what every page says.

    Args:
        title: heading.
        facts: what the page is of, one short text each.
        date: when it was made.
        warnings: sentences that a reader must not miss.
    """

    title: str
    facts: Sequence[str]
    date: str
    warnings: Sequence[str] = ()


def make_head(title: str, now: datetime, *facts: str, unfinished: str = "", pool_warning: str = "") -> PageHead:
    """Return the head of a page that is made now by this version.

    Args:
        title: heading.
        now: the time in UTC.
        facts: what the page is of; empty ones are left out.
        unfinished: what of the training a time budget cut short, such as ``30 of 300 iterations``; empty for nothing.
        pool_warning: what the pool of the training differed in from the normals, a sentence; empty for nothing.
    """
    version = f"monai_anomaly {monai_anomaly.__version__}"
    cut = f"The training was cut short by its time budget: {unfinished}."
    warnings = [f"{cut} Numbers and pictures are of an unfinished model."] if unfinished else []
    if pool_warning:
        warnings.append(f"The unlabeled pool that it learned from differs from the normals: {pool_warning}")
    return PageHead(title, [*filter(None, facts), version], f"{now:%Y-%m-%d %H:%M} UTC", warnings)
