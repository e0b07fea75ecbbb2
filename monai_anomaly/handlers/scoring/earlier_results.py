# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0
"""What of an earlier inference need not be done again: files with the same bytes, scored in the same way."""

from __future__ import annotations

import json
import os
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from monai_anomaly.data.errors import ImageReadError
from monai_anomaly.data.frame_rule import choose_frame
from monai_anomaly.data.lists.frame_items import expand_frames
from monai_anomaly.data.sets.input_digest import InputDigests
from monai_anomaly.handlers.scoring.inference_files import RECORDS, SETTINGS, inference_folder
from monai_anomaly.utils.differences import differences

__all__ = ["EarlierResults", "Kept"]

PICTURES = ("map", "overlay")
"""Keys of a record with the path of a file that was made of it; with ``_digest``, which bytes that has."""


@dataclass(frozen=True)
class Kept:
    """A record that is kept, and the folder that the paths in it start from."""

    record: dict[str, Any]
    folder: Path


class EarlierResults:
    """Finds what an output folder holds already of an inference.

    A record is kept where the file has a score, its bytes, its frames and all settings are the same, and its map and
    overlay are there, whole. That is looked for in what runs left that did not come to their end, the latest first, and
    in the complete results. Everything else is scored: new and changed files, those without a score, and those whose
    pictures are missing or damaged. Records of other settings are left alone, and what differs is printed.

    Args:
        output_dir: the output folder.
        items: the data list.
        settings: what decides about records, maps and overlays, as plain values, with ``frames``, ``maps`` and
            ``overlays``.
        count_frames: gives the number of frames of a file.

    Attributes:
        kept: by the place in the data list.
        to_score: the items that are to be scored, in order.
    """

    def __init__(
        self,
        output_dir: str | os.PathLike[str],
        items: Sequence[Mapping[str, Any]],
        settings: Mapping[str, Any],
        count_frames: Callable[[str | os.PathLike[str]], int],
    ) -> None:
        self.settings = json.loads(json.dumps(settings))  # as it is read back
        self._count_frames = count_frames
        self._digests = InputDigests()
        self._items = {int(item["index"]): item for item in items}
        folder = inference_folder(Path(output_dir).expanduser().absolute())
        folder.recover()
        found: dict[str, list[Kept]] = {}
        for path in (*folder.partials(), folder.output_dir):
            for record in self._usable_records(path):
                found.setdefault(str(record.get("image")), []).append(Kept(record, path))
        self.kept: dict[int, Kept] = {}
        self._reasons: Counter[str] = Counter()
        for index, item in self._items.items():
            self._choose(index, item, found.get(str(item["name"]), []))
        self.to_score = [dict(item) for index, item in self._items.items() if index not in self.kept]
        self._print()

    def item(self, index: int) -> dict[str, Any]:
        """Return the one item that is the frame which a kept record shows."""
        record = self.kept[index].record
        frame = {} if record["frame"] is None else {"frame": record["frame"]}
        return {key: value for key, value in self._items[index].items() if key != "frames"} | frame

    def _usable_records(self, path: Path) -> Iterator[dict[str, Any]]:
        """Yield the whole records in a folder, none where they were made with other settings."""
        names = [name for name in (RECORDS, f"{RECORDS}.partial") if (path / name).is_file()]
        if not names:
            return
        differences = self._differences(path / SETTINGS)
        if differences:
            print(f"Nothing is kept of '{path / names[0]}': {'; '.join(differences)}.")
            return
        with open(path / names[0], "rb") as file:
            for line in file:
                record = _parse(line)
                if record is not None:
                    yield record

    def _differences(self, path: Path) -> list[str]:
        there = _parse(path.read_bytes()) if path.is_file() else None
        if there is None:
            return [f"there is no {SETTINGS} beside it that says how it was made"]
        return differences(there, self.settings)

    def _choose(self, index: int, item: Mapping[str, Any], candidates: Sequence[Kept]) -> None:
        reason = "new"
        digest = self._digests.of(item["image"]) if candidates else ""
        for kept in candidates:
            reason = self._why_not(item, kept, digest)
            if not reason:
                self.kept[index] = kept
                return
        self._reasons[reason] += 1

    def _why_not(self, item: Mapping[str, Any], kept: Kept, digest: str) -> str:
        """Return why a record cannot be kept; empty where it can."""
        record = kept.record
        if record.get("status") != "scored":
            return "not scored before"
        if not digest or digest != record.get("input_digest"):
            return "changed"
        if not self._same_frames(item, record):
            return "of other frames"
        wanted = {"map": self.settings["maps"] != "none", "overlay": self.settings["overlays"]}
        if not all(self._is_whole(kept, key) for key in PICTURES if wanted[key]):
            return "without a whole map or overlay"
        if self.settings.get("dicom") and not self._has_whole_dicom(kept):
            return "without whole DICOM objects"
        return ""

    def _same_frames(self, item: Mapping[str, Any], record: Mapping[str, Any]) -> bool:
        try:
            asked = [e.get("frame") for e in expand_frames([item], self.settings["frames"], self._count_frames)]
            if asked == [None]:
                asked = [choose_frame(None, self._count_frames(item["image"]))]
        except ImageReadError:
            return False
        return asked == (record["frames"] or [record["frame"]])

    def _is_whole(self, kept: Kept, key: str) -> bool:
        name, digest = kept.record.get(key), kept.record.get(f"{key}_digest")
        return bool(name and digest) and self._digests.of(kept.folder / str(name)) == digest

    def _has_whole_dicom(self, kept: Kept) -> bool:
        """Return whether all DICOM objects of a record are there, or it says why it has none."""
        digests = kept.record.get("dicom_digests")
        if not digests:
            return bool(kept.record.get("dicom_reason"))
        names = kept.record["dicom"]
        return all(self._digests.of(kept.folder / names[kind]) == digest for kind, digest in digests.items())

    def _print(self) -> None:
        """Print, because a person who asked for it must see what is kept and what is not."""
        others = ", ".join(f"{count} {reason}" for reason, count in sorted(self._reasons.items()))
        rest = f"; to score: {others}" if others else ""
        print(f"Resuming: {len(self.kept)} of {len(self._items)} files are kept{rest}")


def _parse(line: bytes) -> dict[str, Any] | None:
    """Return the object of a line; None of one that a kill cut, or a disk damaged."""
    try:
        content = json.loads(line)
    except ValueError:
        return None
    return content if isinstance(content, dict) else None
