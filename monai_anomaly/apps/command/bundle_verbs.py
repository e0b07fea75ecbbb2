# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

"""``train``, ``evaluate`` and ``calibrate``: runs of a bundle."""

from __future__ import annotations

import argparse
import difflib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from monai_anomaly.apps.command.bundle_keys import bundle_keys
from monai_anomaly.apps.command.bundle_run import file_words, needs_all_of_monai, option_words, places, run_line
from monai_anomaly.apps.command.completion import suggest
from monai_anomaly.apps.command.failing import usage_error
from monai_anomaly.apps.command.inputs import check_checkpoint, check_inputs
from monai_anomaly.apps.command.overrides import check_overrides, split_words
from monai_anomaly.utils.bundle_folders import Bundle, find_bundle, known_bundles
from monai_anomaly.utils.config_files import read_configs
from monai_anomaly.utils.exceptions import ConfigError
from monai_anomaly.utils.override_keys import SWITCHES

__all__ = [
    "BUNDLE_VERBS",
    "BundleVerb",
    "add_bundle",
    "add_keys",
    "wants_help",
]


@dataclass(frozen=True)
class BundleVerb:
    """What stands for a line of ``python -m monai.bundle run``.

    Args:
        name: of the verb.
        config: the configuration.
        run_id: as the pages write it; empty for the configuration's own.
        help: one phrase.
        places: what a bundle that came with the package is told of where to read and write.
        takes_overlays: whether further configurations may go over the first.
    """

    name: str
    config: str
    run_id: str
    help: str
    places: tuple[str, ...]
    takes_overlays: bool = False

    @property
    def usage(self) -> str:
        """How it is called."""
        return f"monai-anomaly {self.name} BUNDLE{' [OVERLAY ...]' if self.takes_overlays else ''} [--KEY VALUE ...]"

    def add(self, verbs: Any, words: Sequence[str] = ()) -> argparse.ArgumentParser:
        """Add the verb to the parser, with the keys of the bundle that the words name."""
        text = self.help.capitalize()
        parser: argparse.ArgumentParser = verbs.add_parser(
            self.name, help=self.help, description=f"{text}.", usage=self.usage, allow_abbrev=False
        )
        add_bundle(parser)
        named, _ = split_words([word for word in words if word not in ("-h", "--help")])
        bundle = find_bundle(named[0]) if named else None
        if self.takes_overlays:
            overlay = "a configuration of the bundle that goes over train.json, or a file"
            overlays = parser.add_argument("overlays", nargs="*", metavar="OVERLAY", help=overlay)
            suggest(overlays, bundle.overlays() if bundle else [])
        if bundle:
            add_keys(parser, bundle, self.files(bundle, named[1:]))
        else:
            parser.epilog = f"'monai-anomaly {self.name} BUNDLE --help' shows the bundle's keys."
        return parser

    def files(self, bundle: Bundle, overlays: Sequence[str]) -> list[Path]:
        """Return the configurations of a run.

        Raises:
            ConfigError: for an overlay that the bundle does not have.
        """
        if overlays and not self.takes_overlays:
            raise ConfigError(f"{self.name} takes one bundle, got '{overlays[0]}' too; keys begin with --.")
        return [bundle.config(self.config), *(_overlay(bundle, word) for word in overlays)]

    def run(self, words: Sequence[str]) -> int:
        """Check the words after the verb, print what they stand for, and run it."""
        named, overrides = split_words(words)
        if not named:
            return usage_error(f"{self.name} needs a bundle: {', '.join(known_bundles())}, or a bundle's folder.")
        bundle = find_bundle(named[0])
        files = self.files(bundle, named[1:])
        config = read_configs(files)
        check_overrides(overrides, config)
        options = {**places(bundle, self.places, overrides), **overrides}
        check_inputs(options)
        scores = self.name != "train"
        if scores:
            check_checkpoint(bundle, options)
        run_id = [self.run_id] if self.run_id else []
        words = ["run", *run_id, *file_words(files), *option_words(options)]
        return run_line(words, lean=scores and not needs_all_of_monai(config, overrides))


def _overlay(bundle: Bundle, word: str) -> Path:
    if Path(word).suffix.lower() in (".json", ".yaml", ".yml"):
        return Path(word).expanduser()
    known = bundle.overlays()
    if word in known:
        return bundle.config(word)
    near = difflib.get_close_matches(word, known, n=1, cutoff=0.5)
    hint = f"the nearest is '{near[0]}'" if near else f"it has {', '.join(known)}"
    raise ConfigError(f"the bundle '{bundle.name}' has no overlay '{word}'; {hint}, and keys begin with --.")


def add_bundle(parser: argparse.ArgumentParser) -> None:
    """Add the argument that names a bundle."""
    known = known_bundles()
    suggest(parser.add_argument("bundle", metavar="BUNDLE", help=f"one of {', '.join(known)}, or its folder"), known)


def add_keys(parser: argparse.ArgumentParser, bundle: Bundle, files: Sequence[Path], but: Sequence[str] = ()) -> None:
    """Add the keys of a bundle's configurations, for help and completion, but for some."""
    group = parser.add_argument_group("keys", "the bundle's settings; one below another is written --train::KEY")
    names = tuple(file.stem for file in files)
    for key in bundle_keys(bundle, read_configs(files), names):
        if key.name in but:
            continue
        text = f"{key.meaning} (default: {key.default})" if key.meaning else f"default: {key.default}"
        form: dict[str, Any] = {"metavar": "VALUE"}
        if key.name in SWITCHES:
            form = {"metavar": "True|False", "nargs": "?"}
        group.add_argument(f"--{key.name}", help=text.replace("%", "%%"), **form)


def wants_help(words: Sequence[str]) -> bool:
    """Return whether the words ask for help."""
    return "-h" in words or "--help" in words


BUNDLE_VERBS = {
    verb.name: verb
    for verb in (
        BundleVerb(
            "train",
            "train",
            "training",
            "train a bundle on normal images (without --dataset_dir on generated ones)",
            ("output_dir", "ckpt_dir"),
            takes_overlays=True,
        ),
        BundleVerb(
            "evaluate",
            "evaluate",
            "",
            "measure a trained bundle on test images, and write its report",
            ("checkpoint", "output_dir"),
        ),
        BundleVerb(
            "calibrate",
            "calibrate",
            "calibrate",
            "turn scores into decisions, by normal images that were held out",
            ("checkpoint",),
        ),
    )
}
