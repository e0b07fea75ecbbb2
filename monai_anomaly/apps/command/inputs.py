# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

"""What a run reads, looked for before anything heavy is imported; a value that is computed is left to the run."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from monai_anomaly.utils.bundle_folders import Bundle, find_bundle, known_bundles
from monai_anomaly.utils.config_files import read_configs
from monai_anomaly.utils.exceptions import CheckpointError, ConfigError
from monai_anomaly.utils.exported.card_entry import has_calibration, is_deliverable, plain_card

__all__ = ["bundle_of", "calibration_of", "check_checkpoint", "check_inputs", "checkpoint_of", "path_of"]


def check_inputs(options: Mapping[str, str]) -> None:
    """Refuse data that are not there.

    Raises:
        ConfigError: naming the path.
    """
    for key in ("dataset_dir", "pool_dir", "allow_outside"):
        value = options.get(key, "")
        if _is_path(value) and not path_of(value).exists():
            raise ConfigError(f"--{key}: there is no '{value}'.")


def check_checkpoint(bundle: Bundle, options: Mapping[str, str]) -> None:
    """Refuse to go on without a trained detector.

    Raises:
        CheckpointError: naming the file and what makes one.
    """
    value = checkpoint_of(bundle, options)
    if _is_path(value) and not path_of(value).is_file():
        raise CheckpointError(
            f"there is no trained detector '{value}': make one with 'monai-anomaly train {bundle.name}', or name one "
            "with --checkpoint."
        )


def checkpoint_of(bundle: Bundle, options: Mapping[str, str]) -> str:
    """Return the checkpoint that a run will open: what it is told, or the bundle's own."""
    root = options.get("bundle_root", bundle.folder.as_posix())
    return options.get("checkpoint", f"{root}/models/model.pt")


def bundle_of(checkpoint: str) -> Bundle:
    """Return the bundle whose training makes this kind of checkpoint or export.

    Raises:
        CheckpointError: where there is no such file, or it is damaged.
        ConfigError: where no bundle here makes one.
    """
    file = path_of(checkpoint)
    if not file.is_file():
        raise CheckpointError(f"--checkpoint: there is no '{checkpoint}'.")
    detector = _spec_of(file).get("detector")
    for name in known_bundles():
        bundle = find_bundle(name)
        if read_configs([bundle.config("train")]).get("spec", {}).get("detector") == detector:
            return bundle
    raise ConfigError(f"the checkpoint '{checkpoint}' is of a {detector}, which no bundle here makes; give --bundle.")


def calibration_of(checkpoint: str) -> str:
    """Return where the calibration of a checkpoint is: beside it, or in an export; of what is computed, beside."""
    if has_calibration(path_of(checkpoint)):
        return checkpoint
    return (Path(checkpoint).parent / "calibration.json").as_posix()


def _spec_of(file: Path) -> Mapping[str, Any]:
    """Return how a detector was made, without MONAI, which may be imported without its optional packages later."""
    if is_deliverable(file):
        spec: Mapping[str, Any] = plain_card(file)["spec"]
        return spec
    from monai_anomaly.utils.checkpoint import load_checkpoint

    known: Mapping[str, Any] = load_checkpoint(file)["spec"]
    return known


def path_of(value: str) -> Path:
    """Return the path that a value names, which may be in quotes."""
    return Path(value.strip("'\"")).expanduser()


def _is_path(value: str) -> bool:
    return bool(value) and not value.startswith(("$", "@", "%"))
