# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0
"""The map of each scored image on its source picture: a file for viewers and programs, and one for people."""

from __future__ import annotations

import io
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from monai_anomaly.data.arrays.nifti_place import ArrayPlace
from monai_anomaly.data.errors import ImageReadError
from monai_anomaly.data.frame_source import DecodedImage
from monai_anomaly.handlers.scoring.inference_files import MAPS_FOLDER, OVERLAYS_FOLDER
from monai_anomaly.handlers.scoring.output_folder import OutputFolder
from monai_anomaly.report.overlay import draw_overlay
from monai_anomaly.scoring.map_encoders import encode_nifti_map, encode_npz_map, encode_png_map, place_by_spacing
from monai_anomaly.scoring.result import Result
from monai_anomaly.scoring.source_pictures import SourcePictures
from monai_anomaly.transforms.preprocessing import resize_image
from monai_anomaly.transforms.source_map import map_on_source, shrink_geometry
from monai_anomaly.utils.heatmap import encode_levels
from monai_anomaly.utils.identity import site_key, stream_digest

__all__ = ["MAPS", "PictureFiles", "Pictures"]

MAPS = {"none": "", "png": "png", "npz": "npz", "nifti": "nii"}
"""What can be asked for, with the suffix of its files."""

LONGEST_OVERLAY = 2048
"""Most rows or columns of an overlay: enough for a screen, and an image of 64 megapixels is no burden."""


@dataclass
class Pictures:
    """What was written for one result: paths relative to the output folder, None for none.

    ``map_digest`` and ``overlay_digest`` say which bytes these files have, as
    :func:`monai_anomaly.utils.identity.stream_digest` does. ``overlay_shape`` is the overlay's rows and columns,
    ``whole`` the source picture, ``(C, rows, columns)`` in [0, 1], where that was read, ``seen`` what was cut out,
    and ``problems`` what could not be made and why.
    """

    map: str | None = None
    map_digest: str | None = None
    overlay: str | None = None
    overlay_digest: str | None = None
    overlay_shape: tuple[int, int] | None = None
    seen: npt.NDArray[np.float32] | None = None
    whole: npt.NDArray[np.float32] | None = None
    problems: list[str] = field(default_factory=list)

    def add_to(self, record: dict[str, Any]) -> None:
        """Write into a record what there is to say."""
        record |= {
            "map": self.map,
            "overlay": self.overlay,
            "map_digest": self.map_digest,
            "overlay_digest": self.overlay_digest,
            "overlay_shape": None if self.overlay_shape is None else list(self.overlay_shape),
            "warnings": "; ".join([*filter(None, [record["warnings"]]), *self.problems]) or None,
        }


