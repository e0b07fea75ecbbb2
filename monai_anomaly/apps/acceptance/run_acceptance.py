# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

"""The acceptance test from beginning to end."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Sequence
from datetime import datetime, timezone
from pathlib import Path
from time import perf_counter
from typing import Any

import numpy as np
import torch
from tqdm.auto import tqdm

from monai_anomaly.apps.acceptance.document import make_document
from monai_anomaly.apps.acceptance.identity import describe_detector, describe_software
from monai_anomaly.apps.acceptance.limits import Limits
from monai_anomaly.apps.acceptance.local_images import LocalImages, list_local_images
from monai_anomaly.apps.acceptance.measures import Evidence, measure_all
from monai_anomaly.apps.acceptance.page import render_acceptance
from monai_anomaly.apps.acceptance.probes import MOST_PROBED, probe, spaced
from monai_anomaly.apps.acceptance.repeats import MOST_REPEATED, Opened, score_alone, score_elsewhere
from monai_anomaly.apps.acceptance.scored_image import score_images
from monai_anomaly.apps.acceptance.text_output import summary_lines
from monai_anomaly.bundle.anomaly_detector import AnomalyDetector
from monai_anomaly.bundle.calibration import calibration_path
from monai_anomaly.bundle.loading import load
from monai_anomaly.utils.atomic import atomic_write
from monai_anomaly.utils.exceptions import ConfigError
from monai_anomaly.utils.folder_lock import FolderLock

__all__ = ["JSON_NAME", "PAGE_NAME", "run_acceptance"]

JSON_NAME, PAGE_NAME = "acceptance.json", "acceptance.html"


def run_acceptance(normals: str, abnormal: Sequence[str], *, opened: Opened, limits: Limits, output_dir: Path) -> str:
    """Test a detector on a site's images, write the page and the JSON, and print the verdict.

    Nothing is trained, calibrated or chosen by what is seen. An earlier test in the folder is never replaced.

    Args:
        normals: see :func:`~monai_anomaly.apps.acceptance.local_images.list_local_images`.
        abnormal: as there.
        opened: which detector, and how.
        limits: what it must keep.
        output_dir: gets ``acceptance.html`` and ``acceptance.json``.

    Returns:
        ``"passed"``, ``"failed"`` or ``"incomplete"``.

    Raises:
        CalibrationError: when the calibration is not of this detector, or has too few patients for the rate.
        CheckpointError: without a detector.
        ConfigError: when there is a test in the folder already, or another run writes into it.
        DataListError: for images that cannot be listed.
        OSError: when the folder cannot be written.
    """
    local = list_local_images(normals, abnormal)
    detector = _open(opened)
    with FolderLock({"output_dir": output_dir}):
        for name in (JSON_NAME, PAGE_NAME):
            if (output_dir / name).exists():
                raise ConfigError(f"there is an acceptance test in '{output_dir}' already; name another --output_dir.")
        document = _test(detector, local, opened, limits)
        page = render_acceptance(document)
        atomic_write(output_dir / JSON_NAME, json.dumps(document, indent=2, allow_nan=False) + "\n")
        atomic_write(output_dir / PAGE_NAME, page)
    print("\n".join(summary_lines(document)))
    print(f"page               {output_dir / PAGE_NAME}")
    return str(document["verdict"])


def _test(detector: AnomalyDetector, local: LocalImages, opened: Opened, limits: Limits) -> dict[str, Any]:
    """Return the whole test."""
    start = perf_counter()
    evidence = _look(detector, local, opened)
    now = datetime.now(timezone.utc)
    times = {
        "date": f"{now:%Y-%m-%d %H:%M} UTC",
        "test_seconds": round(perf_counter() - start, 3),
        "median_seconds": float(np.median(evidence.seconds)) if evidence.seconds else None,
        "image_seconds": [round(value, 6) for value in evidence.seconds],
    }
    return make_document(
        evidence=evidence,
        measured=measure_all(evidence),
        limits=limits,
        left_out=local.left_out,
        detector=describe_detector(detector, _calibration_file(detector, opened)),
        software=describe_software(detector),
        times=times,
    )


def _open(opened: Opened) -> AnomalyDetector:
    if opened.device == "cuda" and not torch.cuda.is_available():
        raise ConfigError("--device cuda: PyTorch finds no GPU here; leave it out or name cpu.")
    return load(
        opened.checkpoint,
        calibration=opened.calibration,
        false_alarm_rate=opened.false_alarm_rate,
        device=opened.device,
        frames=opened.frames,
        aggregate=opened.aggregate,
    )


def _calibration_file(detector: AnomalyDetector, opened: Opened) -> Path | None:
    """Return the file that the detector's calibration is from."""
    if detector.calibration is None:
        return None
    return Path(opened.calibration or calibration_path(detector.trained.path)).expanduser()


def _look(detector: AnomalyDetector, local: LocalImages, opened: Opened) -> Evidence:
    """Score all images, then some normals in every other way."""
    scored = score_images(detector, local.items)
    images = list(tqdm(scored, desc="scoring", total=len(local.items), unit="image", disable=None))
    normals = [image for image in images if image.is_normal and image.is_scored]
    probed = spaced(normals, MOST_PROBED)
    probe(detector, tqdm(probed, desc="inverted and mirrored", unit="image", disable=None))
    alone, seconds = score_alone(detector, probed) if probed else (None, [])
    again = score_elsewhere(opened, spaced(normals, MOST_REPEATED)) if normals else None
    return Evidence(
        images,
        calibrated=detector.calibration is not None,
        guarded=detector.guard is not None,
        training_known=detector.trained.fingerprints is not None,
        alone=alone,
        again=again,
        seconds=seconds,
        peak_memory=_peak_memory(),
    )


def _peak_memory() -> float | None:
    """Return the largest resident memory of this process so far in MiB; None on Windows, which has no such call."""
    if os.name == "nt":
        return None
    import resource

    used: Any = resource.getrusage(resource.RUSAGE_SELF)
    return round(used.ru_maxrss / (2**20 if sys.platform == "darwin" else 2**10), 1)
