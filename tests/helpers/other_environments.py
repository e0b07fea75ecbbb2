# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

"""Environments beside the one that tests run in, which scripts of ``integrations`` make: minutes, once."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

from filelock import FileLock

from tests.helpers.repository import ROOT

__all__ = ["other_environment"]


def other_environment(name: str, program: str) -> Path:
    """Return the folder of an environment, which ``integrations/<name>/make_environment.sh`` makes where there is none.

    It is ``.venv-<name>``, or what the variable ``MONAI_ANOMALY_<NAME>_ENV`` names.

    Args:
        name: ``label`` or ``deploy``.
        program: a file below the folder, which says that the environment is there.
    """
    folder = Path(os.environ.get(f"MONAI_ANOMALY_{name.upper()}_ENV") or ROOT / f".venv-{name}").absolute()
    with FileLock(f"{folder}.lock"):
        if not (folder / program).is_file():
            script = ROOT / "integrations" / name / "make_environment.sh"
            subprocess.run([str(script), str(folder), "--editable", str(ROOT)], check=True)
    return folder
