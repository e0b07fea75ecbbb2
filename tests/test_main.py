# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

import subprocess
import sys

import pytest

from monai_anomaly.__main__ import main


@pytest.mark.parametrize("arguments", [[], ["no-such-verb"], ["benchmark", "--max_minutes=0"], ["inspect"]])
def test_senseless_command_line(arguments, capsys):
    with pytest.raises(SystemExit) as error:
        main(arguments)
    assert error.value.code == 2
    assert "usage: python -m monai_anomaly" in capsys.readouterr().err


def test_help_names_the_verbs_without_importing_monai():
    script = "import sys, runpy\nsys.argv = ['x', '--help']\ntry:\n    runpy.run_module('monai_anomaly', run_name='__main__')\nexcept SystemExit as e:\n    print(e.code, {'monai', 'torch'} & set(sys.modules))\n"  # noqa: E501
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert "inspect" in done.stdout and "benchmark" in done.stdout
    assert done.stdout.splitlines()[-1] == "0 set()"
