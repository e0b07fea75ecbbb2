# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

"""One reader for every file: DICOM, PNG, JPEG, BMP, TIFF, and two-dimensional NIfTI, NRRD and MetaImage."""

from __future__ import annotations

import io
import os
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from os import PathLike
from pathlib import Path
from typing import Any, TypeAlias, cast

import numpy as np
from monai.data.image_reader import ImageReader
from pydicom import Dataset

from monai_anomaly.data.channels import convert_channels
from monai_anomaly.data.dataset_source import LentFile, dataset_bytes
from monai_anomaly.data.decoding.jobs import COUNT, FRAME, MASK, Job, do_job
from monai_anomaly.data.decoding.limited import check_decode_limit, decode_limited, decoding_ahead
from monai_anomaly.data.decoding.open_file import ReadRules, open_dicom, open_file, tell_kind
from monai_anomaly.data.errors import ImageReadError, boundary
from monai_anomaly.data.file_kind import SUFFIXES
from monai_anomaly.data.frame_rule import check_frame_rule, choose_frame, select_frames
from monai_anomaly.data.frame_source import DecodedImage, FrameSource, cut_out
from monai_anomaly.data.kept_pictures import KeptPictures
from monai_anomaly.data.read_limits import ReadLimits
from monai_anomaly.utils.exceptions import ConfigError
from monai_anomaly.utils.identity import site_key

__all__ = ["ClinicalImageReader", "Readable"]

Readable: TypeAlias = PathLike | str | FrameSource | Dataset
"""What is read: a file's path, a picture in memory, or a data set of pydicom."""


