# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

"""Whether a configuration knows what is to be overridden: MONAI takes any key and any type, and says nothing."""

from __future__ import annotations

import difflib
import importlib
import inspect
from collections.abc import Mapping
from typing import Any

from monai_anomaly.utils.exceptions import ConfigError

__all__ = ["PATH_KEYS", "SWITCHES", "TRACKING_KEYS", "check_keys"]

PATH_KEYS = frozenset(
    (
        *("bundle_root", "dataset_dir", "output_dir", "ckpt_dir", "checkpoint", "calibration", "pool_dir", "weights"),
        *("audit", "allow_outside", "backbone_weights", "cache_dir"),
    )
)
"""Keys whose value is a path, or may be one."""
SWITCHES = frozenset(
    (
        *("adversarial", "amp", "bounded", "compile", "crop_region", "dicom", "feature_norm", "for_processing"),
        *("guard", "input_guard", "keep_memory", "lr_decay", "masks", "overlays", "per_position", "pool_check"),
        *("resume", "se", "se_in_critic", "segmenter", "source_names", "uncalibrated", "use_pool", "verbose", "voi"),
    )
)
"""Keys whose value is True or False in a bundle of this package, so that the command knows that no path is theirs."""
TRACKING_KEYS = frozenset(
    ("tracking_uri", "experiment_name", "run_name", "save_execute_config", "is_not_rank0", "output_dir")
)
"""Keys of a run with ``--tracking``, whatever its configuration knows."""


def check_keys(overrides: Mapping[str, Any], known: Mapping[str, Any]) -> None:
    """Refuse overrides whose key a configuration does not have, or whose value cannot be that key's.

    Args:
        overrides: values by key, such as ``train::trainer::max_epochs``.
        known: the configuration.

    Raises:
        ConfigError: naming the nearest known key.
    """
    for key, value in overrides.items():
        _check_key(key, known)
        _check_type(key, value, known)


def _check_key(key: str, known: Mapping[str, Any]) -> None:
    """Walk down a key such as ``train::trainer::max_epochs`` and complain where it leaves the configuration."""
    parts = key.replace("#", "::").split("::")
    node: Any = known
    for depth, part in enumerate(parts):
        if isinstance(node, Mapping) and part not in node:
            if "_target_" in node:
                _check_argument(key, part, node)
                return
            raise ConfigError(_unknown(key, "::".join(parts[:depth]), part, [k for k in node if isinstance(k, str)]))
        if isinstance(node, list):
            if not part.isdigit() or int(part) >= len(node):
                raise ConfigError(
                    f"the configuration has no '{key}': '{'::'.join(parts[:depth])}' is a list of {len(node)}."
                )
            node = node[int(part)]
        elif isinstance(node, Mapping):
            node = node[part]
        else:
            return  # below an expression or a value; MONAI complains itself


def _check_type(key: str, value: Any, known: Mapping[str, Any]) -> None:
    """Refuse what the command line did not read as it was meant: it knows Python's words, and ``false`` is a text."""
    before = known.get(key)
    if key in PATH_KEYS and isinstance(value, (bool, int, float, list, tuple, dict)):
        raise ConfigError(f"--{key} must be a path and was read as {value!r}: write ./ before it.")
    if isinstance(value, bool) and isinstance(before, (int, float)) and not isinstance(before, bool):
        raise ConfigError(f"--{key} must be a number, got {value}.")
    if not isinstance(value, str) or value.startswith(("$", "@", "%")):
        return
    if isinstance(before, bool) or value in ("true", "false"):
        right = f"; write --{key} {value.capitalize()}" if value in ("true", "false") else ""
        raise ConfigError(f"--{key} must be True or False, got the text '{value}'{right}.")
    if value in ("null", "None"):
        raise ConfigError(f"--{key} {value} would be a text: write --{key} '$None'.")
    if isinstance(before, (int, float)):
        raise ConfigError(f"--{key} must be a number, got the text '{value}'.")
    if before is None and key in known and key not in PATH_KEYS:  # no key but a path has a text where it could be null
        raise ConfigError(f"--{key} must be a number, a list or '$None', got the text '{value}'.")


def _check_argument(key: str, part: str, node: Mapping[str, Any]) -> None:
    """Refuse a key that the file does not set and that is no argument of the component either."""
    module, _, name = str(node["_target_"]).rpartition(".")
    try:
        component = getattr(importlib.import_module(module), name)
    except (AttributeError, ImportError, ValueError):
        return  # MONAI complains itself
    parameters = inspect.signature(component).parameters
    if part in parameters or part.startswith("_") or any(p.kind is p.VAR_KEYWORD for p in parameters.values()):
        return
    raise ConfigError(_unknown(key, name, part, list(parameters)))


def _unknown(key: str, parent: str, part: str, known: list[str]) -> str:
    near = difflib.get_close_matches(part, known, n=1, cutoff=0.5)
    prefix = f"'{parent}' has no '{part}'" if parent else f"the configuration has no key '{part}'"
    if near:
        return f"--{key}: {prefix}; the nearest known is '{near[0]}'."
    return f"--{key}: {prefix}; it has {', '.join(sorted(known))}."
