# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0
"""The head of a report: one number, how sure it is, and in plain words what it means and what it does not."""

from __future__ import annotations

from collections.abc import Mapping
from html import escape
from typing import Any

__all__ = ["summary_section"]


def summary_section(title: str, numbers: Mapping[str, Any]) -> str:
    """Return the title, the ROC AUC, the counts and the meaning.

    Args:
        title: heading of the page.
        numbers: see :func:`monai_anomaly.report.evaluation_numbers.evaluation_numbers`.
    """
    n_images = numbers["n_normal"] + numbers["n_abnormal"]
    interval = numbers["auroc_interval"]
    between = f"95 % interval {interval[0]:.3f} to {interval[1]:.3f}" if interval else "no interval: too few patients"
    counts = {
        "Normal images": numbers["n_normal"],
        "Abnormal images": numbers["n_abnormal"],
        "Patients (groups)": numbers["n_groups"],
        "Average precision": f"{numbers['average_precision']:.3f}",
    } | ({"Files not scored": len(numbers["rejected"])} if numbers["rejected"] else {})
    cells = "".join(f"<div><dt>{name}</dt><dd>{value}</dd></div>" for name, value in counts.items())
    alone = " No two images share a group, so that each counts as a patient." if numbers["n_groups"] == n_images else ""
    return (
        f"<h1>{escape(title)}</h1>\n"
        f'<div class="headline"><strong>{numbers["auroc"]:.3f}</strong><span>ROC AUC, {between}</span></div>\n'
        f'<dl class="counts">{cells}</dl>\n'
        f"<p>{_trained_on(numbers)}{_meaning(numbers)}{alone}</p>\n<p>{_limits(numbers)}</p>"
    )


def _trained_on(numbers: Mapping[str, Any]) -> str:
    """Return a warning of images that the detector knows."""
    count = numbers["n_trained_on"]
    if not count:
        return ""
    return f"<b>{count} of these images are training images: every number is better than it is on new images.</b> "


def _meaning(numbers: Mapping[str, Any]) -> str:
    """Return the headline number in plain words."""
    auroc, interval = numbers["auroc"], numbers["auroc_interval"]
    sentence = (
        "Take one abnormal and one normal image of this test set at random: in "
        f"{100 * auroc:.0f} of 100 such pairs the abnormal one has the higher score; 50 of 100 is guessing."
    )
    if interval:
        sentence += (
            f" With other patients of the same kind, {100 * interval[0]:.0f} to {100 * interval[1]:.0f} of 100 would "
            f"be no surprise (bootstrap over {numbers['n_groups']} groups)."
        )
        if interval[0] <= 0.5 <= interval[1]:
            sentence += " <b>The interval includes guessing.</b>"
    return sentence


def _limits(numbers: Mapping[str, Any]) -> str:
    """Return what the headline number does not say."""
    rates = (
        "the decisions below are"
        if numbers["calibration"] is not None
        else "no threshold was chosen, so there are none"
    )
    return (
        "It says how well images are ranked. It is no rate of findings or misses (" + rates + "), no probability of "
        "disease for one image, and it holds for images like these only: another machine, another population or "
        "another share of rare findings gives another number."
    )