class ClinicalImageReader(ImageReader):
    """Turns any supported file into one well-defined image, or raises one named error.

    MONAI's own readers disagree on polarity, swap the axes of a cine, return palette indices as pixels and pass NaN
    through; this one is meant to be called directly, not through ``LoadImage``, which tries other readers on failure.
    What a file is, is decided by its content. The image is what a viewer shows: rows = H, columns = W.

    Args:
        channels: 1 for gray (luma of a color image), 3 for RGB, None to keep what the file has.
        crop_region: crop an ultrasound screen to its picture where the file's region tags can be trusted.
        voi: apply the window or VOI LUT of a DICOM file, the display range of a NIfTI file.
        masks: set to 0 what a DICOM file marks as no picture: padding, and what shutter and collimator hide.
        for_processing: accept the raw image of a DICOM detector, which no viewer shows.
        frames_axis: the stored axis of a NIfTI, NRRD or MetaImage array that counts frames; None refuses arrays with
            more than one.
        value_range: black and white of a NIfTI, NRRD or MetaImage array; see :mod:`monai_anomaly.data.arrays.values`.
        max_pixels: largest frame that is read.
        max_frames: most frames of a file that is read.
        max_bytes: most bytes of a file, decoded.
        decode_limit: seconds of computing for a file, which is then decoded in a process of its own, so that one that
            takes longer, takes too much memory or crashes a decoder is refused like any other; None decodes in this
            process, without a limit on time. Arrays and images of Pillow are always decoded in this process.

    Raises:
        ValueError: for ``channels`` other than 1, 3 and None, or a limit that is none.
        ConfigError: when a DICOM file is read and there is no key for the hashes of its identifiers.

    Example:
        >>> from pydicom import examples
        >>> reader = ClinicalImageReader(channels=1)
        >>> image, meta = reader.get_data(reader.read(examples.get_path("rgb_color")))
        >>> image.shape, meta["modality"], meta["region"]
        ((1, 240, 320), 'US', 'none')
    """

    def __init__(
        self,
        channels: int | None = 1,
        crop_region: bool = True,
        *,
        voi: bool = True,
        masks: bool = True,
        for_processing: bool = False,
        frames_axis: int | None = None,
        value_range: tuple[float, float] | None = None,
        max_pixels: int = ReadLimits.max_pixels,
        max_frames: int = ReadLimits.max_frames,
        max_bytes: int = ReadLimits.max_bytes,
        decode_limit: float | None = None,
    ) -> None:
        super().__init__()
        if channels not in (1, 3, None):
            raise ValueError(f"channels must be 1, 3 or None, got {channels!r}.")
        if value_range is not None and not -np.inf < value_range[0] < value_range[1] < np.inf:
            raise ValueError(f"value_range must be (black, white) with black < white, got {value_range!r}.")
        self.channels = channels
        self.crop_region = crop_region
        self.voi = voi
        self.masks = masks
        self.for_processing = for_processing
        self.decode_limit = check_decode_limit(decode_limit)
        self.frames_axis = frames_axis
        self.value_range = value_range
        self.limits = ReadLimits(max_pixels, max_frames, max_bytes)
        self._kept: KeptPictures | None = None

    def verify_suffix(self, filename: Sequence[PathLike | str] | PathLike | str) -> bool:
        """Return whether the names look like a supported file; names without a suffix may be DICOM."""
        names = [filename] if isinstance(filename, (str, PathLike)) else filename
        return all(not Path(n).suffix or str(n).lower().endswith(SUFFIXES) for n in names)

    def read(  # type: ignore[override]
        self,
        data: Sequence[PathLike | str] | Readable,
        frame: int | None = None,
        *,
        enough: int | None = None,
        **_: Any,
    ) -> DecodedImage:
        """Decode one frame of a file.

        Args:
            data: the file's path (or a sequence with one path, as MONAI's ``LoadImage`` passes it), a ``Dataset`` of
                pydicom, or another picture in memory (see :func:`monai_anomaly.data.memory_source.memory_source`).
            frame: index of the frame of a cine, from 0; None for the middle one.
            enough: rows and columns that are enough: a large JPEG file may be decoded at a half, a quarter or an eighth
                of its size, which is many times as fast (see :func:`monai_anomaly.data.rasters.reduction.reduction`).
                None reads every pixel.

        Raises:
            ImageReadError: whatever is wrong with the file; the only exception that a file can cause.
        """
        path = _one_path(data)
        picture = self._decode(path, frame, enough)
        if self._kept is not None and isinstance(path, (str, PathLike)) and picture.reduced_from is None:
            self._kept.put(os.fspath(path), picture)  # who asks again wants all pixels
        return picture

    def _decode(self, path: Readable, frame: int | None, enough: int | None = None) -> DecodedImage:
        if isinstance(path, (str, PathLike)):
            return cast(DecodedImage, self._ask(FRAME, path, frame, enough=enough))
        source = self.open_dataset(path) if isinstance(path, Dataset) else path
        with boundary("reading the picture"):
            return source.decode(choose_frame(frame, source.frames))

    @contextmanager
    def reading_ahead(self, pictures: Iterable[tuple[Any, int | None]], *, enough: int | None = None) -> Iterator[None]:
        """Have files decoded one after the other while the caller, in this block, is busy with those before.

        It changes nothing of what :meth:`read` returns, and does nothing without ``decode_limit``.

        Args:
            pictures: what this thread will read, in this order: the file and the frame.
            enough: as of :meth:`read`.
        """
        if self.decode_limit is None:
            yield
            return
        with decoding_ahead(self._jobs_ahead(pictures, enough), self.decode_limit):
            yield

    def keep_pictures(self, max_bytes: int) -> None:
        """Keep the pictures of files that are read from now on for :meth:`read_again`.

        Args:
            max_bytes: of the pixels of all that are kept; the newest are.
        """
        self._kept = KeptPictures(max_bytes)

    def read_again(self, data: Readable, frame: int | None = None) -> DecodedImage:
        """Return a frame that was read before: the kept one, once, else as :meth:`read` does, which is not kept.

        Args:
            data: as of :meth:`read`.
            frame: the index of the frame that was read; None for that of a still.

        Raises:
            ImageReadError: as of :meth:`read`.
        """
        kept = (
            self._kept.take(os.fspath(data), frame or 0) if self._kept and isinstance(data, (str, PathLike)) else None
        )
        return self._decode(data, frame) if kept is None else kept

    def read_frames(self, path: PathLike | str, rule: str = "all") -> Iterator[DecodedImage]:
        """Decode several frames of a file one after the other; without ``decode_limit`` its header is checked once.

        Args:
            path: the file's path.
            rule: which frames; see :func:`~monai_anomaly.data.frame_rule.check_frame_rule`.

        Raises:
            ImageReadError: whatever is wrong with the file; frames before a damaged one have been given by then.
            ValueError: for an unknown rule.
        """
        check_frame_rule(rule)
        if self.decode_limit is not None:
            for index in select_frames(rule, self.count_frames(path)):
                yield self.read(path, index)
            return
        job = self._make_job(FRAME, path)
        with open_file(job.path, job.kind, job.rules, job.key) as source:
            for index in select_frames(rule, source.frames):
                yield source.decode(index)

    def count_frames(self, path: Readable) -> int:
        """Return the number of frames of a file or data set from its header; no pixel is decoded.

        Raises:
            ImageReadError: whatever is wrong with the header.
        """
        if isinstance(path, (str, PathLike)):
            return int(self._ask(COUNT, path))
        return self.open_dataset(path).frames if isinstance(path, Dataset) else path.frames

    def open_dataset(self, dataset: Dataset) -> FrameSource:
        """Return the frames of a ``Dataset`` of pydicom in memory, by this reader's rules and limits for files.

        With ``decode_limit`` its bytes lie in a temporary file while the process that decodes looks at them.

        Raises:
            ImageReadError: whatever is wrong with the header.
        """
        content = dataset_bytes(dataset)
        if self.decode_limit is not None:
            return LentFile(content, self._ask)
        key = site_key()
        with boundary("reading the Dataset"):
            return open_dicom(io.BytesIO(content), self._rules(), key)

    def _ask(
        self, task: str, path: PathLike | str, frame: int | None = None, frames: int = 1, enough: int | None = None
    ) -> Any:
        """Return the answer to a question about a file, from this process or from one with limits."""
        job = self._make_job(task, path, frame, frames, enough)
        return do_job(job) if self.decode_limit is None else decode_limited(job, self.decode_limit)

    def _jobs_ahead(self, pictures: Iterable[tuple[Any, int | None]], enough: int | None) -> Iterator[Job]:
        """Yield the questions about files; what is wrong already will be said when the file is read."""
        for data, frame in pictures:
            path = _one_path(data)
            if isinstance(path, (str, PathLike)):
                with suppress(ImageReadError, ConfigError):
                    yield self._make_job(FRAME, path, frame, enough=enough)

    def _make_job(
        self, task: str, path: PathLike | str, frame: int | None = None, frames: int = 1, enough: int | None = None
    ) -> Job:
        kind = tell_kind(path)
        key = site_key() if kind == "dicom" and task != MASK else b""  # its error is the site's, not the file's
        return Job(task, os.path.abspath(path), self._rules(enough), kind, key, frame, frames)

    def _rules(self, enough: int | None = None) -> ReadRules:
        return ReadRules(
            voi=self.voi,
            masks=self.masks,
            for_processing=self.for_processing,
            frames_axis=self.frames_axis,
            value_range=self.value_range,
            limits=self.limits,
            enough=enough,
        )

    def get_data(self, img: DecodedImage) -> tuple[np.ndarray, dict[str, Any]]:
        """Crop to the trusted region, convert to the wanted channels and collect the meta data.

        Args:
            img: what :meth:`read` returned.

        Returns:
            The image, float32 ``(C, H, W)`` in [0, 1] (with fewer pixels than ``box``, where :meth:`read` was told what
            is enough), and an allow list of plain values: ``shape`` of the stored
            frame, ``box`` ``[x0, y0, x1, y1]`` that was cut out of it, ``region``, ``kind``, ``file_format``,
            ``modality``, ``photometric``, ``frames``, ``frame``, ``orientation`` (as stored, 1 to 8), ``voi``,
            ``inverted``, ``spacing`` (``[row, column]`` in mm, empty if unknown), ``spacing_origin``, ``masked`` (share
            of pixels that are no picture), ``year`` (0 where no header says), ``identifiers`` (keyed hashes),
            ``constant``, ``warnings``, ``original_channel_dim``.
        """
        notes = list(img.warnings)
        rows, columns = img.shape
        box = img.box if self.crop_region and img.box else (0, 0, columns, rows)
        pixels = convert_channels(cut_out(img, box), self.channels)
        constant = _is_constant(pixels)
        if constant:
            notes.append("every pixel has the same value")
        meta: dict[str, Any] = {
            "shape": [rows, columns],
            "box": list(box),
            "region": img.region,
            "kind": img.kind,
            "file_format": img.file_format or img.kind,
            "modality": img.modality,
            "photometric": img.photometric,
            "frames": img.frames,
            "frame": img.frame,
            "orientation": img.orientation,
            "voi": img.voi,
            "inverted": img.inverted,
            "spacing": list(img.spacing or ()),
            "spacing_origin": img.spacing_origin,
            "masked": img.masked,
            "year": img.year,
            "identifiers": dict(img.identifiers),
            "constant": constant,
            "warnings": notes,
            "original_channel_dim": 0,
        }
        return pixels, meta

    def read_mask(self, path: PathLike | str, frame: int = 0, frames: int = 1) -> np.ndarray:
        """Read a lesion mask from a file of any kind, uncropped, turned by its own word.

        Args:
            path: the mask's path.
            frame: index of the frame of its image, from 0.
            frames: number of frames of its image; a mask has as many, or one.

        Returns:
            bool ``(H, W)``: every pixel that is not black (in a JPEG: at least half of white).

        Raises:
            ImageReadError: whatever is wrong with the file.
        """
        return cast(np.ndarray, self._ask(MASK, path, frame, frames))


def _one_path(data: Sequence[PathLike | str] | Readable) -> Readable:
    if not isinstance(data, Sequence) or isinstance(data, str):
        return data
    if len(data) != 1:
        raise ValueError(f"data must be one path, got {len(data)}; read one file at a time.")
    return data[0]


def _is_constant(pixels: np.ndarray) -> bool:
    """Return whether all pixels are equal; a few of them answer it for nearly every picture."""
    few = pixels[:, ::16, ::16]
    return bool(few.min() == few.max() and pixels.min() == pixels.max())
