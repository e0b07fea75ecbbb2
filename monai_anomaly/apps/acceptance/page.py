# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

"""The acceptance test as one page to print, fill in and sign."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

import numpy as np
from markupsafe import Markup

from monai_anomaly.apps.acceptance.wording import VERDICTS, interval_words, limit_words, value_words
from monai_anomaly.report.charts import histogram_chart, roc_chart
from monai_anomaly.report.page_head import make_head
from monai_anomaly.report.rendering import render
from monai_anomaly.report.score_bins import bin_scores

__all__ = ["MOST_LISTED", "render_acceptance"]

MOST_LISTED = 8
"""Files without a score that the page names; the JSON has all."""


def render_acceptance(document: Mapping[str, Any]) -> str:
    """Return the page as text; no picture of a patient is on it.

    Args:
        document: see :func:`~monai_anomaly.apps.acceptance.document.make_document`.
    """
    detector, images = document["detector"], document["images"]
    now = datetime.strptime(document["times"]["date"], "%Y-%m-%d %H:%M UTC")
    warned = {name: detector[name] for name in ("unfinished", "pool_warning")}
    head = make_head("Acceptance test", now, detector["method"], **warned)
    unread = [row for row in images if row["score"] is None]
    return render(
        "acceptance/page.html.jinja",
        head=head,
        test=document,
        rows=[_row(criterion, document["times"]) for criterion in document["criteria"]],
        warnings=_warnings(document),
        charts=_charts(document),
        unread=[(f"{row['set']}: {row['id']}", f"{row['code']}: {row['reason']}") for row in unread[:MOST_LISTED]],
        n_unread=len(unread),
        identity=_identity(document),
    )


def _row(criterion: Mapping[str, Any], times: Mapping[str, Any]) -> dict[str, str]:
    beside = {"spreads": "interquartile ranges of the normals' scores"}
    if times["median_seconds"] is not None:
        beside["s"] = f"median {times['median_seconds']:.3g} s"
    return {
        "title": criterion["title"],
        "how": criterion["how"],
        "value": value_words(criterion),
        "beside": beside.get(criterion["unit"], "") if criterion["value"] is not None else "",
        "interval": interval_words(criterion),
        "by": criterion["interval_by"],
        "limit": limit_words(criterion) or "none",
        "kind": criterion["verdict"],
        "verdict": VERDICTS[criterion["verdict"]],
        "note": criterion["note"],
    }


def _warnings(document: Mapping[str, Any]) -> list[str]:
    """Return what makes numbers look better or worse than they are."""
    sentences = []
    for kind, words in (("normals", "normals"), ("abnormal", "abnormal studies")):
        counts = document[kind]
        if counts["in_training"]:
            sentences.append(f"{counts['in_training']} of the {words} were in the detector's training.")
        if counts["in_calibration"]:
            sentences.append(f"{counts['in_calibration']} of the {words} have the very score of a calibration normal.")
        if counts["copies"]:
            sentences.append(f"{counts['copies']} of the {words} are copies of another one and count twice.")
    if document["in_both_classes"]:
        sentences.append(f"{document['in_both_classes']} pictures are given as normal and as abnormal.")
    if document["limits"]["is_default"]:
        sentences.append("The limits are this package's defaults: no limits of this site were given.")
    if not document["detector"]["training_images_known"]:
        sentences.append("The checkpoint does not list its training images: nobody sees if normals are among them.")
    return sentences


def _charts(document: Mapping[str, Any]) -> dict[str, Markup | None]:
    """Return the charts of the scores: none without scores, and no curve of one class."""
    scored = [(row["label"], row["score"]) for row in document["images"] if row["score"] is not None]
    if not scored:
        return {}
    labels, scores = np.array([label for label, _ in scored]), np.array([score for _, score in scored])
    threshold = document["detector"]["threshold"]
    marks = {} if threshold is None else {f"{100 * document['limits']['false_alarm_rate']:g} %": threshold}
    histogram = histogram_chart(bin_scores(labels, scores, marks.values()), marks)
    auc = _value(document["criteria"], "auc")
    if auc is None:
        return {"histogram": histogram, "roc": None}
    point = None
    if threshold is not None:
        flagged = scores >= threshold
        point = (float(flagged[labels == 0].mean()), float(flagged[labels == 1].mean()))
    return {"histogram": histogram, "roc": roc_chart(labels, scores, auc, None, point)}


def _value(criteria: Sequence[Mapping[str, Any]], name: str) -> Any:
    return next(criterion["value"] for criterion in criteria if criterion["name"] == name)


def _identity(document: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Return digests and versions as rows of a table."""
    detector, software, limits = document["detector"], document["software"], document["limits"]
    calibration = "none" if detector["calibration_sha256"] is None else detector["calibration_sha256"]
    versions = ", ".join(f"{name} {software[name]}" for name in ("monai_anomaly", "monai", "torch", "python"))
    return [
        ("Weights", detector["weights_sha256"]),
        ("Calibration", calibration),
        ("Configuration", detector["configuration_sha256"]),
        ("Limits", f"{limits['sha256']}{' (defaults)' if limits['is_default'] else ''}"),
        ("Normals", document["normals"]["pixels_sha256"]),
        ("Abnormal studies", document["abnormal"]["pixels_sha256"] if document["abnormal"]["scored"] else "none"),
        ("Versions", versions),
        (
            "Machine",
            f"{software['platform']}, {software['device']}, {software['threads']} "
            + ("thread" if software["threads"] == 1 else "threads"),
        ),
    ]
