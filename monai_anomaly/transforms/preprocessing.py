# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

"""From a file to what a network takes; the one place where this is decided for training, evaluation and inference."""

from __future__ import annotations

from collections.abc import Hashable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import torch
import torch.nn.functional as F
from monai.transforms.compose import Compose
from monai.transforms.transform import Transform

from monai_anomaly.data.image_reader import Readable
from monai_anomaly.transforms.intensity import NormalizeImage
from monai_anomaly.transforms.load import LoadClinicalImaged
from monai_anomaly.transforms.sharpness import EqualizeSharpness

__all__ = ["MARGIN", "VERSIONS", "Preprocessing", "resize_image", "resize_mask"]

VERSIONS = (1, 2)
"""Of the preprocessing, in a checkpoint's ``spec``: what is changed so that pixels differ gets another one."""

MARGIN = 3
"""Pixels of a JPEG for one of the network's, at least and in each direction, where not all are decoded.

The triangle filter of the resizing reaches over two of the network's pixels, so what the cosine transform leaves out is
what it would have taken out. With 3, pictures with any detail differ by .3 gray levels of 255 (root of the mean
square), which is what rounding to 8 bits does; with 2 by .9, with 4 by .25."""


def resize_image(image: torch.Tensor, size: tuple[int, int]) -> torch.Tensor:
    """Squash an image to a size with an antialiased triangle filter; never leave the image's range of values.

    Args:
        image: float ``(C, H, W)``.
        size: ``(rows, columns)`` of the result.
    """
    if tuple(image.shape[-2:]) == size:
        return image
    return F.interpolate(image[None], size, mode="bilinear", align_corners=False, antialias=True)[0]


def resize_mask(mask: torch.Tensor, size: tuple[int, int]) -> torch.Tensor:
    """Resize a mask of 0 and 1; a pixel belongs to the result if at least half of its area did.

    Args:
        mask: float ``(1, H, W)``.
        size: ``(rows, columns)`` of the result.
    """
    if tuple(mask.shape[-2:]) == size:
        return mask
    return (F.interpolate(mask[None], size, mode="area")[0] >= 0.5).to(mask.dtype)


