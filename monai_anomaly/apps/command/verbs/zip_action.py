# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

"""``bundles zip``: the archive of a bundle that a model zoo takes."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from monai_anomaly.apps.command.completion import suggest
from monai_anomaly.apps.command.inputs import path_of
from monai_anomaly.utils.bundle_folders import find_bundle
from monai_anomaly.utils.exceptions import CheckpointError, ConfigError

__all__ = ["add_zip", "run_zip"]

_ABOUT = (
    "Write NAME_vVERSION.zip as MONAI's model zoo hosts it, print its entry of the zoo's models/model_info.json, and, "
    "where the weights are too large for a pull request, the large_files.yml that stands for them there. A bundle that "
    "the zoo's checks would refuse is not packed, nor one that names a folder of this machine."
)


def add_zip(actions: Any, known: Sequence[str]) -> None:
    """Add the action to those of ``bundles``.

    Args:
        actions: of the parser.
        known: names of bundles.
    """
    parser = actions.add_parser("zip", help="write the archive that MONAI's model zoo hosts", description=_ABOUT)
    suggest(parser.add_argument("name", metavar="NAME", help=f"one of {', '.join(known)}, or a bundle's folder"), known)
    parser.add_argument("folder", metavar="DIR", nargs="?", default=".", help="where to write it (default: here)")
    parser.add_argument("--checkpoint", metavar="MODEL.pt", help="the weights (default: the bundle's own)")
    parser.add_argument("--calibration", metavar="FILE.json", help="what goes with them (default: the one beside)")
    parser.add_argument("--untrained", action="store_true", help="leave weights and calibration out")
    parser.add_argument("--url", default="", help="where it will be hosted, for model_info.json")
    parser.set_defaults(verb=run_zip)


def run_zip(
    name: str,
    folder: str = ".",
    checkpoint: str | None = None,
    calibration: str | None = None,
    untrained: bool = False,
    url: str = "",
) -> None:
    """Write the archive, and print what the zoo wants to know of it.

    Raises:
        CheckpointError: when there is no trained detector, or it is not the bundle's.
        ConfigError: when the zoo would refuse the bundle, or the folder is not there.
    """
    bundle, target = find_bundle(name), Path(folder).expanduser()
    if not target.is_dir():
        raise ConfigError(f"there is no folder '{folder}' for the archive.")
    if untrained and (checkpoint or calibration):
        raise ConfigError("--untrained leaves weights and calibration out; give it alone.")
    model = path_of(checkpoint) if checkpoint else bundle.home / "models" / "model.pt"
    if not untrained and not model.is_file():
        raise CheckpointError(
            f"there is no trained detector '{model}': make one with 'monai-anomaly train {bundle.name}', name one with "
            "--checkpoint, or pack the bundle with --untrained."
        )
    from monai_anomaly.apps.zoo.bundle_zip import bundle_files, large_files, model_info, zip_bundle
    from monai_anomaly.apps.zoo.rules import read_metadata

    files = bundle_files(bundle.folder)
    version = str(read_metadata(files).get("version"))
    if not untrained:
        from monai_anomaly.apps.zoo.trained_files import trained_files

        files |= trained_files(bundle, files, model, None if calibration is None else path_of(calibration))
    folders = (bundle.folder, model.parent, Path.home(), Path.cwd())
    data = zip_bundle(bundle.name, files, folders)
    path = target / f"{bundle.name}_v{version}.zip"
    from monai_anomaly.utils.atomic import atomic_write

    atomic_write(path, data)
    print(f"the bundle is in {path} ({len(data) / 1e6:.1f} MB); its entry in the zoo's models/model_info.json:")
    print(json.dumps(model_info(bundle.name, version, data, url), indent=4))
    if text := large_files(files):
        print(f"and large_files.yml, for a pull request without these files:\n{text}", end="")
