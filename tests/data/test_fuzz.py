# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from tests.helpers.fuzz import REAL_FILES, mutate, seeds
from tests.helpers.repository import ROOT

LIMIT = 2**19  # KiB on top of what importing MONAI takes, which is up to 1 GiB with all its optional packages

SCRIPT = """
import resource, sys
from tests.helpers.fuzz import run
from pathlib import Path
memory = lambda: resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
before = memory()
ends, longest = run(0, int(sys.argv[2]), Path(sys.argv[1]))
print(ends.total(), ends["read"], len(ends), longest, memory() - before)
"""


@pytest.mark.parametrize(
    ("count", "seconds"),
    [
        (300, 60),  # on a loaded machine, importing ITK for the first of its files takes longer than reading it
        pytest.param(20_000, 5, marks=pytest.mark.slow),  # issue 3: 20,000 files, none takes 5 seconds
    ],
)
def test_mutated_files_neither_escape_nor_crash_nor_fill_the_memory_nor_take_long(
    tmp_path: Path, count: int, seconds: float
):
    # In a process of its own: a native crash would take the whole test run along, and memory is measured.
    command = [sys.executable, "-W", "ignore", "-c", SCRIPT, str(tmp_path), str(count)]
    result = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=2 * count)
    where = (tmp_path / "current").read_text() if (tmp_path / "current").exists() else "none"
    assert result.returncode == 0, f"mutation {where}: {result.stderr[-2000:]}"
    total, whole, kinds, longest, memory = result.stdout.split()
    assert int(total) == count and 0 < int(whole) < count and int(kinds) >= 6
    assert float(longest) < seconds
    assert int(memory) < LIMIT


def test_mutations_are_repeatable_and_real():
    content = seeds()[0][1]
    first, again, other = (mutate(content, np.random.default_rng(seed)) for seed in (1, 1, 2))
    assert first == again != other and first != content
    assert len(REAL_FILES) >= 8