class Preprocessing(Compose):
    """Load, resize, normalize: takes items of a data list, returns tensors in ``image`` and, where given, ``mask``.

    It is a MONAI ``Compose`` over dictionaries, but calls its steps directly: an unreadable file stays an
    ``ImageReadError`` (``Compose`` hides it in a ``RuntimeError``), and no time goes into lazy resampling. MONAI's
    ``Resize`` with anti-aliasing blurs with a Gaussian first and costs ten times as much.

    Args:
        image_size: height and width of the result; the aspect ratio is given up.
        channels: 1 for gray, 3 for RGB.
        intensity: ``"none"``, ``"zscore"`` or ``"percentile"``; see
            :class:`~monai_anomaly.transforms.intensity.NormalizeImage`.
        crop_region: crop an ultrasound screen to its picture where the region tags can be trusted.
        min_size: smallest height and width of the picture that is accepted.
        voi: apply the window or VOI LUT of a DICOM file.
        masks: set to 0 what a DICOM file marks as no picture: padding, and what shutter and collimator hide.
        for_processing: accept the raw image of a DICOM detector, which no viewer shows.
        frames_axis: the stored axis of a NIfTI, NRRD or MetaImage array that counts frames.
        value_range: black and white of such an array whose header does not say.
        meta_key: where to put the reader's meta data; None leaves them out.
        sharpness: blur images that are sharper than this, at ``image_size`` and before the intensity is normalized; see
            :class:`~monai_anomaly.transforms.sharpness.EqualizeSharpness`. None leaves them as they are.
        version: 2 decodes large JPEG files with no more pixels than resizing needs, at least :data:`MARGIN` times
            ``image_size`` in both directions; 1 decodes all of them, as checkpoints without a version had it.
        decode_limit: seconds of computing for a file, in a process of its own; None decodes in this one, see
            :class:`~monai_anomaly.data.image_reader.ClinicalImageReader`. It changes no pixel and is not in ``spec``.

    Attributes:
        reader: the :class:`~monai_anomaly.data.image_reader.ClinicalImageReader` that it reads with.
        intensity: the :class:`~monai_anomaly.transforms.intensity.NormalizeImage` that is its last step.

    Raises:
        ValueError: for a value that is not allowed.
    """

    def __init__(
        self,
        image_size: int = 64,
        channels: int = 1,
        *,
        intensity: str = "none",
        crop_region: bool = True,
        min_size: int = 32,
        voi: bool = True,
        masks: bool = True,
        for_processing: bool = False,
        frames_axis: int | None = None,
        value_range: tuple[float, float] | None = None,
        meta_key: str | None = None,
        sharpness: float | None = None,
        version: int = 1,
        decode_limit: float | None = None,
    ) -> None:
        if version not in VERSIONS:
            raise ValueError(f"version must be one of {', '.join(map(str, VERSIONS))}, got {version!r}.")
        if channels not in (1, 3):
            raise ValueError(f"channels must be 1 or 3, got {channels!r}.")
        for name, value in (("image_size", image_size), ("min_size", min_size)):
            if not isinstance(value, int) or value < 1:
                raise ValueError(f"{name} must be a positive whole number, got {value!r}.")
        reader: dict[str, Any] = {
            "voi": voi,
            "masks": masks,
            "for_processing": for_processing,
            "frames_axis": frames_axis,
            "value_range": value_range,
        }
        self._enough = None if version == 1 else MARGIN * image_size
        load = LoadClinicalImaged(
            *(("image",), 1 if channels == 1 else None, crop_region),
            min_size=min_size,
            enough=self._enough,
            meta_key=meta_key,
            decode_limit=decode_limit,
            **reader,
        )
        equalize = None if sharpness is None else EqualizeSharpness(sharpness)
        self.intensity = NormalizeImage(intensity)
        super().__init__([load, _Fit(image_size, channels, equalize), _Normalize(self.intensity)])
        self.reader = load.loader.reader
        self.image_shape = (channels, image_size, image_size)
        self._spec = {
            "image_size": image_size,
            "channels": channels,
            "intensity": intensity,
            "crop_region": crop_region,
            "min_size": min_size,
            "meta_key": meta_key,
            "sharpness": sharpness,
            "version": version,
            **reader,
        }

    @property
    def spec(self) -> dict[str, Any]:
        """The arguments, as plain values: ``Preprocessing(**spec)`` makes the same preprocessing."""
        return dict(self._spec)

    def count_frames(self, path: Readable) -> int:
        """Return the number of frames of a file, from its header.

        Raises:
            ImageReadError: whatever is wrong with the header.
        """
        return self.reader.count_frames(path)

    @contextmanager
    def reading_ahead(self, items: Sequence[Mapping[Hashable, Any]]) -> Iterator[None]:
        """Have the files of items decoded one after the other while, in this block, those before are preprocessed.

        It changes no result, and does nothing without ``decode_limit``, nor for items with masks, which are read in
        between.

        Args:
            items: what this thread will preprocess, in this order.
        """
        if any("mask" in item for item in items):
            yield
            return
        pictures = [(item["image"], item.get("frame")) for item in items]
        with self.reader.reading_ahead(pictures, enough=self._enough):
            yield

    def prepare(self, item: Mapping[Hashable, Any]) -> dict[Hashable, Any]:
        """Return an item with all steps done but the last, the intensity; for caches, as that is quick to do again.

        Raises:
            ImageReadError: whatever is wrong with the file.
        """
        prepared: dict[Hashable, Any] = self(item, end=-1)
        return prepared

    def __call__(  # type: ignore[override]
        self, input_: Any, start: int = 0, end: int | None = None, threading: bool = False, lazy: bool | None = None
    ) -> Any:
        """Return the preprocessed item, or the list of them for a list.

        Args:
            input_: an item with ``image`` (a path, a ``Dataset`` of pydicom, or another picture in memory) and possibly
                ``mask`` and ``frame``.
            start: first step to run, as in ``Compose``.
            end: step before which to stop, as in ``Compose``.
            threading: ignored; the steps keep no state.
            lazy: ignored.

        Raises:
            ImageReadError: whatever is wrong with the file.
        """
        if isinstance(input_, (list, tuple)):
            return [self(item, start, end) for item in input_]
        for step in self.transforms[start:end]:
            input_ = step(input_)
        return input_


class _Fit(Transform):
    """Resizes image and mask, makes gray RGB where that is wanted, and blurs the image where that is."""

    def __init__(self, image_size: int, channels: int, equalize: EqualizeSharpness | None = None) -> None:
        self.size = (image_size, image_size)
        self.channels = channels
        self.equalize = equalize

    def __call__(self, data: Mapping[Hashable, Any]) -> dict[Hashable, Any]:
        item = dict(data)
        image = resize_image(item["image"], self.size)
        if len(image) != self.channels:  # once there are few pixels; each channel has the same values either way
            image = image.repeat(self.channels, 1, 1)
        item["image"] = image if self.equalize is None else self.equalize(image)
        if "mask" in item:
            item["mask"] = resize_mask(item["mask"], self.size)
        return item


class _Normalize(Transform):
    """Normalizes the image's intensity."""

    def __init__(self, intensity: NormalizeImage) -> None:
        self.intensity = intensity

    def __call__(self, data: Mapping[Hashable, Any]) -> dict[Hashable, Any]:
        return {**data, "image": self.intensity(data["image"])}
