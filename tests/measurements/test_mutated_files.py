# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

"""Broken files end in an error with a code: none escapes, none costs much."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from measurements import mutated_files
from measurements.mutated_files import make_file, read_file
from measurements.mutations.mutators import mutate
from measurements.mutations.seeds import REAL_FILES, seeds
from tests.helpers.repository import ROOT


@pytest.mark.parametrize(
    "count",
    [300, pytest.param(20_000, marks=pytest.mark.slow)],  # issue 16: none over 5 seconds of computing or 1 GB
)
def test_mutated_files_neither_escape_nor_crash_nor_fill_the_memory_nor_take_long(count: int):
    command = [sys.executable, "-W", "ignore", "-m", "measurements.mutated_files", "--count", str(count)]
    result = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=2 * count)
    assert result.returncode == 0, result.stdout + result.stderr[-2000:]
    assert f"{count} files of {len(seeds())} seeds; 0 escaped or offended" in result.stdout
    ends = dict(re.findall(r"(\w+) (\d+)(?:, |\n)", result.stdout.splitlines()[3] + "\n"))
    assert sum(map(int, ends.values())) == count and len(ends) >= 6 and 0 < int(ends["read"]) < count


def test_every_seed_is_read_or_refused_for_what_it_is(tmp_path: Path):
    ends = []
    for number, (suffix, content) in enumerate(seeds()):
        path = tmp_path / f"{number}{suffix}"
        path.write_bytes(content)
        ends.append(read_file(path, mask=False))
    assert set(ends) == {"read", "unsupported_transfer_syntax"}  # JPEG with 12 bits
    assert ends.count("read") == len(seeds()) - 1


def test_mutations_are_repeatable_and_real(tmp_path: Path):
    assert make_file(5) == make_file(5)
    whole = [content for _, content in seeds()]
    assert sum(make_file(number)[1] != whole[number % len(whole)] for number in range(0, 60, 3)) > 15
    assert len(REAL_FILES) >= 8
    assert mutated_files.main(["--first", "7", "--count", "2", "--keep", str(tmp_path)]) == 0
    suffix, content = make_file(8)
    assert (tmp_path / f"8{suffix}").read_bytes() == content


def test_a_file_that_ends_its_process_is_reported_and_the_next_one_is_read(monkeypatch, capsys):
    command = (
        "import os, sys; from measurements import mutated_files as m; read = m.read_file\n"
        "def die(path, mask):\n"
        "    if b'die here' in path.read_bytes(): os.abort()\n"
        "    return read(path, mask=mask)\n"
        "make = m.make_file; m.read_file = die\n"
        "m.make_file = lambda number: ('.png', b'die here') if number == 1 else make(number)\n"
        "sys.exit(m.main(sys.argv[1:]))"
    )
    popen = subprocess.Popen
    monkeypatch.setattr(
        subprocess, "Popen", lambda asked, **rest: popen([sys.executable, "-c", command, *asked[5:]], cwd=ROOT, **rest)
    )
    assert mutated_files.main(["--count", "3"]) == 1
    said = capsys.readouterr().out
    assert "3 files of" in said and "1 escaped or offended" in said and '"number": 1, "end": "death: -6"' in said


def test_what_escapes_is_told(tmp_path: Path, monkeypatch):
    monkeypatch.setattr(mutated_files, "read_file", lambda path, mask: 1 / 0)
    (result,) = mutated_files.measure(0, 1, tmp_path)
    assert result["end"].startswith("escape: ZeroDivisionError") and mutated_files._is_bad(result)


def test_no_seed_is_mutated_in_place():
    before = [content for _, content in seeds()]
    mutate(before[0], ".dcm", np.random.default_rng(0), before)
    assert [content for _, content in seeds()] == before
