# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

"""Which files of a folder are no images, but masks and other helpers of the images beside them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import PurePosixPath
from typing import NamedTuple

from monai_anomaly.data.lists.folders.helper_names import (
    IMAGE_FOLDERS,
    MASK_WORDS,
    folder_word,
    helped_stems,
    key_of,
    stem_of,
)

__all__ = ["Helper", "find_helpers", "masks_among"]


class Helper(NamedTuple):
    """A file that belongs to an image: its path, the image's, and the word that says what it is."""

    path: str
    image: str
    word: str


def find_helpers(paths: Iterable[str]) -> list[Helper]:
    """Return the files whose names say that they belong to another file, each with that file.

    ``x_mask.png`` belongs to ``x.png`` in the same folder, whatever the formats of the two; ``masks/x.png`` and
    ``masks/x_mask.png`` to ``x.png`` in the folder of ``masks`` or in ``images`` beside it. A file that belongs to none
    of the paths is no helper, whatever it is called.

    Args:
        paths: of files, with ``/``; those that are no pictures left out.

    Returns:
        The helpers, in the order of their paths.
    """
    ordered = sorted(paths)
    named = _Names(ordered)
    image_of: dict[str, tuple[str, str]] = {}
    for path in ordered:
        for image, word in named.helped_by(path):
            if image != path:
                image_of[path] = image, word
                break
    return [Helper(path, _last(image, image_of), word) for path, (image, word) in image_of.items()]


def _last(image: str, image_of: dict[str, tuple[str, str]]) -> str:
    """Return the image that a helper's helper belongs to."""
    seen = set()
    while image in image_of and image not in seen:
        seen.add(image)
        image = image_of[image][0]
    return image


def masks_among(helpers: Iterable[Helper]) -> list[str]:
    """Return the paths of an image's masks, of one word only: ``x_gt.png`` is ``x_mask.png`` again."""
    listed = list(helpers)
    for word in MASK_WORDS:
        if masks := [helper.path for helper in listed if helper.word == word]:
            return masks
    return []


class _Names:
    """The paths by folder and name, as they are compared."""

    def __init__(self, paths: Iterable[str]) -> None:
        self._paths: dict[tuple[str, str], list[str]] = {}
        for path in paths:
            folder, name = _split(path)
            for key in {key_of(name), key_of(stem_of(name))}:
                self._paths.setdefault((key_of(folder), key), []).append(path)

    def helped_by(self, path: str) -> Iterator[tuple[str, str]]:
        """Yield the files that a path may belong to, each with the word."""
        folder, name = _split(path)
        stem = stem_of(name)
        for base, word in helped_stems(stem):
            yield from ((found, word) for found in self._find(folder, base, name))
        for place, word in _image_folders(folder):
            for base in (stem, *(base for base, _ in helped_stems(stem))):
                yield from ((found, word) for found in self._find(place, base, name))

    def _find(self, folder: str, base: str, name: str) -> list[str]:
        """Return the files of a name without its ending; one with the ending of the helper first."""
        found = self._paths.get((key_of(folder), key_of(base.rstrip())), [])
        ending = name[len(stem_of(name)) :].lower()
        return sorted(found, key=lambda path: not path.lower().endswith(ending))


def _image_folders(folder: str) -> Iterator[tuple[str, str]]:
    """Yield where the images of a folder of masks may be, with the folder's word."""
    parts = PurePosixPath(folder).parts
    for place, part in enumerate(parts):
        word = folder_word(part)
        if word is not None:
            yield "/".join((*parts[:place], *parts[place + 1 :])), word
            for sibling in sorted(IMAGE_FOLDERS):
                yield "/".join((*parts[:place], sibling, *parts[place + 1 :])), word


def _split(path: str) -> tuple[str, str]:
    folder, _, name = path.rpartition("/")
    return folder, name
