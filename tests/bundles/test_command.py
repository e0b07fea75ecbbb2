# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

"""The command, in a process of its own: it scores as ``python -m monai.bundle`` does, whatever it does not import."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from monai.bundle import run

from tests.bundles.conftest import DATA
from tests.helpers.repository import ROOT

SCRIPT = """
import sys
from monai_anomaly.__main__ import main

for words in {lines!r}:
    code = main(words)
    if code:
        sys.exit(code)
slow = {{"mlflow", "matplotlib", "pandas", "sklearn", "torchvision", "torch.distributed.fsdp"}}
print("imported:", sorted(slow & set(sys.modules)))
"""


def results(folder: Path) -> dict[str, bytes]:
    """Return what an inference wrote, but for pages, which say when."""
    files = [path for path in folder.rglob("*") if path.is_file() and path.suffix != ".html"]
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in files}


@pytest.mark.usefixtures("at_root")
def test_predict_writes_the_same_bytes_as_the_bundle(examples, tmp_path):
    recipes = [examples(name) for name in DATA]
    lines = []
    for example in recipes:
        words = ["predict", str(example.data), str(tmp_path / example.bundle / "command"), "--uncalibrated", "true"]
        lines.append([*words, "--checkpoint", str(example.model), "--device", "cpu"])
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT.format(lines=lines)], capture_output=True, text=True, cwd=ROOT, timeout=300
    )
    assert done.returncode == 0, done.stderr
    assert "imported: []" in done.stdout
    for example in recipes:
        run(
            config_file=example.config("inference"),
            dataset_dir=str(example.data),
            output_dir=str(tmp_path / example.bundle / "bundle"),
            checkpoint=str(example.model),
            uncalibrated=True,
            device="cpu",
        )
        ours, theirs = (results(tmp_path / example.bundle / name) for name in ("command", "bundle"))
        assert "records.jsonl" in ours and len(ours) > 2
        assert ours == theirs
