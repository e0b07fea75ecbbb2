# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

"""Where bundles are: a folder that the user names, the working directory, or what came with this package."""

from __future__ import annotations

import difflib
import os
from dataclasses import dataclass
from pathlib import Path

from monai_anomaly.utils.exceptions import ConfigError

__all__ = ["Bundle", "bundles_dir", "find_bundle", "find_bundle_root", "is_bundle", "known_bundles"]

PACKAGE = Path(__file__).resolve().parent.parent


@dataclass(frozen=True)
class Bundle:
    """A bundle, and where its runs write unless they are told.

    Args:
        folder: the bundle's folder.
        workspace: for a bundle that came with the package, the folder that gets what it makes; None for one that keeps
            that itself.
    """

    folder: Path
    workspace: Path | None = None

    @property
    def name(self) -> str:
        """The folder's name."""
        return self.folder.resolve().name

    @property
    def home(self) -> Path:
        """The folder of ``models`` and ``output``."""
        return self.workspace or self.folder

    def config(self, name: str) -> Path:
        """Return one of its configurations, which need not exist."""
        return self.folder / "configs" / f"{name}.json"

    def overlays(self) -> list[str]:
        """Return the names of what can go over ``train.json``, sorted."""
        roles = {"train", "evaluate", "calibrate", "inference", "metadata"}
        return sorted({path.stem for path in (self.folder / "configs").glob("*.json")} - roles)


def bundles_dir() -> Path:
    """Return the folder of the bundles that came with this package: a checkout's, or the copy in an installed one."""
    installed = PACKAGE / "bundles"
    return installed if installed.is_dir() else PACKAGE.parent / "bundles"


def is_bundle(folder: Path) -> bool:
    """Return whether a folder has what every bundle has."""
    return all((folder / "configs" / name).is_file() for name in ("metadata.json", "train.json"))


def known_bundles() -> list[str]:
    """Return the names of the bundles below ``bundles`` here and of those that came with the package, sorted."""
    folders = [path for place in (Path("bundles"), bundles_dir()) if place.is_dir() for path in place.iterdir()]
    return sorted({path.name for path in folders if is_bundle(path)})


def find_bundle_root(name: str) -> str:
    """Find a bundle from the repository's root, from inside the bundle, or from its ``configs``.

    Args:
        name: the bundle's name.

    Returns:
        a path relative to the working directory; ``"."`` when there is no bundle near (pass ``--bundle_root`` then).
    """
    for candidate in (Path("bundles") / name, Path("."), Path(".."), Path(name)):
        if (candidate / "configs" / "metadata.json").is_file() and candidate.resolve().name == name:
            return candidate.as_posix()
    return "."


def find_bundle(word: str) -> Bundle:
    """Find a bundle by its folder or its name.

    A name is looked for as :func:`find_bundle_root` does, then among those that came with the package. Nothing is ever
    written into the latter: what they make goes to a folder of the bundle's name in the working directory.

    Raises:
        ConfigError: naming the nearest bundle.
    """
    given = Path(word).expanduser()
    if set(word) & {"/", os.sep} or word in (os.curdir, os.pardir):
        if is_bundle(given):
            return _of_package(given) if _is_installed(given) else Bundle(given)
        raise ConfigError(f"'{word}' is no bundle: it has no configs/train.json and configs/metadata.json.")
    near = Path(find_bundle_root(word))
    if is_bundle(near) and near.resolve().name == word:
        return _of_package(near) if _is_installed(near) else Bundle(near)
    if is_bundle(given):
        return Bundle(given)
    if is_bundle(bundles_dir() / word):
        return _of_package(bundles_dir() / word)
    known = known_bundles()
    nearest = difflib.get_close_matches(word, known, n=1, cutoff=0.5)
    hint = f"the nearest is '{nearest[0]}'" if nearest else f"there are {', '.join(known)}, or give a bundle's folder"
    raise ConfigError(f"there is no bundle '{word}'; {hint}.")


def _is_installed(folder: Path) -> bool:
    return PACKAGE in folder.resolve().parents


def _of_package(folder: Path) -> Bundle:
    return Bundle(folder, Path(folder.resolve().name))
