# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0
"""What a report says of parts: of images, where there are masks, and of the test section, where columns are named."""

from __future__ import annotations

from collections.abc import Mapping
from html import escape
from typing import Any

from monai_anomaly.report.tables import estimate, grid_table

__all__ = ["pixel_section", "subgroups_section"]

_PIXEL_ROWS = (
    ("pixel_auroc", "Pixel ROC AUC", "0.5 is guessing; flattered by the many pixels that are easy"),
    ("pixel_average_precision", "Pixel average precision", "guessing gives the share of abnormal pixels"),
    (
        "pro",
        "Per-region overlap (PRO)",
        "up to 30 % false-positive pixels; every lesion counts the same, small or large",
    ),
    ("dice", "Dice at the calibrated threshold", "overlap of mask and map where the map reaches the threshold above"),
    ("pointing_game", "Pointing game", "share of abnormal images whose highest map value is in the mask"),
)


def pixel_section(found: Mapping[str, Any]) -> str:
    """How well the maps point at the annotated lesions; empty where the data list has no masks.

    Args:
        found: what :func:`monai_anomaly.metrics.pixel_level.pixel_level` gave; or its ``reason`` why there is nothing.
    """
    if found["reason"]:
        return f"<h2>Maps against masks</h2>\n<p>Not measured: {escape(found['reason'])}.</p>"
    rows = [(f"{name}<small>{meaning}</small>", estimate(found[key])) for key, name, meaning in _PIXEL_ROWS]
    caption = (
        f"{found['n_images']} images, {found['n_abnormal']} of them with {found['n_regions']} annotated regions, which "
        f"cover {100 * found['abnormal_pixels']:.2g} % of all pixels."
    )
    return f"<h2>Maps against masks</h2>\n{grid_table(caption, ('Measure', 'Value'), rows)}"


def subgroups_section(found: Mapping[str, Mapping[str, Mapping[str, Any]]]) -> str:
    """Return the ROC AUC by subgroup; empty where no column was named.

    Args:
        found: what :func:`monai_anomaly.metrics.subgroups.subgroup_metrics` gave.
    """
    if not found:
        return ""
    parts = [
        "<h2>Subgroups</h2>\n<p>The ROC AUC within each subgroup. Intervals that overlap show no difference, and the "
        "more subgroups are looked at, the more of them look special by chance.</p>"
    ]
    for column, groups in found.items():
        rows = [
            (escape(value), estimate(one["auroc"]), f"{one['n_normal']}", f"{one['n_abnormal']}", f"{one['n_groups']}")
            for value, one in groups.items()
        ]
        header = (column, "ROC AUC", "Normal images", "Abnormal images", "Patients (groups)")
        parts.append(grid_table(f"By {column}", header, rows))
    return "\n".join(parts)
