# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

"""``consensus``: several trained detectors become one, in a bundle of its own."""

from __future__ import annotations

import argparse
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from monai_anomaly.apps.command.bundle_verbs import BUNDLE_VERBS, add_keys
from monai_anomaly.apps.command.completion import suggest
from monai_anomaly.apps.command.failing import usage_error
from monai_anomaly.apps.command.inputs import check_inputs, path_of
from monai_anomaly.apps.command.overrides import check_overrides, split_words
from monai_anomaly.apps.command.verbs.bundles import copy_parts
from monai_anomaly.utils.atomic import atomic_write
from monai_anomaly.utils.bundle_folders import find_bundle, is_bundle
from monai_anomaly.utils.config_files import read_configs
from monai_anomaly.utils.exceptions import CheckpointError, ConfigError

__all__ = ["add_consensus", "run_consensus"]

BUNDLE = "consensus"
HELP = "join trained detectors into one, in a new bundle"
USAGE = "monai-anomaly consensus MODEL.pt MODEL.pt [MODEL.pt ...] OUT --dataset_dir DIR [--rule RULE] [--KEY VALUE ...]"
RULES = ("maximum", "fisher", "stouffer", "logistic")
KEPT = ("members", "rule")
"""Keys that the new bundle keeps, so that ``train OUT`` makes the same again."""


def add_consensus(verbs: Any, with_keys: bool = False) -> argparse.ArgumentParser:
    """Add the verb to the parser, with the bundle's keys where they are asked for."""
    parser: argparse.ArgumentParser = verbs.add_parser(
        BUNDLE, help=HELP, description=f"{HELP.capitalize()}.", usage=USAGE, allow_abbrev=False
    )
    parser.add_argument("models", nargs="+", metavar="MODEL.pt", help="the trained detectors, 2 or more")
    parser.add_argument("output", metavar="OUT", help="folder of the new bundle, which must not exist")
    rule = f"how their scores are joined: {', '.join(RULES)}; the last needs a pool of unlabeled images"
    suggest(parser.add_argument("--rule", metavar="RULE", help=f"{rule} (default: maximum)"), RULES)
    if with_keys:
        bundle = find_bundle(BUNDLE)
        add_keys(parser, bundle, [bundle.config("train")], but=KEPT)
    return parser


def run_consensus(words: Sequence[str]) -> int:
    """Check the words after the verb, make the bundle, print what the rest stands for, and run it."""
    named, overrides = split_words(words)
    if len(named) < 3:
        return usage_error(f"consensus needs 2 trained detectors or more and a folder, got {len(named)} words.")
    *models, output = named
    if "members" in overrides:
        return usage_error(f"'{models[0]}' and --members are the same; give one of them.")
    rule = overrides.pop("rule", RULES[0])
    if rule not in RULES:
        raise ConfigError(f"--rule must be one of {', '.join(RULES)}, got '{rule}'.")
    missing = next((model for model in models if not path_of(model).is_file()), None)
    if missing is not None:
        raise CheckpointError(f"there is no trained detector '{missing}'; name the model.pt of each member.")
    if "dataset_dir" not in overrides:
        return usage_error(
            "consensus needs --dataset_dir: normals that the members were not trained on give the scale."
        )
    check_overrides(overrides, read_configs([find_bundle(BUNDLE).config("train")]))
    check_inputs(overrides)
    folder = Path(output).expanduser()
    _make_bundle(folder, output, {"members": [path_of(model).resolve().as_posix() for model in models], "rule": rule})
    own = folder.as_posix() if len(folder.parts) > 1 else f"./{folder.as_posix()}"
    return BUNDLE_VERBS["train"].run([own, *(word for key, value in overrides.items() for word in (f"--{key}", value))])


def _make_bundle(folder: Path, output: str, kept: Mapping[str, Any]) -> None:
    """Copy the bundle out, with its members; one that is there is of an earlier try, and gets these members."""
    config = folder / "configs" / "train.json"
    if not (is_bundle(folder) and read_configs([config]).get("spec", {}).get("detector") == "Consensus"):
        if folder.exists():
            raise ConfigError(f"'{output}' exists already and is no consensus; name a folder that does not.")
        copy_parts(find_bundle(BUNDLE), folder)
    text = config.read_text(encoding="utf-8")
    for key, value in kept.items():
        before = json.dumps(read_configs([config])[key], ensure_ascii=False)
        text = text.replace(f'"{key}": {before}', f'"{key}": {json.dumps(value, ensure_ascii=False)}', 1)
    atomic_write(config, text)
