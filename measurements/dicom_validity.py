# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

"""Ask dciodvfy about the DICOM results of all images below a folder, and measure what they cost.

``python -m measurements.dicom_validity DIR MODEL`` scores each file with the detector ``MODEL``, a ``model.pt`` with
its ``calibration.json`` beside it. What cannot be scored, or has no result objects, is named with its reason. The
objects of each image are made twice, once as it was decided and once as anomalous at a threshold that a tenth of its
map reaches, so that there are regions; that the same input gives the same bytes is checked, too. Errors that only say
that a UID of the source itself has no legal root are counted apart. Exits with 1 where there is any other error.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
import time
from collections import Counter, defaultdict
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np

import monai_anomaly as ma
from monai_anomaly.bundle.model_identity import model_identity
from monai_anomaly.data.errors import ImageReadError
from monai_anomaly.dicom_results import DicomResultError, DicomResults, ResultObject
from monai_anomaly.scoring.result import Result

ILLEGAL_SOURCE_UID = "Illegal root for UID"


def main() -> int:
    """Run and print."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("model", type=Path)
    options = parser.parse_args()
    detector = ma.load(options.model)
    identity = model_identity(detector.trained, detector.calibration)
    makers = {kind: DicomResults(identity, (kind,)) for kind in ("sr", "sc", "seg")}
    counts: Counter[str] = Counter()
    seconds: dict[str, list[float]] = defaultdict(list)
    for path in sorted(path for path in options.folder.rglob("*") if path.is_file()):
        name = path.relative_to(options.folder)
        try:
            start = time.perf_counter()
            result = detector.score(str(path))
            scoring = time.perf_counter() - start
            for shown in (result, _anomalous(result)):
                objects = _make(makers, path, shown, seconds)
                counts["objects"] += len(objects)
                counts["unequal bytes"] += objects != _make(makers, path, shown, seconds)
                for kind, line in _errors(objects):
                    counts["of the source's UIDs" if ILLEGAL_SOURCE_UID in line else "errors"] += 1
                    if ILLEGAL_SOURCE_UID not in line:
                        print(f"{name}: {kind}: {line}")
            seconds["scoring"].append(scoring)
            counts["images"] += 1
        except ImageReadError as error:
            print(f"{name}: not scored: {error.code}")
        except DicomResultError as error:
            print(f"{name}: no objects: {error.code}")
    for what in ("images", "objects", "errors", "of the source's UIDs", "unequal bytes"):
        print(f"{what}: {counts[what]}")
    for what, times in seconds.items():
        print(f"{what}: median {1e3 * float(np.median(times)):.1f} ms")
    return int(counts["errors"] > 0 or counts["unequal bytes"] > 0)


def _anomalous(result: Result) -> Result:
    assert result.anomaly_map is not None
    return replace(result, decision="anomalous", threshold=float(np.quantile(result.anomaly_map, 0.9)))


def _make(
    makers: dict[str, DicomResults], path: Path, result: Result, seconds: dict[str, list[float]]
) -> list[ResultObject]:
    picture, made = result.picture, list[ResultObject]()
    for kind, maker in makers.items():
        start = time.perf_counter()
        made += maker.make(path, result, picture=picture)
        seconds[kind].append(time.perf_counter() - start)
    return made


def _errors(objects: list[ResultObject]) -> Iterator[tuple[str, str]]:
    with tempfile.TemporaryDirectory() as folder:
        for made in objects:
            file = Path(folder) / f"{made.kind}.dcm"
            file.write_bytes(made.content)
            said = subprocess.run(["dciodvfy", str(file)], capture_output=True, text=True, errors="replace")
            lines = (said.stdout + said.stderr).splitlines()
            yield from ((made.kind, line) for line in lines if line.startswith("Error"))


if __name__ == "__main__":
    sys.exit(main())
