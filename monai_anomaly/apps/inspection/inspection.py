# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

"""``python -m monai_anomaly inspect``: how each file of an archive is read, or why not.

Every file gets one record, whatever it is; what is reported is what a bundle is given, by the transform that a bundle
reads with.
"""

from __future__ import annotations

import hashlib
import json
import logging
import os
import sys
import warnings
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from copy import copy
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from monai_anomaly.apps.inspection.contact_sheet import ContactSheet
from monai_anomaly.apps.inspection.text import FileLines, Summary, printable
from monai_anomaly.data.errors import ImageReadError, boundary
from monai_anomaly.data.file_kind import check_regular
from monai_anomaly.data.frame_rule import check_frame_rule, select_frames
from monai_anomaly.data.sets.duplicates import pixel_hash
from monai_anomaly.transforms.load import LoadClinicalImage
from monai_anomaly.utils.atomic import atomic_path
from monai_anomaly.utils.identity import site_hash

__all__ = ["RECORD_KEYS", "Inspector", "ListedFile", "UsageError", "inspect_paths", "list_paths"]

RECORD_KEYS = tuple(
    "path status code message shape mean min max modality frames region box spacing warnings "
    "kind photometric spacing_origin frame voi inverted masked id duplicate_of".split()
)
"""Keys of a record, in their order; all are always there."""

ALL_READ, SOME_REFUSED, INTERRUPTED, PIPE_CLOSED = 0, 3, 130, 141


class UsageError(ValueError):
    """A command line that makes no sense; the text is one sentence with the cure."""


@dataclass(frozen=True)
class ListedFile:
    """A file to be inspected.

    Args:
        path: where it is, in the user's words.
        name: its path relative to the folder that was given, with slashes; what results call it by.
        unlisted: it is a folder whose content may not be listed.
    """

    path: str
    name: str
    unlisted: bool = False


def list_paths(paths: Sequence[str]) -> list[ListedFile]:
    """Return the files given and the visible files below the folders given, each folder's in the order of their names.

    Links to folders are followed, once for each real folder. These are the files, and the names, of a run over the
    folder; where a run stops because a folder may not be listed, that folder has an entry here.

    Args:
        paths: of files and folders.

    Raises:
        UsageError: when one of them does not exist, or there is no file.
    """
    found: dict[str, ListedFile] = {}
    for path in paths:
        if not os.path.lexists(path):
            raise UsageError(f"the path '{printable(path)}' does not exist; correct it.")
        listed = _walk(path) if os.path.isdir(path) else [ListedFile(path, os.path.basename(path))]
        for file in listed:
            found.setdefault(os.path.abspath(file.path), file)
    if not found:
        raise UsageError("there is no visible file below the given folder; name a folder with images.")
    return list(found.values())


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
        notes = list(dict.fromkeys(note for one in self._metas for note in one["warnings"]))
        if any(other != shape for other in self._shapes):
            notes.append("the chosen frames differ in size; the shape is that of the first")
        indices = [one["frame"] for one in self._metas]
        return {
            "shape": shape,
            "mean": sum(self._sums) / sum(float(np.prod(s)) for s in self._shapes),
            "min": min(self._extremes),
            "max": max(self._extremes),
            "frame": indices if len(indices) > 1 else indices[0],
            "masked": sum(one["masked"] for one in self._metas) / len(self._metas),
            "spacing": list(meta["spacing"]) or None,
            "warnings": notes,
            **{key: meta[key] for key in ("frames", "region", "box", "voi", "inverted")},
            **{key: meta[key] or None for key in ("kind", "modality", "photometric", "spacing_origin")},
        }

    def digest(self) -> str:
        if len(self._hashes) == 1:
            return self._hashes[0]
        return hashlib.blake2b("".join(self._hashes).encode(), digest_size=16).hexdigest()


