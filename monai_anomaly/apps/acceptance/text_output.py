# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

"""The acceptance test as lines in the terminal."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from monai_anomaly.apps.acceptance.wording import VERDICTS, interval_words, limit_words, value_words

__all__ = ["summary_lines"]


def summary_lines(document: Mapping[str, Any]) -> list[str]:
    """Return one line for each criterion, and the verdict.

    Args:
        document: see :func:`~monai_anomaly.apps.acceptance.document.make_document`.
    """
    lines = [_data_line(document, kind) for kind in ("normals", "abnormal")]
    for criterion in document["criteria"]:
        limit = limit_words(criterion)
        parts = [value_words(criterion), interval_words(criterion), limit and f"limit {limit}", criterion["note"]]
        lines.append(f"{VERDICTS[criterion['verdict']]:12} {criterion['title']:26} {'; '.join(filter(None, parts))}")
    return [*lines, f"verdict            {document['verdict'].upper()}"]


def _data_line(document: Mapping[str, Any], kind: str) -> str:
    counts = document[kind]
    return f"{kind:18} {counts['files']} files of {counts['patients']} patients, {counts['scored']} scored"
