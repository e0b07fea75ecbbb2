# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

import ctypes
import platform
import subprocess
import sys

import pytest

from monai_anomaly.utils import kept_memory
from monai_anomaly.utils.kept_memory import give_back_freed_memory, keep_freed_memory

PROGRAM = """
import resource, sys
from monai_anomaly.utils.kept_memory import keep_freed_memory

if sys.argv[1] == "kept":
    assert keep_freed_memory()
for times in (30, 4):  # until the free blocks have settled, then counted
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    for _ in range(times):
        bytearray(b"x") * 2**26
print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
"""

GIVING_BACK = """
from monai_anomaly.utils.kept_memory import give_back_freed_memory, keep_freed_memory

def resident():
    with open("/proc/self/statm") as stream:
        return int(stream.read().split()[1]) * 4 // 1024

assert keep_freed_memory()
blocks = [bytearray(b"x") * 2**20 for _ in range(100)]
del blocks[:-1]
kept = resident()
assert give_back_freed_memory()
print(kept - resident())
"""


def _faults(argument: str) -> int:
    """Pages that the system has to give for 64 MiB that are asked for, written and freed four times."""
    done = subprocess.run([sys.executable, "-c", PROGRAM, argument], capture_output=True, text=True, check=True)
    return int(done.stdout)


GLIBC = pytest.mark.skipif(sys.platform != "linux" or platform.libc_ver()[0] != "glibc", reason="only glibc has it")


@GLIBC
def test_freed_memory_is_used_again():
    assert _faults("kept") < 100 < _faults("given back")


@GLIBC
def test_what_was_kept_is_given_back_when_it_is_asked_for():
    done = subprocess.run([sys.executable, "-c", GIVING_BACK], capture_output=True, text=True, check=True)
    assert int(done.stdout) > 80  # MiB of 99


def test_another_c_library_is_told_and_changes_nothing(monkeypatch, caplog):
    monkeypatch.setattr(ctypes, "CDLL", lambda _: object())
    with caplog.at_level("INFO", logger=kept_memory.__name__):
        assert not keep_freed_memory() and not give_back_freed_memory()
    assert "no mallopt" in caplog.text and "no malloc_trim" in caplog.text