def inspect_paths(
    paths: Sequence[str],
    *,
    load: LoadClinicalImage,
    frames: str = "middle",
    usual_size: int = 1,
    as_json: bool = False,
    sheet: str | None = None,
    sheet_limit: int = 200,
) -> int:
    """Print how each file is read while it works, and a summary at the end.

    Args:
        paths: files and folders.
        load: what a bundle loads files with.
        frames: rule for the frames of a cine.
        usual_size: height and width below which a file that is read gets a warning.
        as_json: print one JSON object for each file on the standard output, and the summary on the standard error.
        sheet: a PNG to make, with a tile for each of the first files.
        sheet_limit: most tiles of the sheet.

    Returns:
        0 when all files were read, 3 when some were refused, 130 when interrupted, 141 when the output was closed.

    Raises:
        UsageError: before anything is read: when a path does not exist or the sheet cannot be made there.
        ConfigError: before anything is read: when there is no key for the hashes.
        OSError: when the output or the sheet cannot be written.
    """
    files = list_paths(paths)
    inspector = Inspector(load, frames, usual_size=usual_size)
    summary = Summary(len(files))
    with ExitStack() as stack:
        page = temporary = None
        if sheet is not None:
            temporary = _reserve(stack, sheet)
            page = ContactSheet(min(len(files), sheet_limit))
        stopped = _inspect_all(files, inspector, summary, page, as_json)
        if page is not None and temporary is not None:
            page.save(temporary, summary.title(page.painted))
    try:
        if stopped != PIPE_CLOSED:
            lines = summary.lines(inspector.hashes)
            _write(lines if as_json else ["", *lines], sys.stderr if as_json else sys.stdout)
    except BrokenPipeError:
        stopped = PIPE_CLOSED
    if stopped == PIPE_CLOSED:
        _drop_output()
    return stopped or (SOME_REFUSED if summary.refused else ALL_READ)


def _inspect_all(
    files: list[ListedFile], inspector: Inspector, summary: Summary, page: ContactSheet | None, as_json: bool
) -> int:
    """Inspect and print file by file; return the exit code of an early end, or 0."""
    try:
        layout = FileLines(len(files))
        if not as_json:
            _write([layout.head()], sys.stdout)
        for number, file in enumerate(files, 1):
            record, image = inspector.inspect(file)
            lines = [json.dumps(record, allow_nan=False)] if as_json else layout.lines(number, record, summary.numbers)
            _write(lines, sys.stdout)
            summary.add(number, record)
            if page is not None and page.painted < page.tiles:
                _paint(page, number, record, image)
    except KeyboardInterrupt:
        return INTERRUPTED
    except BrokenPipeError:
        return PIPE_CLOSED
    return 0


def _walk(folder: str) -> list[ListedFile]:
    """Return the visible files below a folder, sorted; links to folders are followed once per real folder."""
    found: list[ListedFile] = []
    visited: set[str] = set()

    def listed(path: str, *, unlisted: bool = False) -> ListedFile:
        return ListedFile(path, Path(path).relative_to(folder).as_posix(), unlisted)

    def blocked(error: OSError) -> None:
        found.append(listed(str(error.filename or folder), unlisted=True))

    for parent, folders, names in os.walk(folder, onerror=blocked, followlinks=True):
        real = os.path.realpath(parent)
        folders[:] = [] if real in visited else sorted(name for name in folders if not name.startswith("."))
        if real not in visited:
            visited.add(real)
            found += [listed(os.path.join(parent, name)) for name in names if not name.startswith(".")]
    return sorted(found, key=lambda file: file.name)


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


def _reserve(stack: ExitStack, sheet: str) -> Path:
    """Make sure, before hours of reading, that the sheet can be written; return where to write it."""
    if not sheet.lower().endswith(".png"):
        raise UsageError(f"the sheet '{printable(sheet)}' must have a name that ends in .png; rename it.")
    if os.path.isdir(sheet):
        raise UsageError(f"the sheet '{printable(sheet)}' is a folder; name a file.")
    try:
        return stack.enter_context(atomic_path(sheet))
    except OSError as error:
        raise UsageError(f"the sheet '{printable(sheet)}' cannot be written ({error.strerror}); correct it.") from None


def _paint(page: ContactSheet, number: int, record: dict[str, Any], image: np.ndarray | None) -> None:
    """Add a tile; its caption has numbers and words of closed lists, nothing that a file could choose freely."""
    if image is None:
        page.add(number, None, ["refused"], record["code"])
        return
    _, rows, columns = record["shape"]
    what = "  ".join(filter(None, (record["modality"] or record["kind"], record["photometric"])))
    size = f"{rows} x {columns}" + (f"   {record['frames']} frames" if record["frames"] > 1 else "")
    region = "" if record["region"] == "none" else f"region {record['region']}"
    if record["code"] is not None:
        page.add(number, image, [what, size], f"refused: {record['code']}")
    elif record["region"] == "untrusted":
        page.add(number, image, [what, size], region)
    else:
        page.add(number, image, [what, size, region])


def _write(lines: Sequence[str], stream: Any) -> None:
    """Write lines at once, whatever the terminal's encoding lacks written out."""
    if stream is None:  # closed by whoever started us
        return
    encoding = getattr(stream, "encoding", None) or "utf-8"
    text = "".join(f"{line}\n" for line in lines)
    stream.write(text.encode(encoding, "backslashreplace").decode(encoding))
    stream.flush()


def _drop_output() -> None:
    """Let Python end without a message about a pipe whose reader has gone."""
    with suppress(OSError, ValueError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
