# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

"""How soon drift is found, and how often where there is none: ``python -m measurements.drift_delay MODEL.pt NORMALS``.

NORMALS is a folder of normal images, one of each patient, that the detector was not trained on; ``--abnormal`` one of
abnormal images. Each image is scored as it is and changed. For each period a reference and a period are drawn anew,
with no image in both; the change begins at a place of the period. It counts as found by the end of the first window
that alarms, and by the end of the period where only its whole alarms. The p-values are by the reference.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.ndimage import gaussian_filter, zoom

import monai_anomaly as ma
from monai_anomaly.apps.drift.assessment import Assessment, assess
from monai_anomaly.apps.drift.record_columns import make_columns
from monai_anomaly.calibration.conformal import conformal_p_values, left_out_p_values

__all__ = ["CHANGES", "Delays", "find_delay", "main", "measure", "score_all"]

Pixels = npt.NDArray[np.float32]
Records = list[dict[str, Any]]

RATE = 0.1
WINDOW = 50


def _dead(image: Pixels) -> Pixels:
    """Return the image with one column of ten black, side by side, as dead elements of a transducer leave it."""
    left = image.shape[-1] // 3
    changed = image.copy()
    changed[..., left : left + image.shape[-1] // 10] = 0
    return changed


CHANGES: dict[str, Callable[[Pixels], Pixels]] = {
    "none": lambda image: image,
    "gain x 1.1": lambda image: np.clip(image * 1.1, 0, 1),
    "gain x 1.3": lambda image: np.clip(image * 1.3, 0, 1),
    "blur, 1 pixel": lambda image: gaussian_filter(image, (0, 1, 1)),
    "larger by half": lambda image: zoom(image, (1, 1.5, 1.5), order=1),
    "dead elements, 10 %": _dead,
}
"""By name, of images ``(C, H, W)`` in [0, 1]."""


class Delays:
    """What came of the periods with one change.

    Args:
        delays: images after the change until it was found, one for each period in which it was.
        periods: all of them.
    """

    def __init__(self, delays: Sequence[int], periods: int) -> None:
        self.delays, self.periods = list(delays), periods

    def __str__(self) -> str:
        """Return a row of the table."""
        middle = f"{np.median(self.delays):.0f}" if self.delays else "-"
        worst = f"{max(self.delays)}" if self.delays else "-"
        return f"{len(self.delays)} of {self.periods} | {middle} | {worst}"


def score_all(detector: ma.AnomalyDetector, images: Sequence[Pixels], change: Callable[[Pixels], Pixels]) -> Records:
    """Return the records of changed images."""
    changed = (np.ascontiguousarray(change(image), dtype=np.float32) for image in images)
    results = detector.score(list(changed), value_range=(0.0, 1.0), progress=False)
    return [{**result.record(), "patient": None} for result in results]


def find_delay(assessment: Assessment, start: int) -> int | None:
    """Return the images from the change to the alarm; None where there is none.

    Args:
        assessment: of the period.
        start: images before the change.
    """
    ends = [outcome.last for outcome in assessment.alarms]
    return max(min(ends) - start, 0) if ends else None


def measure(
    normals: Records, changed: Records, *, periods: int, reference: int, length: int, start: int, seed: int = 0
) -> Delays:
    """Draw periods and look for drift.

    Args:
        normals: of N images as they are.
        changed: of images that may stand in the place of the normals behind the start: the same images changed, in the
            same order, or others.
        periods: how many to draw.
        reference: images of the reference.
        length: images of the period.
        start: images of the period before the change.
        seed: of the draws.
    """
    draw = np.random.default_rng(seed)
    delays = []
    for _ in range(periods):
        order = draw.permutation(len(normals))
        before = [normals[i] for i in order[:reference]]
        drawn = order[reference : reference + length]
        period = [normals[i] for i in drawn[:start]] + [changed[i] for i in drawn[start:]]
        columns = [make_columns(records, RATE) for records in _with_p_values(period, before)]
        delay = find_delay(assess(columns[0], columns[1], window=WINDOW, false_alarms=0.01), start)
        delays += [] if delay is None else [delay]
    return Delays(delays, periods)


def _with_p_values(period: Records, before: Records) -> tuple[Records, Records]:
    """Return both with p-values by the reference's scores, its own by the other ones."""
    known = [record for record in before if record["score"] is not None]
    scores_of_reference = np.array([record["score"] for record in known])
    left_out = left_out_p_values(scores_of_reference, np.arange(len(known)))
    own = dict(zip(map(id, known), left_out.tolist(), strict=True))
    scored = [record["score"] for record in period if record["score"] is not None]
    p_values = iter(conformal_p_values(scored, scores_of_reference).tolist())
    made = [{**record, "p_value": None if record["score"] is None else next(p_values)} for record in period]
    return made, [{**record, "p_value": own.get(id(record))} for record in before]


def _mixed(normals: Records, abnormal: Records, share: float, seed: int = 0) -> Records:
    """Return the normals with a share of abnormal ones in their place."""
    draw = np.random.default_rng(seed)
    others = draw.integers(len(abnormal), size=len(normals))
    taken = draw.random(len(normals)) < share
    return [abnormal[j] if t else n for n, j, t in zip(normals, others, taken, strict=True)]


def main(arguments: Sequence[str] | None = None) -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(prog="python -m measurements.drift_delay", description=__doc__.split("\n")[0])
    parser.add_argument("model")
    parser.add_argument("normals")
    parser.add_argument("--abnormal")
    parser.add_argument("--periods", type=int, default=200)
    parser.add_argument("--reference", type=int, default=200)
    parser.add_argument("--length", type=int, default=300)
    parser.add_argument("--start", type=int, default=100)
    options = parser.parse_args(arguments)
    detector = ma.load(options.model, calibration=False, device="cpu")
    images = [result.picture for result in detector.score(options.normals) if result.status == "scored"]
    sizes = {name: getattr(options, name) for name in ("periods", "reference", "length")}
    print(f"{len(images)} images, {sizes}, change after {options.start}, windows of {WINDOW}")
    print("| change | found | median delay, images | longest |\n|---|---|---|---|")
    records = {name: score_all(detector, images, change) for name, change in CHANGES.items()}
    normals = records["none"]
    for name, changed in records.items():
        start = 0 if name == "none" else options.start
        print(f"| {name} | {measure(normals, changed, start=start, **sizes)} |", flush=True)
    if options.abnormal:
        abnormal = [result.record() | {"patient": None} for result in detector.score(options.abnormal)]
        for share in (0.1, 0.3):
            mixed = _mixed(normals, abnormal, share)
            print(
                f"| {100 * share:g} % abnormal | {measure(normals, mixed, start=options.start, **sizes)} |", flush=True
            )


if __name__ == "__main__":
    main()
