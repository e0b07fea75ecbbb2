# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

"""Whether a workflow's configuration knows what is to be overridden: MONAI takes any key, and says nothing."""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from typing import Any

from monai.bundle import ConfigParser, ConfigWorkflow

from monai_anomaly.utils.override_keys import TRACKING_KEYS, check_keys
from monai_anomaly.utils.run_ids import check_run_id

__all__ = ["check_workflow_arguments"]


def check_workflow_arguments(arguments: Mapping[str, Any]) -> None:
    """Check the run id and the overrides among the arguments of a :class:`monai.bundle.ConfigWorkflow`.

    Args:
        arguments: by name; what is no parameter of the workflow is an override.

    Raises:
        ConfigError: naming the nearest known key, or the ids that run something.
    """
    reserved = set(inspect.signature(ConfigWorkflow.__init__).parameters)
    if arguments.get("tracking") is not None:
        reserved |= TRACKING_KEYS
    overrides = {key: value for key, value in arguments.items() if key not in reserved}
    config = ConfigParser.load_config_files(arguments["config_file"])
    check_keys(overrides, config)
    if arguments.get("run_id") is not None:
        check_run_id(arguments["run_id"], {**config, **overrides})
