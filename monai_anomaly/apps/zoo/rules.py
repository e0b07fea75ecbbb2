# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

"""What MONAI's model zoo asks of a bundle's files, without running anything of it and without MONAI."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from monai_anomaly.apps.bundle_check.finding import Finding, shown
from monai_anomaly.utils.exceptions import ConfigError

__all__ = ["LARGE", "METADATA", "SCHEMA", "read_metadata", "zoo_findings"]

METADATA = "configs/metadata.json"
SCHEMA = Path(__file__).with_name("metadata_schema.json")
"""The rules of MONAI's metadata, for ``verify_metadata`` without a network."""

LARGE = 25 * 10**6
"""Bytes of the largest file that a pull request may hold."""

_NECESSARY = ("LICENSE", METADATA, "configs/inference.json", "docs/README.md")
_MODEL = "models/model.pt"
_INFERENCE_KEYS = ("bundle_root", "device", "network_def", "inferer", "output_dir")
_TRAIN_KEYS = (
    *("bundle_root", "device", "dataset_dir", "output_dir", "train#trainer", "train#trainer#max_epochs"),
    *("train#dataset", "train#dataset#data", "train#handlers"),
)
_VALIDATE_KEYS = ("validate#evaluator", "validate#handlers", "validate#dataset", "validate#dataset#data")
_GUESSED = ("detection", "classification", "deepedit")
_VALIDATION = ("ValidationHandler", "Validation")  # MONAI's, and ours
_VERSION = re.compile(r"\d+(\.\d+)*((a|b|rc)\d+)?(\.post\d+)?")


def read_metadata(files: Mapping[str, bytes]) -> dict[str, Any]:
    """Return what a bundle's ``configs/metadata.json`` says.

    Args:
        files: the bundle's, by their paths in it.

    Raises:
        ConfigError: when it is not there, or no JSON object.
    """
    try:
        content = json.loads(files.get(METADATA, b""))
    except ValueError:
        content = None
    if not isinstance(content, dict):
        raise ConfigError(f"{METADATA}: it is missing or no JSON object; copy a bundle's with 'monai-anomaly bundles'.")
    return content


def zoo_findings(name: str, files: Mapping[str, bytes]) -> Iterator[Finding]:
    """Yield what the zoo would refuse.

    Args:
        name: of the bundle's folder.
        files: the bundle's, by their paths in it.

    Raises:
        ConfigError: when the metadata cannot be read.
    """
    metadata = read_metadata(files)
    yield from _name_problems(name)
    yield from (Finding(file, "", "the zoo needs it and it is missing") for file in _NECESSARY if file not in files)
    yield from _metadata_problems(metadata)
    yield from _version_problems(metadata)
    for file, rules in (("configs/inference.json", _inference_problems), ("configs/train.json", _train_problems)):
        if file in files:
            yield from (Finding(file, place, problem) for place, problem in rules(_object(files[file])))
    large = (file for file, data in files.items() if len(data) > LARGE and file != _MODEL)
    yield from (Finding(shown(file), "", f"it has more than {LARGE // 10**6} MB") for file in large)


def _name_problems(name: str) -> Iterator[Finding]:
    if not re.fullmatch(r"[A-Za-z]\w*", name, re.ASCII) or "_v" in name:
        yield Finding(
            shown(name), "", "a bundle's name has letters, digits and '_', and no '_v', which begins a version"
        )
    for word in _GUESSED:
        if word in name.lower():
            yield Finding(shown(name), "", f"of the word '{word}' in its name MONAI Label guesses another task")


def _metadata_problems(metadata: Mapping[str, Any]) -> Iterator[Finding]:
    from jsonschema import Draft202012Validator

    validator = Draft202012Validator(json.loads(SCHEMA.read_text(encoding="utf-8")))
    for error in validator.iter_errors(metadata):
        place = "#".join(str(part) for part in error.absolute_path)
        yield Finding(METADATA, shown(place, 80), shown(error.message))
    tensors = metadata.get("network_data_format", {})
    for side, tensor in (("inputs", "image"), ("outputs", "pred")):
        if tensor not in tensors.get(side, {}):
            yield Finding(
                METADATA, f"network_data_format#{side}", f"it has no '{tensor}', by which MONAI checks shapes"
            )
    if not metadata.get("name"):
        yield Finding(METADATA, "name", "it is missing: the zoo's browser shows it")


def _version_problems(metadata: Mapping[str, Any]) -> Iterator[Finding]:
    version = metadata.get("version")
    if version not in metadata.get("changelog", {}):
        yield Finding(METADATA, "changelog", f"it does not say what is new in version '{shown(version)}'")
    keys = ("version", "monai_version", "pytorch_version", "numpy_version")
    versions = {key: metadata[key] for key in keys if key in metadata}
    packages = metadata.get("required_packages_version")
    versions |= packages if isinstance(packages, dict) else {}
    for key, value in versions.items():
        if not isinstance(value, str) or not _VERSION.fullmatch(value):
            yield Finding(METADATA, shown(key, 40), "it is no version that pip installs as name==version")


def _inference_problems(config: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    yield from _missing(config, _INFERENCE_KEYS)


def _train_problems(config: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    yield from _missing(config, (*_TRAIN_KEYS, *(_VALIDATE_KEYS if "validate" in config else ())))
    for handler in _validation_handlers(config):
        if "val_interval" not in config or handler.get("interval") != "@val_interval":
            yield "val_interval", "the interval of a ValidationHandler must be '@val_interval', a key of its own"


def _validation_handlers(node: Any) -> Iterator[Mapping[str, Any]]:
    if isinstance(node, dict) and str(node.get("_target_", "")).rpartition(".")[2] in _VALIDATION:
        yield node
    for child in node.values() if isinstance(node, dict) else node if isinstance(node, list) else ():
        yield from _validation_handlers(child)


def _missing(config: Mapping[str, Any], keys: tuple[str, ...]) -> Iterator[tuple[str, str]]:
    for key in keys:
        node: Any = config
        for part in key.split("#"):
            node = node.get(part) if isinstance(node, dict) else None
        if node is None:
            yield key, "the zoo asks for this key and it is missing"


def _object(data: bytes) -> Mapping[str, Any]:
    try:
        content = json.loads(data)
    except ValueError:
        content = None
    return content if isinstance(content, dict) else {}
