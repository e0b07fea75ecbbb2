# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

"""Configurations read and merged as MONAI does, without MONAI, whose import takes seconds."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from monai_anomaly.utils.exceptions import ConfigError

__all__ = ["read_configs"]


def read_configs(files: Iterable[Path]) -> dict[str, Any]:
    """Return what configurations hold together, the later over the earlier, as ``ConfigParser.load_config_files`` does.

    Raises:
        ConfigError: for a file that is not there, or is no JSON or YAML object.
    """
    merged: dict[str, Any] = {}
    for file in files:
        for key, value in _read(file).items():
            _set(merged, key, value)
    return merged


def _read(file: Path) -> Mapping[str, Any]:
    try:
        text = file.read_text(encoding="utf-8")
        content = _parse(file, text)
    except FileNotFoundError:
        raise ConfigError(f"there is no configuration '{file}'.") from None
    except (OSError, ValueError) as error:
        raise ConfigError(f"the configuration '{file}' cannot be read ({error}).") from None
    if not isinstance(content, dict):
        raise ConfigError(f"the configuration '{file}' must be an object with keys.")
    return content


def _parse(file: Path, text: str) -> Any:
    if file.suffix.lower() == ".json":
        return json.loads(text)
    import yaml

    try:
        return yaml.safe_load(text)
    except yaml.YAMLError as error:
        raise ValueError(str(error).replace("\n", " ")) from None


def _set(config: dict[str, Any], key: str, value: Any) -> None:
    """Set a key, that below another one with ``::`` too; ``+key`` adds to an object or a list."""
    *path, last = key.removeprefix("+").replace("#", "::").split("::")
    node: Any = config
    for part in path:
        node = node[int(part)] if isinstance(node, list) and part.isdigit() else node.get(part, {})
    before = node.get(last) if isinstance(node, dict) else None
    if key.startswith("+") and isinstance(before, dict) and isinstance(value, dict):
        value = {**before, **value}
    elif key.startswith("+") and isinstance(before, list) and isinstance(value, list):
        value = [*before, *value]
    node[int(last) if isinstance(node, list) else last] = value
