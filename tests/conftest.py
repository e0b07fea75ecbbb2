# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

"""What all tests share."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable
from pathlib import Path

import pytest
from filelock import FileLock

from monai_anomaly.utils.identity import KEY_VARIABLE
from tests.helpers.repository import ROOT


def pytest_itemcollected(item: pytest.Item) -> None:
    """Count no lines while PyTorch exports to ONNX: it runs its own Python, for which counting doubles the time."""
    if "onnx" in item.name.partition("[")[0]:
        item.add_marker("no_cover")


@pytest.fixture(scope="session", autouse=True)
def identity_key(tmp_path_factory):
    """A key for hashed names, so that no test makes one in the home of who runs it."""
    path = tmp_path_factory.mktemp("key") / "identity.key"
    path.write_bytes(b"a key for tests, known to everybody")
    before = os.environ.get(KEY_VARIABLE)
    os.environ[KEY_VARIABLE] = str(path)
    yield path
    if before is None:
        del os.environ[KEY_VARIABLE]
    else:
        os.environ[KEY_VARIABLE] = before


@pytest.fixture(scope="session", autouse=True)
def heard_signals():
    """Ctrl-C is heard, also where the tests run in the background of a shell, which has it ignored."""
    if signal.getsignal(signal.SIGINT) == signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(scope="session")
def make_once(tmp_path_factory) -> Callable[[str, Callable[[Path], object]], Path]:
    """Give a function that returns a folder which is made once, for all processes of the tests together.

    It takes a name and what fills the folder; the first process that asks makes it at the repository's root, the
    others wait. Nobody writes to it afterwards.
    """
    root = tmp_path_factory.getbasetemp()
    if "PYTEST_XDIST_WORKER" in os.environ:
        root = root.parent

    def make(name: str, fill: Callable[[Path], object]) -> Path:
        folder = root / "shared" / name
        folder.parent.mkdir(exist_ok=True)
        with FileLock(f"{folder}.lock"):
            if not folder.exists():
                unfinished = tmp_path_factory.mktemp(name)
                with pytest.MonkeyPatch.context() as patch:
                    patch.chdir(ROOT)
                    fill(unfinished)
                unfinished.rename(folder)
        return folder

    return make
