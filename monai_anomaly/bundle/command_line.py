# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

"""Command lines of ``python -m monai.bundle`` that say what is wrong with them.

Nothing in a bundle can name the workflow class that runs it: ``run`` of ``monai/bundle/scripts.py`` (1.6.1) takes
``ConfigWorkflow`` unless the caller gives ``workflow_name``, and what an expression of a configuration can reach holds
no overrides. The one place that does is the command line itself, so it is read a second time.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from functools import wraps
from inspect import signature
from pathlib import Path
from typing import Any

import fire
import monai.bundle
from fire.parser import SeparateFlagArgs
from monai.bundle.scripts import update_kwargs

from monai_anomaly.bundle.error_sentence import end_with_a_sentence
from monai_anomaly.bundle.override_keys import check_workflow_arguments
from monai_anomaly.utils.exceptions import ConfigError
from monai_anomaly.utils.stop_signals import watch_signals

__all__ = ["check_overrides", "is_command_line", "is_default", "read_command_line"]

_PROGRAM = Path(monai.bundle.__file__).with_name("__main__.py")
_COMMANDS: tuple[Callable[..., None], ...] = (monai.bundle.run, monai.bundle.run_workflow)


def check_overrides() -> None:
    """Refuse overrides that the configuration does not know; a bundle calls this first in its ``initialize`` list.

    MONAI accepts an unknown key silently (``--max_epoch 3`` then does nothing). In a program other than
    ``python -m monai.bundle`` nothing happens: that names
    :class:`~monai_anomaly.bundle.checked_workflow.CheckedWorkflow` where it makes the workflow.

    It also makes the command line end with one sentence, not a traceback, where the error is the user's or a signal
    ends it, refuses a run id that runs nothing, and answers ``--help``, which is a key to MONAI, too.

    Raises:
        ConfigError: naming the nearest known key, or the ids that run something.
        SystemExit: after the answer to ``--help``.
    """
    if not is_command_line():
        return
    end_with_a_sentence()
    watch_signals()
    arguments = _read_command_line(sys.argv[1:])
    if arguments.get("help") is True:
        _point_to_help(arguments.get("config_file"))
    _refuse_none(arguments)
    arguments = _with_file(arguments)
    arguments.pop("workflow_name", None)
    check_workflow_arguments(arguments)


def _point_to_help(config_file: Any) -> None:
    """Say where the keys are explained, and end."""
    first = Path(config_file[0] if isinstance(config_file, (list, tuple)) else str(config_file))
    bundle = first.parent.parent.as_posix()
    verb = first.stem if first.stem in ("evaluate", "calibrate") else "train"
    words = f"predict --bundle {bundle}" if first.stem == "inference" else f"{verb} {bundle}"
    print(f"the keys of this configuration: monai-anomaly {words} --help")
    raise SystemExit(0)


def is_command_line() -> bool:
    """Return whether this program is ``python -m monai.bundle``, whatever started it."""
    return bool(sys.argv) and Path(sys.argv[0]) == _PROGRAM


def is_default(key: str) -> bool:
    """Return whether this program is ``python -m monai.bundle`` and its command line leaves a key as it is."""
    return is_command_line() and key not in read_command_line()


def read_command_line() -> dict[str, Any]:
    """Return the configuration's file and the overrides of ``python -m monai.bundle``; nothing in another program."""
    return _with_file(_read_command_line(sys.argv[1:])) if is_command_line() else {}


def _with_file(arguments: dict[str, Any]) -> dict[str, Any]:
    """Return the arguments with those of the file that they name."""
    content: dict[str, Any] = update_kwargs(args=arguments.pop("args_file", None), **arguments)
    return content


def _read_command_line(words: list[str]) -> dict[str, Any]:
    """Return the arguments that Fire gives to MONAI's command for these words, by name."""
    arguments: dict[str, Any] = {}

    def recorder(command: Callable[..., None]) -> Callable[..., None]:
        @wraps(command)  # Fire reads the signature
        def record(*positional: Any, **named: Any) -> None:
            arguments.update(zip(signature(command).parameters, positional, strict=False))
            arguments.update(named)

        return record

    commands = {command.__name__: recorder(command) for command in _COMMANDS}
    fire.Fire(commands, command=SeparateFlagArgs(words)[0])  # without Fire's own flags, such as -- --trace
    return arguments


def _refuse_none(arguments: Mapping[str, Any]) -> None:
    """MONAI drops an override whose value is None, so it would change nothing."""
    parameters = {name for command in _COMMANDS for name in signature(command).parameters}
    for key, value in arguments.items():
        if key not in parameters and value in (None, "null"):
            raise ConfigError(f"--{key} {value} would be ignored: write --{key} '$None'.")
