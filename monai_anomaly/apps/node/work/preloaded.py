# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

"""What every worker imports, imported once in the process that they are forked from.

A worker then starts in a tenth of a second of computing instead of seconds, also when it is started again, and several
share this memory. Nothing is done here but importing: there is neither a thread nor a GPU that a fork would break.
"""

from __future__ import annotations

import atexit
import gc
import os
import signal
import sys

from monai_anomaly.utils.lean_import import hide_optional_packages

with hide_optional_packages():
    import monai.bundle  # noqa: F401

import monai_anomaly.apps.node.work.score_jobs  # noqa: F401

if "multiprocessing.forkserver" in " ".join(sys.orig_argv):
    gc.freeze()  # else the first collection in each worker would copy the pages of all objects
    signal.signal(signal.SIGTERM, signal.SIG_IGN)  # systemd tells all: this process ends when the supervisor has
    atexit.register(os._exit, 0)  # at once: to take all apart again would take as long as half a worker's start
