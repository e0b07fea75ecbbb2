# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

"""Command lines of ``python -m monai.bundle`` that say what is wrong with them."""

from __future__ import annotations

import difflib
import inspect
import sys
from collections.abc import Iterator, Mapping, Sequence
from itertools import pairwise
from traceback import walk_tb
from types import FrameType, TracebackType
from typing import Any

from monai.bundle import ConfigParser, ConfigWorkflow

from monai_anomaly.utils.exceptions import ConfigError

__all__ = ["check_keys", "check_overrides"]

_TRACKING_KEYS = {"tracking_uri", "experiment_name", "run_name", "save_execute_config", "is_not_rank0", "output_dir"}


def check_overrides() -> None:
    """Refuse overrides that the configuration does not know; a bundle calls this first in its ``initialize`` list.

    MONAI accepts an unknown key silently (``--max_epoch 3`` then does nothing) and offers no hook to check, so the
    overrides are found on the call stack, in the frame of ``monai.bundle`` that made this workflow. Workflows made in
    other ways (``ConfigWorkflow(...)`` in Python) are not checked.

    It also makes a run on the command line end with one sentence, not a traceback, where the error is the user's.

    Raises:
        ConfigError: naming the nearest known key.
    """
    call = _bundle_call()
    if call is None:
        return
    _end_with_a_sentence()
    _check_words(sys.argv)
    known = ConfigParser.load_config_files(call["config_file"])
    reserved = set(inspect.signature(ConfigWorkflow.__init__).parameters)
    if call["_args"].get("tracking") is not None:
        reserved |= _TRACKING_KEYS
    check_keys({key: value for key, value in call["_args"].items() if key not in reserved}, known)


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


def _check_words(words: Sequence[str]) -> None:
    """MONAI drops an override whose value is None, so it would change nothing."""
    for key, value in pairwise(words):
        if key.startswith("--") and value in ("None", "null"):
            raise ConfigError(f"{key} {value} would be ignored: write {key} '$None'.")


def _bundle_call() -> Mapping[str, Any] | None:
    """Return the local variables of monai.bundle's call that made the workflow that runs now."""
    frame: FrameType | None = inspect.currentframe()
    while frame is not None:
        if frame.f_code.co_name == "create_workflow" and frame.f_globals.get("__name__") == "monai.bundle.scripts":
            values = dict(frame.f_locals)
            return values if {"config_file", "_args"} <= values.keys() and values["config_file"] else None
        frame = frame.f_back
    return None


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
    """Refuse texts for switches and numbers: the command line reads Python's words, and ``false`` is a true text."""
    before = known.get(key)
    if isinstance(value, str) and not value.startswith(("$", "@", "%")):
        if isinstance(before, bool):
            raise ConfigError(f"--{key} must be True or False, got the text '{value}'.")
        if isinstance(before, (int, float)):
            raise ConfigError(f"--{key} must be a number, got the text '{value}'.")


def _check_argument(key: str, part: str, node: Mapping[str, Any]) -> None:
    """Refuse a key that the file does not set and that is no argument of the component either."""
    from monai.utils import optional_import

    module, _, name = str(node["_target_"]).rpartition(".")
    component, found = optional_import(module, name=name) if module else (None, False)
    if not found:
        return
    parameters = inspect.signature(component).parameters  # type: ignore[arg-type]
    if part in parameters or part.startswith("_") or any(p.kind is p.VAR_KEYWORD for p in parameters.values()):
        return
    raise ConfigError(_unknown(key, name, part, list(parameters)))


def _unknown(key: str, parent: str, part: str, known: list[str]) -> str:
    near = difflib.get_close_matches(part, known, n=1, cutoff=0.5)
    prefix = f"'{parent}' has no '{part}'" if parent else f"the configuration has no key '{part}'"
    if near:
        return f"--{key}: {prefix}; the nearest known is '{near[0]}'."
    return f"--{key}: {prefix}; it has {', '.join(sorted(known))}."


def _end_with_a_sentence() -> None:
    """Replace the traceback of an error of ours by its sentence, and name the root of any other."""
    previous = sys.excepthook
    if getattr(previous, "of_monai_anomaly", False):
        return

    def hook(kind: type[BaseException], error: BaseException, traceback: TracebackType | None) -> None:
        chain = list(_causes(error))
        ours = next((e for e in reversed(chain) if _is_ours(e)), None)
        if ours is not None:
            print(f"error: {ours}", file=sys.stderr)
            return
        previous(kind, error, traceback)
        root = chain[-1]
        if root is not error:
            print(f"the cause: {type(root).__name__}: {root}", file=sys.stderr)

    hook.of_monai_anomaly = True  # type: ignore[attr-defined]
    sys.excepthook = hook


def _is_ours(error: BaseException) -> bool:
    """Whether this package found the fault: by the error's class, or by where a plain error was raised."""
    if type(error).__module__.startswith("monai_anomaly."):
        return True
    frames = [frame for frame, _ in walk_tb(error.__traceback__)]
    return (
        isinstance(error, (ValueError, RuntimeError, OSError))
        and bool(frames)
        and str(frames[-1].f_globals.get("__name__", "")).startswith("monai_anomaly.")
    )


def _causes(error: BaseException | None) -> Iterator[BaseException]:
    while error is not None:
        yield error
        error = error.__cause__ or (None if error.__suppress_context__ else error.__context__)
