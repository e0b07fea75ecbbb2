# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

"""Loading of images and masks: the clinical reader as MONAI transforms."""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from os import PathLike
from typing import Any

import numpy as np
import torch
from monai.config.type_definitions import KeysCollection
from monai.transforms.transform import MapTransform, Transform

from monai_anomaly.data.errors import ImageReadError
from monai_anomaly.data.frame_source import cut_out
from monai_anomaly.data.image_reader import ClinicalImageReader, Readable
from monai_anomaly.data.picture_facts import (
    PICTURE_FACTS,
    PICTURE_FORMAT,
    PICTURE_HASHES,
    PICTURE_ORIGIN,
    PICTURE_PLACE,
    picture_facts,
)
from monai_anomaly.data.rasters.lesion_mask import fit_mask

__all__ = ["LoadClinicalImage", "LoadClinicalImaged"]


class LoadClinicalImage(Transform):
    """Loads a file with :class:`~monai_anomaly.data.image_reader.ClinicalImageReader` as a plain tensor.

    MONAI's ``LoadImage`` tries every registered reader until one succeeds and returns a ``MetaTensor``, whose path and
    header values end up in caches and checkpoints; this one does neither.

    Args:
        channels: 1 for gray, 3 for RGB, None to keep what the file has.
        crop_region: crop an ultrasound screen to its picture where the region tags can be trusted.
        min_size: smallest height and width, after the crop, that is accepted.
        enough: rows and columns with which a large JPEG may be decoded; see
            :meth:`~monai_anomaly.data.image_reader.ClinicalImageReader.read`.
        **reader: further arguments of the reader.
    """

    def __init__(
        self,
        channels: int | None = 1,
        crop_region: bool = True,
        *,
        min_size: int = 1,
        enough: int | None = None,
        **reader: Any,
    ) -> None:
        self.reader = ClinicalImageReader(channels, crop_region, **reader)
        self.min_size = min_size
        self.enough = enough

    def __call__(self, data: Readable, frame: int | None = None) -> torch.Tensor:
        """Return the image, float32 ``(C, H, W)`` in [0, 1].

        Args:
            data: the file's path, or a ``Dataset`` of pydicom.
            frame: index of the frame of a cine, from 0; None for the middle one.

        Raises:
            ImageReadError: whatever is wrong with the file.
        """
        return self.load(data, frame)[0]

    def load(self, path: Readable, frame: int | None = None) -> tuple[torch.Tensor, dict[str, Any]]:
        """Return the image and the reader's allow-listed meta data; arguments and errors as in the call.

        The meta data has the :mod:`~monai_anomaly.data.picture_facts` too; of a JPEG that was decoded at a part of its
        size they are those of the part, but for the picture's own rows and columns.
        """
        decoded = self.reader.read(path, frame, enough=self.enough)
        pixels, meta = self.reader.get_data(decoded)
        x0, y0, x1, y1 = meta["box"]
        rows, columns = y1 - y0, x1 - x0
        facts = picture_facts(cut_out(decoded, meta["box"]))  # before the color is gone
        meta.update(facts, rows=rows, columns=columns)
        if min(rows, columns) < self.min_size:
            raise ImageReadError(
                "too_small",
                f"the image is {rows} x {columns} pixels; at least {self.min_size} x {self.min_size} are needed "
                "(min_size).",
            )
        return torch.from_numpy(pixels if pixels.flags.writeable else pixels.copy()), meta


class LoadClinicalImaged(MapTransform):
    """Dictionary form of :class:`LoadClinicalImage`; honors ``frame`` and loads ``mask`` beside the image.

    The mask becomes float32 ``(1, H, W)`` of 0 and 1, turned, chosen by frame and cut as the image is; what one of
    several masks marks is marked. An empty mask path means that nothing is marked. ``frame`` becomes the frame that was
    read, ``warnings`` every fallback of the reader as one string. All items have the first image's
    :mod:`~monai_anomaly.data.picture_facts`: its numbers, ``source_shape`` and ``box``, which say where it was in the
    stored frame, the hashes ``device_hash`` and ``patient_hash``, and ``file_format``, ``photometric``, ``modality``
    and ``year``.

    Args:
        keys: keys of the images.
        channels: as in :class:`LoadClinicalImage`.
        crop_region: as in :class:`LoadClinicalImage`.
        min_size: as in :class:`LoadClinicalImage`.
        enough: as in :class:`LoadClinicalImage`; masks are read whole.
        mask_key: key of the mask that belongs to the first image; items without it are left without a mask.
        meta_key: where to put the first image's meta data; None leaves them out.
        allow_missing_keys: do not fail when an image key is missing.
        **reader: further arguments of the reader.
    """

    def __init__(
        self,
        keys: KeysCollection = ("image",),
        channels: int | None = 1,
        crop_region: bool = True,
        *,
        min_size: int = 1,
        enough: int | None = None,
        mask_key: str = "mask",
        meta_key: str | None = None,
        allow_missing_keys: bool = False,
        **reader: Any,
    ) -> None:
        super().__init__(keys, allow_missing_keys)
        self.loader = LoadClinicalImage(channels, crop_region, min_size=min_size, enough=enough, **reader)
        self.mask_key = mask_key
        self.meta_key = meta_key

    def __call__(self, data: Mapping[Hashable, Any]) -> dict[Hashable, Any]:
        """Return the item with tensors in place of paths.

        Raises:
            ImageReadError: whatever is wrong with the image or the mask.
        """
        item = dict(data)
        notes: list[str] = []
        first: dict[str, Any] | None = None
        for key in self.key_iterator(item):
            item[key], meta = self.loader.load(item[key], item.get("frame"))
            first = first or meta
            notes += meta["warnings"]
        if first is not None and self.mask_key in item:
            item[self.mask_key], more = self._load_masks(item[self.mask_key], first)
            notes += more
        item["warnings"] = "; ".join(notes)
        item["frame"] = first["frame"] if first is not None else -1
        item.update(PICTURE_FACTS | PICTURE_PLACE | PICTURE_ORIGIN)
        if first is not None:
            item.update({key: first[key] for key in PICTURE_FACTS})
            item.update({key: first["identifiers"].get(key.removesuffix("_hash"), "") for key in PICTURE_HASHES})
            item.update({key: first[key] for key in PICTURE_FORMAT})
            item.update(source_shape=tuple(first["shape"]), box=tuple(first["box"]))
        if self.meta_key is not None:
            item[self.meta_key] = first
        return item

    def _load_masks(
        self, paths: Sequence[PathLike | str] | PathLike | str, meta: Mapping[str, Any]
    ) -> tuple[torch.Tensor, list[str]]:
        """Return what any of the masks marks, in the picture that was cut out of the image's frame; and warnings."""
        listed: Sequence[PathLike | str] = [paths] if isinstance(paths, (str, PathLike)) else paths
        x0, y0, x1, y1 = meta["box"]
        joined = np.zeros((y1 - y0, x1 - x0), bool)
        notes: list[str] = []
        for path in (path for path in listed if path):
            whole = self.loader.reader.read_mask(path, meta["frame"], meta["frames"])
            mask, more = fit_mask(whole, shape=meta["shape"], box=meta["box"], orientation=meta["orientation"])
            joined |= mask
            notes += more
        return torch.from_numpy(joined.astype(np.float32))[None], list(dict.fromkeys(notes))
