# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

"""From the file of settings to checked values."""

from __future__ import annotations

import difflib
import math
import types
import typing
from dataclasses import MISSING, fields, is_dataclass
from pathlib import Path
from typing import Any

from monai_anomaly.apps.node.configuration.sections import Destination, NodeSettings
from monai_anomaly.utils.exceptions import ConfigError
from monai_anomaly.utils.strict_yaml import parse_yaml
from monai_anomaly.utils.uid_root import check_uid_root

__all__ = ["read_settings"]

KINDS = ("sr", "sc", "seg")
MOST_BYTES = 1 << 20
MOST_DAYS = 36_500


def read_settings(path: str) -> NodeSettings:
    """Read a node's settings.

    Args:
        path: a YAML file; see :mod:`monai_anomaly.apps.node.configuration.sections`.

    Raises:
        ConfigError: whatever is wrong with it; names the key, and the nearest known one.
    """
    file = Path(path).expanduser().absolute()
    try:
        with open(file, encoding="utf-8") as opened:
            content = parse_yaml(opened.read(MOST_BYTES))
    except FileNotFoundError:
        raise ConfigError(f"there is no file of settings '{path}'.") from None
    except (OSError, ValueError) as error:  # UnicodeDecodeError is a ValueError
        reason = (getattr(error, "strerror", None) or str(error)).replace("\n", " ")
        raise ConfigError(f"the settings '{path}' cannot be read ({reason}).") from None
    settings: NodeSettings = _section(NodeSettings, content, "", file.parent)
    _check(settings)
    return settings


def _section(kind: Any, content: Any, where: str, base: Path) -> Any:
    """Return a section, with its defaults."""
    if not isinstance(content, dict):
        raise ConfigError(f"the setting '{where or 'file'}' must be a table of keys, got {content!r}.")
    hints, known = typing.get_type_hints(kind), [item.name for item in fields(kind)]
    for key in content:
        if key not in known:
            near = difflib.get_close_matches(str(key), known, n=1, cutoff=0.5)
            hint = f"the nearest is '{near[0]}'" if near else f"there are {', '.join(known)}"
            raise ConfigError(f"there is no setting '{_join(where, str(key))}'; {hint}.")
    for item in fields(kind):
        if item.default is MISSING and item.default_factory is MISSING and item.name not in content:
            raise ConfigError(f"the setting '{_join(where, item.name)}' is missing.")
    return kind(**{key: _value(hints[key], value, _join(where, key), base) for key, value in content.items()})


def _value(hint: Any, value: Any, where: str, base: Path) -> Any:
    """Return a value of the type that its key has."""
    origin = typing.get_origin(hint)
    if origin in (types.UnionType, typing.Union):  # of one type and None
        (inner,) = (each for each in typing.get_args(hint) if each is not type(None))
        return None if value is None else _value(inner, value, where, base)
    if origin is tuple:
        if not isinstance(value, list):
            raise ConfigError(f"the setting '{where}' must be a list, got {value!r}.")
        return tuple(_value(typing.get_args(hint)[0], each, f"{where}[{i}]", base) for i, each in enumerate(value))
    if is_dataclass(hint):
        return _section(hint, value, where, base)
    if hint is Path and isinstance(value, str) and value:
        return base / Path(value).expanduser()
    if hint is float and isinstance(value, (int, float)) and not isinstance(value, bool) and math.isfinite(value):
        return float(value)
    if hint in (str, int, bool) and type(value) is hint:
        return value
    name = {Path: "a path", float: "a finite number", int: "a whole number", str: "a text", bool: "true or false"}
    raise ConfigError(f"the setting '{where}' must be {name[hint]}, got {value!r}.")


def _check(settings: NodeSettings) -> None:
    """Refuse values that make no sense together, or alone."""
    check_uid_root(settings.uid_root or "")
    names = [destination.name for destination in settings.destinations]
    if len(set(names)) < len(names):
        raise ConfigError("two destinations have one name; the setting 'name' of each must be its own.")
    for destination in settings.destinations:
        _check_destination(destination)
    if not 0 < settings.detector.false_alarm_rate < 1:
        raise ConfigError("the setting 'detector.false_alarm_rate' must be above 0 and below 1.")
    if settings.dicom is not None:
        _check_port("dicom.port", settings.dicom.port)
        tls = settings.dicom.tls
        if tls is not None and (tls.certificate is None or tls.key is None):
            raise ConfigError("a receiver with TLS needs the settings 'dicom.tls.certificate' and 'dicom.tls.key'.")
    if settings.audit is not None and not (settings.operator or "").strip():
        raise ConfigError("an audit log says who ran the node: the setting 'operator' is missing.")
    positive = {f"workers.{item.name}": getattr(settings.workers, item.name) for item in fields(settings.workers)}
    positive["queue.max_waiting"] = settings.queue.max_waiting
    for item in fields(settings.retention):
        days = getattr(settings.retention, item.name)
        if not 0 <= days <= MOST_DAYS:
            raise ConfigError(f"the setting 'retention.{item.name}' must be from 0 to {MOST_DAYS}, got {days:g}.")
    for name, value in positive.items():
        if value <= 0:
            raise ConfigError(f"the setting '{name}' must be above 0, got {value:g}.")


def _check_destination(destination: Destination) -> None:
    where = f"the destination '{destination.name}'"
    if (destination.dicom is None) == (destination.dicomweb is None):
        raise ConfigError(f"{where} needs one of the settings 'dicom' and 'dicomweb'.")
    if not destination.kinds or any(kind not in KINDS for kind in destination.kinds):
        raise ConfigError(f"{where}: its kinds must be some of {', '.join(KINDS)}.")
    if destination.dicom is not None:
        _check_port(f"destinations: {destination.name}: dicom.port", destination.dicom.port)


def _check_port(name: str, port: int) -> None:
    if not 0 < port < 65536:
        raise ConfigError(f"the setting '{name}' must be from 1 to 65535, got {port}.")


def _join(where: str, key: str) -> str:
    return f"{where}.{key}" if where else key
