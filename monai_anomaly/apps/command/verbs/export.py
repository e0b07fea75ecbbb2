# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

"""``export``: a trained detector as one file that stands alone."""

from __future__ import annotations

import argparse
from collections.abc import Mapping, Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from monai_anomaly.apps.command.bundle_run import places
from monai_anomaly.apps.command.completion import suggest
from monai_anomaly.apps.command.failing import usage_error
from monai_anomaly.apps.command.inputs import bundle_of, check_checkpoint, checkpoint_of, path_of
from monai_anomaly.apps.command.overrides import split_words
from monai_anomaly.utils.bundle_folders import Bundle, find_bundle, known_bundles
from monai_anomaly.utils.exceptions import CalibrationError, ConfigError
from monai_anomaly.utils.folder_lock import FolderLock

__all__ = ["add_export", "run_export"]

HELP = "write a trained detector as one file that stands alone: program (pt2), TorchScript (ts) or ONNX"
USAGE = "monai-anomaly export MODEL.pt|BUNDLE [OUT] --format pt2|ts|onnx [--calibration FILE.json]"
FORMATS = ("pt2", "ts", "onnx")
KEYS = ("format", "checkpoint", "calibration", "uncalibrated")


def add_export(verbs: Any) -> argparse.ArgumentParser:
    """Add the verb to the parser."""
    parser: argparse.ArgumentParser = verbs.add_parser(
        "export", help=HELP, description=f"{HELP}.", usage=USAGE, allow_abbrev=False
    )
    known = known_bundles()
    text = f"a checkpoint, or the bundle that trained one: {', '.join(known)}, or its folder"
    suggest(parser.add_argument("trained", metavar="MODEL.pt|BUNDLE", help=text), known)
    parser.add_argument("out", nargs="?", metavar="OUT", help="the new file (default: beside the checkpoint)")
    parser.add_argument("--format", choices=FORMATS, help="what to write (default: OUT's ending); ONNX needs an extra")
    parser.add_argument("--checkpoint", metavar="MODEL.pt", help="the bundle's checkpoint (default: its own)")
    parser.add_argument("--calibration", metavar="FILE.json", help="what to put in (default: the one beside)")
    parser.add_argument("--uncalibrated", metavar="True", help="put no calibration in")
    return parser


def run_export(words: Sequence[str]) -> int:
    """Check the words after the verb, and write the file."""
    named, options = split_words(words)
    if not 1 <= len(named) <= 2:
        return usage_error(
            f"export needs a checkpoint or a bundle ({', '.join(known_bundles())}, or its folder), and takes a new "
            f"file; got {len(named)} words."
        )
    unknown = next((key for key in options if key not in KEYS), None)
    if unknown is not None:
        return usage_error(f"export knows no --{unknown}; it takes {', '.join(f'--{key}' for key in KEYS)}.")
    given = path_of(named[1]) if len(named) == 2 else None
    ending = "" if given is None else given.suffix.removeprefix(".")
    kind = options.get("format", ending)
    if kind not in FORMATS:
        return usage_error(f"export needs --format {', --format '.join(FORMATS[:-1])} or --format {FORMATS[-1]}.")
    if given is not None and ending != kind:
        return usage_error(f"'{named[1]}' must end with .{kind}, by which it is opened.")
    bundle, checkpoint = _source(named[0], options)
    if kind == "onnx" and find_spec("onnx") is None:
        raise ConfigError("--format onnx needs packages that are not installed: pip install 'monai_anomaly[onnx]'.")
    calibration = _calibration(checkpoint, options)
    path = given or checkpoint.with_suffix(f".{kind}")
    if not path.parent.is_dir():
        raise ConfigError(f"there is no folder '{path.parent}' for the new file.")
    if kind == "ts" and bundle is None:
        bundle = bundle_of(str(checkpoint))
    from monai_anomaly.bundle.deliverable.exporting import export_detector

    with FolderLock({"OUT": path.parent}):
        export_detector(checkpoint, path, kind, calibration=calibration, bundle=bundle)
    with_it = "with its calibration" if calibration else "without a calibration: its decisions are 'uncalibrated'"
    print(f"the detector is in {path}, {with_it}")
    return 0


def _source(word: str, options: Mapping[str, str]) -> tuple[Bundle | None, Path]:
    """Return the bundle, where one is named, and the checkpoint."""
    path = path_of(word)
    if path.is_file() or path.suffix in (".pt", ".pth"):
        if "checkpoint" in options:
            raise ConfigError(f"'{word}' and --checkpoint are the same; give one of them.")
        if not path.is_file():
            raise ConfigError(f"there is no checkpoint '{word}'.")
        return None, path
    bundle = find_bundle(word)
    told = {**places(bundle, ("checkpoint",), options), **options}
    check_checkpoint(bundle, told)
    return bundle, path_of(checkpoint_of(bundle, told))


def _calibration(checkpoint: Path, options: Mapping[str, str]) -> Path | None:
    """Return the calibration's file; None where there is none beside the checkpoint, or none is wanted."""
    if options.get("uncalibrated", "False") == "True":
        return None
    if "calibration" not in options:
        beside = checkpoint.with_name("calibration.json")
        return beside if beside.is_file() else None
    path = path_of(options["calibration"])
    if not path.is_file():
        raise CalibrationError(f"there is no calibration '{options['calibration']}'.")
    return path
