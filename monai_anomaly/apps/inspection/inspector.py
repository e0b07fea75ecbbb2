# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

import hashlib
import logging
import os
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from copy import copy
from typing import Any

import numpy as np

from monai_anomaly.apps.inspection.listed_files import ListedFile
from monai_anomaly.data.errors import ImageReadError, boundary
from monai_anomaly.data.file_kind import check_regular
from monai_anomaly.data.frame_rule import check_frame_rule, select_frames
from monai_anomaly.data.sets.duplicates import pixel_hash
from monai_anomaly.transforms.load import LoadClinicalImage
from monai_anomaly.utils.identity import site_hash

__all__ = ["RECORD_KEYS", "Inspector"]

RECORD_KEYS = tuple(
    "path status code message shape mean min max modality frames region box spacing warnings "
    "kind photometric spacing_origin frame voi inverted masked id duplicate_of".split()
)
"""Keys of a record, in their order; all are always there."""


class Inspector:
    """Reads files one by one and says how.

    Args:
        load: what a bundle loads files with.
        frames: rule for the frames of a cine; see :func:`~monai_anomaly.data.frame_rule.check_frame_rule`.
        usual_size: height and width below which a file that is read gets a warning.

    Raises:
        ValueError: for an unknown rule.
        ConfigError: when there is no key for the hashes.
    """

    def __init__(self, load: LoadClinicalImage, frames: str = "middle", *, usual_size: int = 1) -> None:
        self.hashes: list[str] = []
        self._load = load
        self._load_any_size = copy(load)
        self._load_any_size.min_size = 1
        self._rule = check_frame_rule(frames)
        self._usual_size = usual_size
        self._hash_name = site_hash("file")
        self._first: dict[str, str] = {}

    def inspect(self, file: ListedFile) -> tuple[dict[str, Any], np.ndarray | None]:
        """Return a file's record and the picture to show, float32 ``(C, H, W)`` in [0, 1]; None where there is none.

        The record has the :data:`RECORD_KEYS`. A refused file has ``path``, ``status``, ``code``, ``message`` and
        ``id``, and None for the others; only one that is sound but ``too_small`` has its facts and its picture.
        """
        record: dict[str, Any] = dict.fromkeys(RECORD_KEYS)
        record |= {"path": file.path, "id": self._hash_name(file.name)}
        try:
            with _silence():
                facts, image, digest = self._read_frames(file, self._load)
        except ImageReadError as error:
            self.hashes.append("")
            record |= {"status": "refused", "code": error.code, "message": error.message}
            return self._refused(file, record)
        self.hashes.append(digest)
        if min(image.shape[1:]) < self._usual_size:
            size = f"{image.shape[1]} x {image.shape[2]}"
            facts["warnings"].append(f"the image is {size} pixels; a bundle refuses sides below {self._usual_size}")
        first = self._first.setdefault(digest, file.path)
        return record | facts | {"status": "read", "duplicate_of": None if first == file.path else first}, image

    def _refused(self, file: ListedFile, record: dict[str, Any]) -> tuple[dict[str, Any], np.ndarray | None]:
        """Add what is known of a file that was refused for its size alone."""
        if record["code"] == "too_small":
            with suppress(ImageReadError), _silence():
                facts, image, _ = self._read_frames(file, self._load_any_size)
                return record | facts, image
        return record, None

    def _read_frames(self, file: ListedFile, load: LoadClinicalImage) -> tuple[dict[str, Any], np.ndarray, str]:
        """Return the facts of a file that is read, the middle one of its chosen frames and the hash of all of them."""
        with boundary("turning the file into an image"):
            _check_regular(file)
            if self._rule == "middle":
                wanted: list[int | None] = [None]
            else:
                wanted = [*select_frames(self._rule, load.reader.count_frames(file.path))]
            frames = _Frames()
            for place, index in enumerate(wanted):
                tensor, meta = load.load(file.path, index)
                frames.add(tensor.numpy(), meta, shown=place == len(wanted) // 2)
            return frames.facts(), frames.shown, frames.digest()


class _Frames:
    """Gathers statistics over the chosen frames of a file without holding them."""

    def __init__(self) -> None:
        self.shown = np.zeros((1, 1, 1), np.float32)
        self._metas: list[dict[str, Any]] = []
        self._shapes: list[list[int]] = []
        self._sums: list[float] = []
        self._extremes: list[float] = []
        self._hashes: list[str] = []

    def add(self, image: np.ndarray, meta: dict[str, Any], *, shown: bool) -> None:
        self._metas.append(meta)
        self._shapes.append(list(image.shape))
        self._sums.append(float(image.sum(dtype=np.float64)))
        self._extremes += [float(image.min()), float(image.max())]
        self._hashes.append(pixel_hash(image))
        if shown:
            self.shown = image

    def facts(self) -> dict[str, Any]:
        meta, shape = self._metas[0], self._shapes[0]
        notes = list(dict.fromkeys(note for facts in self._metas for note in facts["warnings"]))
        if any(other != shape for other in self._shapes):
            notes.append("the chosen frames differ in size; the shape is that of the first")
        indices = [facts["frame"] for facts in self._metas]
        return {
            "shape": shape,
            "mean": sum(self._sums) / sum(float(np.prod(s)) for s in self._shapes),
            "min": min(self._extremes),
            "max": max(self._extremes),
            "frame": indices if len(indices) > 1 else indices[0],
            "masked": sum(facts["masked"] for facts in self._metas) / len(self._metas),
            "spacing": list(meta["spacing"]) or None,
            "warnings": notes,
            **{key: meta[key] for key in ("frames", "region", "box", "voi", "inverted")},
            **{key: meta[key] or None for key in ("kind", "modality", "photometric", "spacing_origin")},
        }

    def digest(self) -> str:
        if len(self._hashes) == 1:
            return self._hashes[0]
        return hashlib.blake2b("".join(self._hashes).encode(), digest_size=16).hexdigest()


def _check_regular(file: ListedFile) -> None:
    """Refuse what must not be opened."""
    if file.unlisted:
        raise ImageReadError("unreadable", "the folder may not be listed; grant permission to list it.")
    check_regular(file.path)


@contextmanager
def _silence() -> Iterator[None]:
    """Keep libraries off the terminal: they quote header values, and some write from C past Python's streams."""
    saved = []
    with warnings.catch_warnings(), open(os.devnull, "wb") as nowhere:
        warnings.simplefilter("ignore")
        level = logging.root.manager.disable
        logging.disable(logging.CRITICAL)
        for descriptor in (1, 2):
            with suppress(OSError):  # closed by whoever started us
                saved.append((descriptor, os.dup(descriptor)))
                os.dup2(nowhere.fileno(), descriptor)
        try:
            yield
        finally:
            for descriptor, original in saved:
                os.dup2(original, descriptor)
                os.close(original)
            logging.disable(level)
