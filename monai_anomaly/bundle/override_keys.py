# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

"""Whether a workflow's configuration knows what is to be overridden: MONAI takes any key, and says nothing."""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from typing import Any

from monai.bundle import ConfigParser, ConfigWorkflow

from monai_anomaly.utils.override_keys import TRACKING_KEYS, check_keys

__all__ = ["check_workflow_arguments"]


def check_workflow_arguments(arguments: Mapping[str, Any]) -> None:
    """Check the overrides among the arguments of a :class:`monai.bundle.ConfigWorkflow`.

    Args:
        arguments: by name; what is no parameter of the workflow is an override.

    Raises:
        ConfigError: naming the nearest known key.
    """
    reserved = set(inspect.signature(ConfigWorkflow.__init__).parameters)
    if arguments.get("tracking") is not None:
        reserved |= TRACKING_KEYS
    overrides = {key: value for key, value in arguments.items() if key not in reserved}
    check_keys(overrides, ConfigParser.load_config_files(arguments["config_file"]))
