# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

"""What a benchmark compares: a bundle with overlays and overrides, checked before any time is spent."""

from __future__ import annotations

import hashlib
import json
import shlex
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from fire.parser import DefaultParseValue
from monai.bundle import ConfigParser

from monai_anomaly.handlers.training.time_budget import ENDLESS
from monai_anomaly.utils.bundle_folders import bundles_dir, known_bundles
from monai_anomaly.utils.exceptions import ConfigError
from monai_anomaly.utils.override_keys import check_keys

__all__ = ["Variant", "read_variant"]

_ROLES = ("train", "evaluate", "inference", "calibrate", "metadata")
"""Configurations that are no overlay of train.json."""

_SET_BY_BENCHMARK = frozenset(
    "bundle_root dataset_dir output_dir ckpt_dir checkpoint section source_names seed split_seed split_shares "
    "abnormal_folders max_minutes resume".split()
)
"""What is the same for all variants, or belongs to a cell."""


@dataclass(frozen=True)
class Variant:
    """A bundle with overlays and overrides.

    Args:
        name: as the tables call it: the bundle, its overlays and overrides.
        bundle: the bundle's folder.
        overlays: names of configurations that go over ``train.json``.
        overrides: keys and values, as typed.
    """

    name: str
    bundle: Path
    overlays: tuple[str, ...]
    overrides: tuple[tuple[str, str], ...]

    def file(self, name: str) -> Path:
        """Return a configuration of the bundle."""
        return self.bundle / "configs" / f"{name}.json"

    def config(self, name: str) -> dict[str, Any]:
        """Return the configuration ``train``, with the overlays, or ``evaluate``, without the overrides."""
        names = ("train", *self.overlays) if name == "train" else (name,)
        return ConfigParser.load_config_files([str(self.file(part)) for part in names])

    def fingerprint(self) -> str:
        """Stand for the content of the configurations and the overrides."""
        content = [self.config("train"), self.config("evaluate"), self.overrides]
        return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()[:16]

    def options(self, name: str, settings: Mapping[str, Any]) -> list[str]:
        """Return the command line's words for a configuration: what is set here and the overrides that it knows.

        Args:
            name: ``train`` or ``evaluate``.
            settings: what the benchmark sets, by key.
        """
        config = self.config(name)
        files = [str(self.file(part)) for part in (("train", *self.overlays) if name == "train" else (name,))]
        words = ["--config_file", files[0] if len(files) == 1 else repr(files)]
        values = {key: str(value) for key, value in settings.items()} | dict(self.overrides)
        for key, value in values.items():
            if _first(key) in config:
                words += [f"--{key}", value]
        return words

    def schedule(self) -> dict[str, int]:
        """Return the lengths of the training's stages that the benchmark sets, by key.

        A stage of a single epoch is a pass that is solved: others would find the same again.
        """
        config = self.config("train")
        keys = {"max_epochs", *_references(config, "max_epochs")}  # those of all trainers
        return {key: ENDLESS for key in config if key in keys and config[key] != 1}


def read_variant(text: str) -> Variant:
    """Read ``BUNDLE [OVERLAY...] [KEY=VALUE...]``, and check every word of it.

    ``BUNDLE`` is a bundle's folder, or the name of one in ``bundles`` or that came with the package; an ``OVERLAY`` is
    the name of a configuration of the bundle that goes over ``train.json``; ``KEY=VALUE`` is what ``--KEY VALUE`` is to
    ``python -m monai.bundle run``. A key goes to each of training and evaluation that has it.

    Raises:
        ConfigError: for a bundle, an overlay or a key that does not exist, or one that the benchmark itself sets.
    """
    try:
        first, *rest = shlex.split(text)
    except ValueError:
        raise ConfigError(
            f"--bundles: '{text}' must be a bundle, then overlays and KEY=VALUE with spaces between."
        ) from None
    bundle = _find_bundle(first)
    overlays = tuple(word for word in rest if "=" not in word)
    overrides = tuple((word.partition("=")[0], word.partition("=")[2]) for word in rest if "=" in word)
    variant = Variant(" ".join([bundle.resolve().name, *rest]), bundle, overlays, overrides)
    _check_overlays(variant)
    _check_overrides(variant)
    return variant


def _find_bundle(word: str) -> Path:
    for folder in (Path(word), Path("bundles") / word, bundles_dir() / word):
        if all((folder / "configs" / f"{name}.json").is_file() for name in ("train", "evaluate")):
            return folder
    raise ConfigError(
        f"--bundles: '{word}' is no bundle, it has no configs/train.json and configs/evaluate.json; there are "
        f"{', '.join(known_bundles())}, or give its folder."
    )


def _check_overlays(variant: Variant) -> None:
    known = sorted({path.stem for path in variant.file("train").parent.glob("*.json")} - set(_ROLES))
    for word in variant.overlays:
        if word not in known:
            there = f"it has {', '.join(known)}" if known else "it has none"
            who = variant.bundle.resolve().name
            raise ConfigError(f"--bundles: '{who}' has no overlay '{word}'; {there}, and an override is KEY=VALUE.")


def _check_overrides(variant: Variant) -> None:
    configs = {name: variant.config(name) for name in ("train", "evaluate")}
    for key in ("dataset_dir", "output_dir", "ckpt_dir", "seed", "max_minutes"):
        if key not in configs["train"]:
            raise ConfigError(f"--bundles: train.json of '{variant.name}' has no key '{key}', which a benchmark sets.")
    for key, value in variant.overrides:
        if _first(key) in _SET_BY_BENCHMARK:
            raise ConfigError(f"--bundles: '{key}' is what the benchmark sets; leave it out of '{variant.name}'.")
        if value in ("None", "null"):
            raise ConfigError(f"--bundles: {key}={value} would be ignored; write {key}='$None'.")
        known = [config for config in configs.values() if _first(key) in config] or [configs["train"]]
        for config in known:
            _check_key(variant, key, value, config)


def _check_key(variant: Variant, key: str, value: str, config: Mapping[str, Any]) -> None:
    try:
        check_keys({key: DefaultParseValue(value)}, config)
    except ConfigError as error:
        raise ConfigError(f"--bundles: '{variant.name}': {error}") from None


def _references(config: Any, argument: str) -> Iterator[str]:
    """Yield the keys that an argument of the configuration's components is taken from."""
    if isinstance(config, Mapping):
        value = config.get(argument)
        if isinstance(value, str) and value.startswith("@"):
            yield value[1:]
    nested = config.values() if isinstance(config, Mapping) else config if isinstance(config, list) else ()
    for part in nested:
        yield from _references(part, argument)


def _first(key: str) -> str:
    return key.replace("#", "::").split("::")[0]
