# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

"""The limits of an acceptance test, from a file that says something of every criterion."""

from __future__ import annotations

import difflib
import hashlib
import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from typing import Any

from monai_anomaly.apps.acceptance.criteria import CRITERIA, Criterion
from monai_anomaly.utils.exceptions import ConfigError
from monai_anomaly.utils.strict_yaml import once, parse_yaml

__all__ = ["VERSION", "Limit", "Limits", "default_text", "read_limits"]

VERSION = 1


@dataclass(frozen=True)
class Limit:
    """What a criterion must keep.

    Args:
        bound: the most or the least, by the criterion's sense; 1 for what is required.
        by: ``"value"`` or ``"bound"``, the end of the 95 % interval on the limit's side.
    """

    bound: float
    by: str


@dataclass(frozen=True)
class Limits:
    """All limits.

    Args:
        false_alarm_rate: of the decisions.
        of: by criterion; None sets none.
        sha256: of the file.
        is_default: whether they are this package's and not the site's.
    """

    false_alarm_rate: float
    of: Mapping[str, Limit | None]
    sha256: str
    is_default: bool


def default_text() -> str:
    """Return the default limits as a file with comments, to begin with."""
    return files(__package__).joinpath("default_limits.yaml").read_text(encoding="utf-8")


def read_limits(path: str | None) -> Limits:
    """Read limits.

    Args:
        path: a YAML file, or a JSON file by its suffix; None takes the package's own.

    Raises:
        ConfigError: whatever is wrong with it; names the key and the nearest known one.
    """
    if path is None:
        return _limits(default_text(), "the default limits", is_json=False, is_default=True)
    file = Path(path).expanduser()
    try:
        text = file.read_text(encoding="utf-8")
    except FileNotFoundError:
        raise ConfigError(
            f"--limits: there is no '{path}'; 'monai-anomaly accept --print_limits' prints one to begin with."
        ) from None
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not UTF-8"
        raise ConfigError(f"--limits: '{path}' cannot be read ({reason}).") from None
    return _limits(text, f"--limits '{path}'", is_json=file.suffix.lower() == ".json", is_default=False)


def _limits(text: str, where: str, *, is_json: bool, is_default: bool) -> Limits:
    try:
        content = json.loads(text, object_pairs_hook=once) if is_json else parse_yaml(text)
    except (ValueError, RecursionError) as error:
        reason = str(error).replace("\n", " ") or "too deep"
        raise ConfigError(f"{where} cannot be read as {'JSON' if is_json else 'YAML'} ({reason}).") from None
    _check_names(content, ("version", "false_alarm_rate", "limits"), where)
    if content["version"] != VERSION or isinstance(content["version"], bool):
        raise ConfigError(f"{where}: version must be {VERSION}, got {content['version']!r}; write the limits anew.")
    rate = _number(content["false_alarm_rate"], f"{where}: false_alarm_rate")
    if not 0 < rate < 1:
        raise ConfigError(f"{where}: false_alarm_rate must be above 0 and below 1, got {rate:g}.")
    _check_names(content["limits"], tuple(CRITERIA), f"{where}: limits")
    limits = {name: _limit(CRITERIA[name], content["limits"][name], where) for name in CRITERIA}
    if not any(limits.values()):
        raise ConfigError(f"{where} sets no limit at all, so that nothing could fail; set some.")
    return Limits(rate, limits, hashlib.sha256(text.encode()).hexdigest(), is_default)


def _check_names(content: Any, names: tuple[str, ...], where: str) -> None:
    """Refuse anything but an object with exactly these keys."""
    if not isinstance(content, dict):
        raise ConfigError(f"{where} must be an object with the keys {', '.join(names)}.")
    for key in content:
        if key not in names:
            near = difflib.get_close_matches(str(key), names, n=1, cutoff=0.5)
            hint = f"the nearest known is '{near[0]}'" if near else f"there are {', '.join(names)}"
            raise ConfigError(f"{where}: there is no key '{key}'; {hint}.")
    for name in names:
        if name not in content:
            raise ConfigError(f"{where}: '{name}' is missing; for a criterion write null to set no limit.")


def _limit(criterion: Criterion, content: Any, where: str) -> Limit | None:
    where = f"{where}: limits: {criterion.name}"
    if content is None:
        return None
    _check_names(content, (criterion.sense, "by") if criterion.has_interval else (criterion.sense,), where)
    if criterion.sense == "required":
        if content["required"] is not True:
            raise ConfigError(f"{where}: required must be true; write null to set no limit.")
        return Limit(1.0, "value")
    bound, by = _number(content[criterion.sense], f"{where}: {criterion.sense}"), content.get("by", "value")
    if by not in ("value", "bound"):
        raise ConfigError(f"{where}: by must be value or bound, got {by!r}.")
    if bound < 0 or (criterion.has_interval and bound > 1):
        raise ConfigError(
            f"{where}: {criterion.sense} must be from 0{' to 1' if criterion.has_interval else ''}, got {bound:g}."
        )
    if by == "bound" and bound in (0.0, 1.0):
        raise ConfigError(f"{where}: no number of images shows a bound of {bound:g}; set another, or by: value.")
    return Limit(bound, by)


def _number(value: Any, where: str) -> float:
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not math.isfinite(value):
        raise ConfigError(f"{where} must be a finite number, got {value!r}.")
    return float(value)