class PictureFiles:
    """Writes ``maps/`` and ``overlays/`` into a run's own folder.

    A map that cannot be written ends the run: the disk is full, or the folder is gone. What goes wrong with an overlay
    is said in the record, and the run goes on: it can be drawn again from the map.

    Args:
        maps: a key of :data:`MAPS`.
        overlays: whether to write overlays.
        sources: gives the source pictures, for overlays and for the place of a NIfTI map; None where they are not to be
            had.
        map_range: map values of the first and the last color.

    Raises:
        ValueError: for another word in ``maps``, or overlays without sources.
    """

    def __init__(
        self,
        *,
        maps: str,
        overlays: bool,
        sources: SourcePictures | None,
        map_range: tuple[float, float],
    ) -> None:
        if maps not in MAPS:
            raise ValueError(f"maps must be one of {', '.join(MAPS)}, got '{maps}'.")
        if overlays and sources is None:
            raise ValueError("overlays need the source pictures; give sources, or overlays=False.")
        self._maps, self._overlays, self._sources, self._map_range = maps, overlays, sources, map_range
        if self._sources is not None and self._needs_source:
            self._sources.keep()
        self.start(Path())

    @property
    def _needs_source(self) -> bool:
        return self._overlays or self._maps == "nifti"

    def start(self, folder: Path) -> None:
        """Begin a run.

        Args:
            folder: the run's own folder, absolute, with ``maps`` and ``overlays`` in it.
        """
        self._map_folder = OutputFolder(folder, MAPS_FOLDER)
        self._overlay_folder = OutputFolder(folder, OVERLAYS_FOLDER)
        self.n_problems = 0

    def keep(self, record: Mapping[str, Any], folder: Path, number: int) -> dict[str, Any]:
        """Give the files of a kept record their places here, and return the record with these.

        Args:
            record: of an earlier run.
            folder: that its paths start from.
            number: that it has here.

        Raises:
            OSError: when that cannot be done.
        """
        kept = dict(record)
        for key, files in (("map", self._map_folder), ("overlay", self._overlay_folder)):
            if record[key] is not None:
                kept[key] = files.take(number, record["image"], folder / record[key])
        return kept

    def write(self, result: Result, number: int, index: int) -> Pictures:
        """Write what there is to write of a result; nothing where it has no map.

        Args:
            result: what was scored.
            number: of its record.
            index: of its item in the data list.

        Raises:
            OSError: when the map cannot be written.
        """
        pictures = Pictures()
        if result.anomaly_map is None:
            return pictures
        shape = result.source_shape or result.anomaly_map.shape  # no place known: the map is all there is
        box = result.box or (0, 0, shape[1], shape[0])
        source: DecodedImage | None = None
        if self._sources is not None and self._needs_source:
            with _noting(pictures.problems, "overlay" if self._overlays else "place of the map"):
                source = self._sources.read(index, result.frame, shape)
        if self._maps != "none":
            source_map = map_on_source(result.anomaly_map, shape, box)
            data = self._encode(source_map, result.anomaly_map, box, self._place(source, index, pictures.problems))
            pictures.map = self._map_folder.write(number, result.name, MAPS[self._maps], data)
            pictures.map_digest = _digest(data)
        if source is not None and self._overlays:
            pictures.whole = source.pixels
            pictures.seen = source.pixels[:, box[1] : box[3], box[0] : box[2]]
            with _noting(pictures.problems, "overlay"):
                drawn = self._draw(source.pixels, result.anomaly_map, box)
                data = encode_levels(drawn)
                pictures.overlay = self._overlay_folder.write(number, result.name, "png", data)
                pictures.overlay_digest = _digest(data)
                pictures.overlay_shape = drawn.shape[0], drawn.shape[1]
        self.n_problems += bool(pictures.problems)
        return pictures

    def look(self, result: Result, index: int) -> npt.NDArray[np.float32] | None:
        """Return what was cut out of the source picture of a result, where overlays are wanted and it can be read.

        Args:
            result: what was scored.
            index: of its item in the data list.
        """
        if self._sources is None or not self._overlays or result.source_shape is None or result.box is None:
            return None
        x0, y0, x1, y1 = result.box
        with _noting([], "overlay"):
            return self._sources.read(index, result.frame, result.source_shape).pixels[:, y0:y1, x0:x1]
        return None

    def _place(self, source: DecodedImage | None, index: int, problems: list[str]) -> ArrayPlace:
        """Return where a NIfTI map lies; by the spacing alone, where the source's own header cannot be used."""
        if source is None or self._sources is None or self._maps != "nifti":
            return place_by_spacing(None)
        with _noting(problems, "place of the map"):
            return self._sources.place(index, source)
        return place_by_spacing(source.spacing)

    def _encode(
        self,
        source_map: npt.NDArray[np.float32],
        anomaly_map: npt.NDArray[np.float32],
        box: tuple[int, int, int, int],
        place: ArrayPlace,
    ) -> bytes:
        if self._maps == "npz":
            return encode_npz_map(source_map, anomaly_map, map_range=self._map_range, box=box)
        if self._maps == "nifti":
            return encode_nifti_map(source_map, self._map_range, place)
        return encode_png_map(source_map, self._map_range)

    def _draw(
        self, picture: npt.NDArray[np.float32], anomaly_map: npt.NDArray[np.float32], box: tuple[int, int, int, int]
    ) -> npt.NDArray[np.uint8]:
        """Draw the overlay, smaller than the picture where that is huge."""
        shape, small_box = shrink_geometry(picture.shape[1:], box, LONGEST_OVERLAY)
        small = resize_image(torch.from_numpy(picture), shape).numpy()
        return draw_overlay(small, map_on_source(anomaly_map, shape, small_box), self._map_range)


def _digest(data: bytes) -> str:
    return stream_digest(io.BytesIO(data), site_key())


@contextmanager
def _noting(problems: list[str], what: str) -> Iterator[None]:
    """Turn whatever goes wrong into one more of the problems, without a path or a value of the file."""
    try:
        yield
    except ImageReadError as error:
        problems.append(f"no {what}: {error.message}")
    except OSError as error:
        problems.append(f"no {what}: {error.strerror or type(error).__name__}")
    except Exception as error:  # one picture is not worth a run
        problems.append(f"no {what}: {type(error).__name__}")
