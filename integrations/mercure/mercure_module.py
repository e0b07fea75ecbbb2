# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

"""A processing module for mercure: DICOM files in, DICOM results and ``result.json`` out.

mercure gives the folders in ``MERCURE_IN_DIR`` and ``MERCURE_OUT_DIR``, and the module's settings in ``task.json`` in
the first, under ``process.settings``: ``checkpoint`` (a ``model.pt`` with its ``calibration.json`` beside it, as the
container sees it) and, if wanted, other keys of the bundle's inference. The objects lie flat in the output folder,
which mercure sends on; ``result.json`` has the counts and, for each file, decision, score and p-value.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections import Counter
from pathlib import Path
from typing import Any

KEPT = ("status", "decision", "score", "p_value", "code", "dicom_reason")
"""What ``result.json`` says of each file; no name, as the files' names may hold identifiers."""


def main() -> int:
    """Score what is in the input folder, and leave what is to be sent in the output folder."""
    folder_in, folder_out = (Path(os.environ[name]) for name in ("MERCURE_IN_DIR", "MERCURE_OUT_DIR"))
    settings = _settings(folder_in / "task.json")
    with tempfile.TemporaryDirectory() as made:
        images = Path(made) / "images"
        images.mkdir()
        for path in folder_in.iterdir():
            if path.is_file() and path.name not in ("task.json", "result.json"):
                shutil.copyfile(path, images / path.name)
        options = [text for key, value in settings.items() for text in (f"--{key}", str(value))]
        results = Path(made) / "results"
        command = [sys.executable, "-m", "monai_anomaly", "predict", str(images), str(results), "--dicom"]
        subprocess.run([*command, *options], check=True)
        records = [json.loads(line) for line in (results / "records.jsonl").read_text().splitlines()]
        for record in records:
            for name in (record["dicom"] or {}).values():
                shutil.copyfile(results / name, folder_out / "_".join(Path(name).parts[1:]))
    counts = Counter(record["status"] for record in records)
    said = {"counts": counts, "files": [{key: record[key] for key in KEPT} for record in records]}
    (folder_out / "result.json").write_text(json.dumps({"monai_anomaly": said}, indent=2))
    return 0


def _settings(path: Path) -> dict[str, Any]:
    """Return the module's settings of a task; mercure has one processing step, or a list of them."""
    process = json.loads(path.read_text()).get("process") or {}
    step = process[0] if isinstance(process, list) else process
    settings: dict[str, Any] = step.get("settings") or {}
    if "checkpoint" not in settings:
        raise SystemExit("the module's settings in task.json must name a checkpoint, the detector's model.pt.")
    return settings


if __name__ == "__main__":
    sys.exit(main())
