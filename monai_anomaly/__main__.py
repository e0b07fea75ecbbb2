# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0
# PYTHON_ARGCOMPLETE_OK

"""``python -m monai_anomaly``: the command ``monai-anomaly``."""

from __future__ import annotations

import sys

from monai_anomaly.apps.command.main import main

__all__ = ["main"]

if __name__ == "__main__":
    sys.exit(main())
