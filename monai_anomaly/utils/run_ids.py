# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

"""Which ids of a configuration do something when they are run: MONAI takes any and ends well, whatever it did."""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from typing import Any

from monai_anomaly.utils.exceptions import ConfigError

__all__ = ["check_run_id", "runnable_ids"]

NOT_RUN = ("imports", "initialize", "finalize")
"""Lists of expressions that are no run of their own."""


def runnable_ids(config: Mapping[str, Any]) -> list[str]:
    """Return the ids that run something: ``run``, and each list of expressions and references at the top."""
    return [key for key, value in config.items() if key not in NOT_RUN and (key == "run" or _is_run(value, config))]


def check_run_id(run_id: str, config: Mapping[str, Any]) -> None:
    """Refuse an id that would run nothing.

    Raises:
        ConfigError: naming those that do.
    """
    known = runnable_ids(config)
    if run_id in known:
        return
    near = difflib.get_close_matches(run_id, known, n=1, cutoff=0.5)
    listed = ", ".join(f"'{key}'" for key in known) or "none"
    hint = f", the nearest is '{near[0]}'" if near else ""
    raise ConfigError(f"the run id '{run_id}' runs nothing in this configuration; those that do are {listed}{hint}.")


def _is_run(value: Any, config: Mapping[str, Any]) -> bool:
    """Whether a value is a list of expressions and references, or stands for one."""
    if isinstance(value, str) and value.startswith("%"):
        value = config.get(value[1:])
    if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
        return False
    return any(item.startswith("$") for item in value) and all(item.startswith(("$", "@")) for item in value)
