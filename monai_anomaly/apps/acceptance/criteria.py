# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

"""What an acceptance test measures: the one list of it, which limits, page and documentation follow."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["CRITERIA", "Criterion"]


@dataclass(frozen=True)
class Criterion:
    """One thing that is measured.

    Args:
        name: in files.
        title: on the page.
        how: how it is measured, one or two sentences.
        sense: what a limit sets: ``"most"``, ``"least"``, or ``"required"`` for what is there or not.
        unit: ``"share"`` and ``"auc"`` (0 to 1), ``"number"``, ``"spreads"`` (interquartile ranges of the normals'
            scores), ``"s"``, ``"MiB"`` or ``"yes"``.
        has_interval: whether a limit may be on the end of its 95 % interval.
    """

    name: str
    title: str
    how: str
    sense: str
    unit: str
    has_interval: bool = False


CRITERIA = {
    criterion.name: criterion
    for criterion in (
        Criterion(
            "calibrated", "Calibrated", "A calibration of these very weights and settings is used.", "required", "yes"
        ),
        Criterion(
            "seen_before",
            "Normals seen before",
            "Normals whose pixels were in the training, or whose score is a calibration normal's to the last bit.",
            "most",
            "number",
        ),
        Criterion("readable", "Files read and scored", "Of all files, normal and abnormal.", "least", "share", True),
        Criterion(
            "guard_refusals", "Refused by the input guard", "Of the normals that were scored.", "most", "share", True
        ),
        Criterion(
            "false_alarms",
            "False alarms",
            "Of the normals that were scored and not refused: those called anomalous.",
            "most",
            "share",
            True,
        ),
        Criterion(
            "sensitivity",
            "Sensitivity",
            "Of the abnormal studies that were scored: those called anomalous. A refused one counts as not found.",
            "least",
            "share",
            True,
        ),
        Criterion(
            "auc",
            "ROC AUC",
            "Share of pairs, one abnormal and one normal, in which the abnormal one scores higher; refused ones count.",
            "least",
            "auc",
            True,
        ),
        Criterion(
            "inverted",
            "Inverted images noticed",
            "Of normals whose gray values are turned around (black is white): those refused or called anomalous.",
            "least",
            "share",
            True,
        ),
        Criterion(
            "mirrored",
            "Mirrored images",
            "Median difference of score between a normal and its left-right mirror image.",
            "most",
            "spreads",
        ),
        Criterion(
            "repeatability",
            "Scored again",
            "Largest difference of score when normals are scored alone, and again in another process.",
            "most",
            "spreads",
        ),
        Criterion(
            "threads",
            "Other number of threads",
            "Largest difference of score when the other process computes with another number of CPU threads.",
            "most",
            "spreads",
        ),
        Criterion(
            "seconds", "Seconds for one image", "95th percentile, read and scored alone, weights loaded.", "most", "s"
        ),
        Criterion("memory", "Peak memory", "Of this process, with all that it imported.", "most", "MiB"),
    )
}
"""All criteria by name, in the order of the page."""
