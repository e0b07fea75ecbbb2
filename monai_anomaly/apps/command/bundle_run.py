# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

"""A line of ``python -m monai.bundle``, put together, printed and run in this process."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from contextlib import nullcontext
from pathlib import Path
from typing import Any

from monai_anomaly.apps.command.overrides import command_line
from monai_anomaly.utils.bundle_folders import Bundle, find_bundle_root
from monai_anomaly.utils.config_files import read_configs
from monai_anomaly.utils.lean_import import hide_optional_packages

__all__ = ["file_words", "needs_all_of_monai", "option_words", "places", "run_line"]


def file_words(files: Sequence[Path]) -> list[str]:
    """Return the words that name the configurations."""
    names = [file.as_posix() for file in files]
    return ["--config_file", names[0] if len(names) == 1 else f"[{','.join(map(repr, names))}]"]


def option_words(options: Mapping[str, str]) -> list[str]:
    """Return the words of keys and values."""
    return [word for key, value in options.items() for word in (f"--{key}", value)]


def places(bundle: Bundle, wanted: Sequence[str], given: Mapping[str, str]) -> dict[str, str]:
    """Return what a run has to be told of where things are, beyond what its user said and what it finds itself.

    Args:
        bundle: the bundle.
        wanted: of ``output_dir``, ``ckpt_dir`` and ``checkpoint``, what the configuration has; ``output_dir`` may be
            followed by ``/`` and a folder in it.
        given: the user's keys.
    """
    if "bundle_root" in given:
        return {}
    told: dict[str, str] = {}
    if bundle.workspace is not None or not _finds_itself(bundle):
        told["bundle_root"] = bundle.folder.as_posix()
    if bundle.workspace is not None:
        home = bundle.workspace
        usual = {"ckpt_dir": home / "models", "checkpoint": home / "models" / "model.pt"}
        for key in wanted:
            name, _, below = key.partition("/")
            told[name] = str(usual.get(name, home / "output" / below))
    return {key: value for key, value in told.items() if key not in given}


def _finds_itself(bundle: Bundle) -> bool:
    """Whether the configuration's own rule leads to this folder, which may have been copied under another name."""
    rule = str(read_configs([bundle.config("train")]).get("bundle_root", ""))
    names = rule.split("'")[1::2]
    return len(names) == 1 and Path(find_bundle_root(names[0])).resolve() == bundle.folder.resolve()


def needs_all_of_monai(config: Mapping[str, Any], options: Mapping[str, str]) -> bool:
    """Return whether a run may use optional packages of MONAI: it is tracked, or imports what we do not know."""
    known = ("monai", "monai_anomaly", "torch", "os")
    imported = [str(line).removeprefix("$import ").partition(".")[0] for line in config.get("imports", [])]
    return "tracking" in options or any(name not in known for name in imported)


def run_line(words: Sequence[str], *, lean: bool = False) -> int:
    """Print a line of ``python -m monai.bundle``, run it here as MONAI's own program does, and return the exit code.

    Args:
        words: what follows ``python -m monai.bundle``.
        lean: leave out the optional packages of MONAI, whose import takes longer than scoring an image.
    """
    print(command_line(["python", "-m", "monai.bundle", *words]), flush=True)
    import runpy

    with hide_optional_packages() if lean else nullcontext():
        import monai.bundle  # noqa: F401

    from monai_anomaly.bundle.error_sentence import end_with_a_sentence
    from monai_anomaly.bundle.verbosity import silence_trust_warning

    before = sys.argv, sys.excepthook
    sys.argv = ["monai.bundle", *words]
    try:
        end_with_a_sentence()
        silence_trust_warning()  # the line above names the configurations
        runpy.run_module("monai.bundle", run_name="__main__", alter_sys=True)
    except Exception:
        sys.excepthook(*sys.exc_info())  # type: ignore[arg-type]
        return 1
    finally:
        sys.argv, sys.excepthook = before
    return 0
