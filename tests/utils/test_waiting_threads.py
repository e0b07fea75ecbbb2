# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

import os
import re
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest

from monai_anomaly.utils.waiting_threads import SPINS, shorten_spinning
from tests.helpers.repository import ROOT


def test_a_number_of_spins_is_set():
    variables = {"PATH": "/bin"}
    shorten_spinning(variables)
    assert variables == {"PATH": "/bin", "GOMP_SPINCOUNT": str(SPINS)}


@pytest.mark.parametrize("chosen", [{"GOMP_SPINCOUNT": "7"}, {"OMP_WAIT_POLICY": "ACTIVE"}, {"OMP_WAIT_POLICY": ""}])
def test_what_the_user_has_set_stays(chosen):
    variables = dict(chosen)
    shorten_spinning(variables)
    assert variables == chosen


@pytest.mark.parametrize(("chosen", "expected"), [({}, str(SPINS)), ({"GOMP_SPINCOUNT": "7"}, "7")])
def test_the_command_sets_it_before_pytorch_s_openmp_is_loaded(chosen, expected):
    library = Path(find_spec("torch").origin).parent / "lib" / "libgomp.so.1"
    if not library.is_file():
        pytest.skip("this PyTorch uses another OpenMP than GCC's")
    script = "import ctypes, sys; from monai_anomaly.__main__ import main; main([]); ctypes.CDLL(sys.argv[1])"
    ours = {name: value for name, value in os.environ.items() if name not in ("GOMP_SPINCOUNT", "OMP_WAIT_POLICY")}
    told = subprocess.run(
        [sys.executable, "-c", script, str(library)],
        cwd=ROOT,
        env={**ours, **chosen, "OMP_DISPLAY_ENV": "verbose"},
        capture_output=True,
        text=True,
        check=True,
    )
    assert re.findall(r"GOMP_SPINCOUNT = '(\d+)'", told.stderr) == [expected]


@pytest.mark.parametrize("page", ["Makefile", "README.md"])
def test_what_is_set_elsewhere_is_the_same(page):
    assert re.findall(r"GOMP_SPINCOUNT\s*:?=\s*(\d+)", (ROOT / page).read_text()) == [str(SPINS)]
