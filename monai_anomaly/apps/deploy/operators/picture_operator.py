# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from typing import Any

from monai.deploy.conditions import CountCondition
from monai.deploy.core import Fragment, Image, Operator, OperatorSpec

from monai_anomaly.bundle.deploy.carried_picture import PICTURE, CarriedPicture, picture_meta
from monai_anomaly.bundle.trained_detector import TrainedDetector
from monai_anomaly.data.errors import ImageReadError
from monai_anomaly.data.lists.datalist import load_datalist
from monai_anomaly.utils.exceptions import ConfigError

__all__ = ["PictureOperator"]


class PictureOperator(Operator):
    """Hands the pictures of a folder on, one at a time, as the SDK's ``MonaiBundleInferenceOperator`` takes them.

    It stands in the place of ``DICOMDataLoaderOperator``, ``DICOMSeriesSelectorOperator`` and
    ``DICOMSeriesToVolumeOperator``: an ``Image`` holds the frame as a viewer shows it, float32 ``(C, rows, columns)``
    in [0, 1], and in its metadata what the reader said of it. Of a cine it is the middle frame.

    Named outputs:
        image: an ``Image``.
        item: of a data list, with ``image`` (path) and ``name``.

    Args:
        fragment: the app.
        input_folder: the folder.
        model: the detector's ``.ts`` file, which says how pictures are read.
        rejected: is told of each file that cannot be read, and why.
        source_names: as of :class:`.FolderOperator`.
        decode_limit: seconds of computing for a file, which is decoded in a process of its own.
        kwargs: ``name`` and others of the SDK.

    Raises:
        ConfigError: for a detector that takes more of a cine than its middle frame.
        CheckpointError: when there is no such file, or it is damaged.
        DataListError: when there is no image in the folder.
    """

    def __init__(
        self,
        fragment: Fragment,
        *args: Any,
        input_folder: str | os.PathLike[str],
        model: str | os.PathLike[str],
        rejected: Callable[[Mapping[str, Any], ImageReadError], None],
        source_names: bool = False,
        decode_limit: float | None = 10,
        **kwargs: Any,
    ) -> None:
        trained = TrainedDetector.read(model)
        trained.require_data()
        rule = trained.spec["data"]["frames"]
        if rule != "middle":
            raise ConfigError(
                f"the detector scores the frames '{rule}' of a cine together, and the bundle's operator takes one at a "
                "time: use AnomalyOperator."
            )
        self._preprocessing = trained.preprocessing_within(decode_limit)
        self._rejected = rejected
        self.items = load_datalist(input_folder, "inference", source_names=source_names)
        self._left = iter(self.items)
        count = CountCondition(fragment, len(self.items))  # else it would run for ever
        super().__init__(fragment, count, *args, **kwargs)

    def setup(self, spec: OperatorSpec) -> None:
        """Name the outputs."""
        spec.output("image")
        spec.output("item")

    def compute(self, op_input: Any, op_output: Any, context: Any) -> None:
        """Emit the next picture, if it can be read."""
        item = next(self._left)
        try:
            picture = self._preprocessing.reader.read(item["image"], item.get("frame"))
            carried = picture_meta(picture)
            self._preprocessing({"image": CarriedPicture(picture.pixels, carried[PICTURE])}, end=1)  # large enough?
        except ImageReadError as error:
            self._rejected(item, error)
            return
        op_output.emit(Image(picture.pixels, carried), "image")
        op_output.emit(item, "item")
