# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

"""Another run, which writes into a folder."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.helpers.repository import ROOT

HOLD = """
import sys
from monai_anomaly.utils.folder_lock import FolderLock
lock = FolderLock({str(number): folder for number, folder in enumerate(sys.argv[1:])})
lock.acquire()
print("held", flush=True)
sys.stdin.read()
"""


@contextmanager
def another_run(*folders: Path) -> Iterator[subprocess.Popen[str]]:
    """Hold folders in another process, which ends with the block."""
    command = [sys.executable, "-c", HOLD, *map(str, folders)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=ROOT) as process:
        assert process.stdout is not None and process.stdout.readline() == "held\n"
        yield process
