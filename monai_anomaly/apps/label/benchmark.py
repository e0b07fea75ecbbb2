# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

"""Readers' verdicts as test labels: a data list to evaluate with, and the numbers of a detector by its scores."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Collection, Mapping
from typing import Any

from monai_anomaly.apps.label.score_studies import FOLDER, store_of
from monai_anomaly.apps.label.studies import Studies, files_of, path_of
from monai_anomaly.apps.label.verdicts import Verdict, find_verdicts
from monai_anomaly.bundle.anomaly_detector import AnomalyDetector
from monai_anomaly.report.evaluation_numbers import Case, Rules, evaluation_numbers
from monai_anomaly.report.map_collector import MapCollector
from monai_anomaly.utils.atomic import atomic_write

__all__ = ["make_benchmark"]

_RESAMPLES = 1000


def make_benchmark(
    detector: AnomalyDetector, studies: Studies, *, name: str, learned: Collection[str] = ()
) -> dict[str, Any]:
    """Write the data list of the images with a verdict, and measure the detector on them.

    ``anomaly/benchmark/dataset.json`` has them as its test section, with masks where all abnormal images have one of
    their own size; ``metrics-NAME.json`` beside it has the numbers.

    Args:
        detector: whose scores are measured; an image without one is left out.
        studies: the images, labels and scores.
        name: the detector's name, of the file.
        learned: images that the detector has learned from, which say nothing of it.

    Returns:
        ``normal`` and ``abnormal`` (images that were measured), ``left_out`` (numbers by reason), ``dataset_dir``, and
        ``metrics`` as :func:`~monai_anomaly.report.evaluation_numbers.evaluation_numbers` gives them, or a ``reason``.
    """
    verdicts, unreadable = find_verdicts(studies)
    records = store_of(studies, detector).records()
    folder = studies.home / FOLDER / "benchmark"
    folder.mkdir(parents=True, exist_ok=True)
    left_out = Counter({"the label cannot be read": unreadable})
    listed = _entries(studies, verdicts, records, left_out)
    atomic_write(folder / "dataset.json", json.dumps({"test": listed}, indent=1))
    cases: list[Case] = []
    for image, verdict in verdicts.items():
        record = records.get(image, {})
        if image in learned:
            left_out["the detector has learned from it"] += 1
        elif record.get("score") is None:
            left_out["there is no score"] += 1
        else:
            cases.append(_case(image, verdict, record))
    measured = _measure(cases, detector)
    counts = {word: sum(case.label == label for case in cases) for label, word in enumerate(("normal", "abnormal"))}
    answer = {**counts, "left_out": {why: count for why, count in left_out.items() if count}, **measured}
    atomic_write(folder / f"metrics-{name}.json", json.dumps(answer, indent=1))
    return answer | {"dataset_dir": str(folder)}


def _entries(
    studies: Studies, verdicts: Mapping[str, Verdict], records: Mapping[str, Mapping[str, Any]], left_out: Counter[str]
) -> list[dict[str, Any]]:
    """Return the entries of the data list; a series of several images has no one verdict for each."""
    entries: list[tuple[dict[str, Any], Verdict]] = []
    for image, verdict in verdicts.items():
        files = files_of(path_of(studies, image))
        if len(files) != 1:
            left_out["of the data list: a series of several images"] += 1
            continue
        entries.append(({"image": str(files[0]), "label": verdict.label}, verdict))
        patient = records.get(image, {}).get("patient")
        if patient:
            entries[-1][0]["group"] = patient
    shapes = {image: records.get(image, {}).get("source_shape") for image in verdicts}
    own = all(v.label == 0 or (v.mask is not None and list(v.shape or ()) == shapes[i]) for i, v in verdicts.items())
    if own:
        for entry, verdict in entries:
            if verdict.mask is not None:
                entry["mask"] = str(verdict.mask)
    return [entry for entry, _ in entries]


def _case(image: str, verdict: Verdict, record: Mapping[str, Any]) -> Case:
    return Case(
        name=image,
        label=verdict.label,
        score=record["score"],
        group=record.get("patient") or image,
        frames=len(record.get("frames") or (None,)),
        frame=record.get("frame"),
        p_value=record.get("p_value"),
        decision=record.get("decision") or "",
        decision_reason=record.get("decision_reason") or "",
    )


def _measure(cases: list[Case], detector: AnomalyDetector) -> dict[str, Any]:
    if len({case.label for case in cases}) < 2:
        return {"metrics": None, "reason": "it takes images of both verdicts, normal and abnormal."}
    rules = Rules(
        calibration=detector.calibration,
        false_alarm_rate=detector.false_alarm_rate,
        guarded=detector.guard is not None,
        seed=0,
        n_bootstrap=_RESAMPLES,
    )
    try:
        numbers = evaluation_numbers(cases, rules, maps=MapCollector(), columns={})
    except ValueError as error:  # all scores equal
        return {"metrics": None, "reason": str(error)}
    return {"metrics": numbers, "reason": ""}
