# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

"""``predict``: a bundle's inference of a file or a folder."""

from __future__ import annotations

import argparse
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from monai_anomaly.apps.command.bundle_run import file_words, needs_all_of_monai, option_words, places, run_line
from monai_anomaly.apps.command.bundle_verbs import add_keys
from monai_anomaly.apps.command.completion import suggest
from monai_anomaly.apps.command.failing import usage_error
from monai_anomaly.apps.command.inputs import (
    bundle_of,
    calibration_of,
    check_checkpoint,
    check_inputs,
    checkpoint_of,
    path_of,
)
from monai_anomaly.apps.command.overrides import check_overrides, split_words
from monai_anomaly.apps.command.verbs.predict_archive import add_archive_options, predict_archive
from monai_anomaly.utils.bundle_folders import Bundle, find_bundle, known_bundles
from monai_anomaly.utils.config_files import read_configs
from monai_anomaly.utils.exceptions import CalibrationError, ConfigError

__all__ = ["HELP", "add_predict", "run_predict"]

HELP = "score new images, with a map and, where there is a calibration, a decision for each"
USAGE = "monai-anomaly predict IN [OUT] (--checkpoint MODEL.pt | --bundle BUNDLE) [--KEY VALUE ...]"


def add_predict(verbs: Any, words: Sequence[str] = ()) -> argparse.ArgumentParser:
    """Add the verb to the parser, with the keys of the bundle that the words name."""
    parser: argparse.ArgumentParser = verbs.add_parser(
        "predict", help=HELP, description=f"{HELP.capitalize()}.", usage=USAGE, allow_abbrev=False
    )
    parser.add_argument("input", metavar="IN", help="an image, or a folder of images")
    parser.add_argument("output", nargs="?", metavar="OUT", help="folder of the results (default: the bundle's)")
    known = known_bundles()
    suggest(parser.add_argument("--bundle", metavar="BUNDLE", help=f"one of {', '.join(known)}, or its folder"), known)
    _, given = split_words([word for word in words if word not in ("-h", "--help")])
    if "bundle" in given:
        bundle = find_bundle(given["bundle"])
        add_keys(parser, bundle, [bundle.config("inference")])
    else:
        parser.add_argument("--checkpoint", metavar="MODEL.pt", help="the trained detector (default: the bundle's own)")
        parser.epilog = "'monai-anomaly predict --bundle BUNDLE --help' shows the bundle's keys."
    add_archive_options(parser)
    return parser


def run_predict(words: Sequence[str]) -> int:
    """Check the words after the verb, print what they stand for, and run it."""
    named, overrides = split_words(words)
    word = overrides.pop("bundle", None)
    if not 1 <= len(named) <= 2:
        return usage_error(f"predict takes an image or a folder and one for the results, got {len(named)} words.")
    if word is None and "checkpoint" not in overrides:
        return usage_error("predict needs a trained detector: name one with --checkpoint MODEL.pt or --bundle BUNDLE.")
    if "engine" in overrides:
        if overrides.pop("engine") != "ray":
            return usage_error("--engine must be ray; leave it out to score in this process.")
        return predict_archive(
            named, bundle_of(overrides["checkpoint"]) if word is None else find_bundle(word), overrides
        )
    for key, value in zip(("dataset_dir", "output_dir"), named, strict=False):
        if key in overrides:
            return usage_error(f"'{value}' and --{key} are the same; give one of them.")
    if not Path(named[0]).expanduser().exists():
        raise ConfigError(f"there is no image or folder '{named[0]}'.")
    bundle = bundle_of(overrides["checkpoint"]) if word is None else find_bundle(word)
    files = [bundle.config("inference")]
    _, paths = split_words(option_words(dict(zip(("dataset_dir", "output_dir"), named, strict=False))))
    overrides = {**paths, **overrides}
    config = read_configs(files)
    check_overrides(overrides, config)
    options = {**places(bundle, ("checkpoint", "output_dir/inference"), overrides), **overrides}
    check_inputs(options)
    check_checkpoint(bundle, options)
    if "audit" in options and not options.get("operator", "").strip():
        return usage_error("an audit log says who ran the program: give --operator NAME beside --audit FILE.")
    _check_calibration(bundle, options)
    words = ["run", *file_words(files), *option_words(options)]
    return run_line(words, lean=not needs_all_of_monai(config, overrides))


def _check_calibration(bundle: Bundle, options: Mapping[str, str]) -> None:
    """Refuse to go on without a calibration, unless decisions are not wanted; what only the run knows, it checks."""
    checkpoint = checkpoint_of(bundle, options)
    value = options.get("calibration", calibration_of(checkpoint))
    if any(text.startswith(("$", "@", "%")) for text in (checkpoint, value, options.get("uncalibrated", ""))):
        return
    if options.get("uncalibrated") != "True" and not path_of(value).is_file():
        raise CalibrationError(
            f"there is no calibration '{value}', so that scores cannot become decisions: make one with 'monai-anomaly "
            f"calibrate {bundle.name}', or write scores alone with --uncalibrated True."
        )
