# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from monai.bundle import ConfigParser

from monai_anomaly.utils.exceptions import ConfigError

__all__ = ["read_config"]


def read_config(
    bundle: str | os.PathLike[str], name: str, settings: Mapping[str, Any], overrides: Mapping[str, Any] | None
) -> ConfigParser:
    """Return a bundle's configuration with overrides.

    Args:
        bundle: the bundle's folder.
        name: of the configuration, without its ending.
        settings: what the timing sets itself, over the user's overrides.
        overrides: the user's, by key.

    Raises:
        ConfigError: when `bundle` is no bundle with such a configuration, or that does not know an override.
    """
    path = Path(bundle) / "configs" / f"{name}.json"
    if not path.is_file():
        raise ConfigError(f"'{os.fspath(bundle)}' is no bundle: it has no 'configs/{name}.json'; name another folder.")
    config = ConfigParser()
    config.read_config(path)
    unknown = sorted(set(overrides or {}) - set(config.get()))
    if unknown:
        raise ConfigError(f"{path.name} has no '{unknown[0]}' to override; its keys are {', '.join(config.get())}.")
    for key, value in {**(overrides or {}), "bundle_root": os.fspath(bundle), **settings}.items():
        config[key] = value
    return config
