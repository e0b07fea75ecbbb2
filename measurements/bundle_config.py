# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from monai.bundle import ConfigParser

from monai_anomaly.utils.exceptions import ConfigError
from monai_anomaly.utils.override_keys import check_keys

__all__ = ["read_config", "run_training"]

LAST_STAGE = "$@lock.run(@train::trainer)"  # as MONAI writes "#" when it reads a file


def read_config(
    bundle: str | os.PathLike[str],
    name: str,
    settings: Mapping[str, Any],
    overrides: Mapping[str, Any] | None,
    overlays: Sequence[str] = (),
) -> ConfigParser:
    """Return a bundle's configuration with overrides.

    Args:
        bundle: the bundle's folder.
        name: of the configuration, without its ending.
        settings: what the timing sets itself, over the user's overrides.
        overrides: the user's, by key.
        overlays: names of configurations to lay over it.

    Raises:
        ConfigError: when `bundle` is no bundle with such a configuration, or that does not know an override or its
            type.
    """
    config = ConfigParser()
    for part in (name, *overlays):
        path = Path(bundle) / "configs" / f"{part}.json"
        if not path.is_file():
            raise ConfigError(
                f"'{os.fspath(bundle)}' is no bundle: it has no 'configs/{part}.json'; name another folder."
            )
    config.read_config([Path(bundle) / "configs" / f"{part}.json" for part in (name, *overlays)])
    check_keys(overrides or {}, config.get())
    for key, value in {**(overrides or {}), "bundle_root": os.fspath(bundle), **settings}.items():
        config[key] = value
    return config


def run_training(config: ConfigParser, before_last_stage: Callable[[], None]) -> None:
    """Train as the bundle does, and do something more right before its last stage runs.

    Args:
        config: a bundle's ``train`` configuration.
        before_last_stage: what to do, such as attaching a handler behind all others.

    Raises:
        ConfigError: when no step of ``training`` runs the trainer.
    """
    if LAST_STAGE not in config["training"]:
        raise ConfigError(f"the bundle's 'training' has no step '{LAST_STAGE}'; name a bundle that has.")
    for step, expression in enumerate(config["training"]):
        if expression == LAST_STAGE:
            before_last_stage()
        config.get_parsed_content(f"training#{step}")
