# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

from collections.abc import Hashable, Mapping
from typing import Any

import torch
from monai.config.type_definitions import KeysCollection
from monai.data.meta_tensor import MetaTensor
from monai.transforms.transform import MapTransform

from monai_anomaly.bundle.deploy.carried_picture import PICTURE, CarriedPicture
from monai_anomaly.data.errors import ImageReadError
from monai_anomaly.data.frame_source import FrameSource
from monai_anomaly.data.memory_source import memory_source
from monai_anomaly.transforms.preprocessing import Preprocessing

__all__ = ["PreparePictured"]

_OF_A_SERIES = ("row_pixel_spacing", "SeriesInstanceUID", "series_instance_uid", "selection_name")
"""Keys of the metadata that ``DICOMSeriesToVolumeOperator`` writes."""


class PreparePictured(MapTransform):
    """Prepares a picture in memory for the network, exactly as a file: the preprocessing of a Deploy configuration.

    The picture is one of these:

    * what :class:`monai_anomaly.apps.deploy.operators.picture_operator.PictureOperator` emits: a frame as a viewer
      shows it, with what the reader said of it;
    * an array ``(H, W)`` or ``(C, H, W)``, C 1 or 3, of uint8 or bool, or with ``value_range`` (black, white) in its
      metadata.

    A volume of the SDK's ``DICOMSeriesToVolumeOperator`` is refused: it has neither the window nor how many bits are
    stored, leaves ``MONOCHROME1`` as it is and stacks the frames and colors of an instance, and its metadata says none
    of that, so that no score of it is sure to be the file's.

    Args:
        keys: of the picture.
        settings: of the :class:`~monai_anomaly.transforms.preprocessing.Preprocessing`.
    """

    def __init__(self, keys: KeysCollection, settings: Mapping[str, Any]) -> None:
        super().__init__(keys)
        self.preprocessing = Preprocessing(**settings)

    def __call__(self, data: Mapping[Hashable, Any]) -> dict[Hashable, Any]:
        """Return the item with a tensor in place of the picture, and what is known of the picture.

        Raises:
            ImageReadError: for a picture that is none, or of which too little is known.
        """
        item = dict(data)
        for key in self.key_iterator(item):
            prepared = self.preprocessing({"image": self._source(item[key])})
            image = prepared.pop("image")
            item.update(prepared)
            item[key] = MetaTensor(image)
        return item

    def _source(self, image: MetaTensor) -> FrameSource:
        meta: Mapping[str, Any] = getattr(image, "meta", {})
        if PICTURE in meta:
            return CarriedPicture(image.detach().as_subclass(torch.Tensor).cpu().numpy(), meta[PICTURE])
        if any(key in meta for key in _OF_A_SERIES):
            raise ImageReadError(
                "unsupported",
                "a volume of DICOMSeriesToVolumeOperator says neither window nor bits nor polarity, so that its score "
                "would be another than the file's: put PictureOperator of monai_anomaly.apps.deploy in its place.",
            )
        return memory_source(image, self.preprocessing.reader, meta.get("value_range"))
