# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

"""What an app with MONAI Deploy's own bundle operator leaves."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from monai_anomaly.apps.deploy.run_folder import RunFolder
from monai_anomaly.data.errors import ImageReadError
from monai_anomaly.handlers.scoring.inference_files import MAPS_FOLDER
from monai_anomaly.utils.heatmap import encode_levels

__all__ = ["BundleRecords"]


class BundleRecords:
    """Writes ``records.jsonl`` and ``maps/``, gray PNG files of the maps that the operator gave.

    Args:
        output_dir: of a :class:`.RunFolder`.

    Raises:
        ConfigError: for a folder that another run writes into.
    """

    def __init__(self, output_dir: str | os.PathLike[str]) -> None:
        self._run = RunFolder(output_dir)

    def add(self, item: Mapping[str, Any], levels: npt.NDArray[np.uint8], **said: Any) -> None:
        """Write the map and the record of a picture.

        Args:
            item: of a data list.
            levels: uint8 ``(rows, columns)``.
            **said: what else the record says.

        Raises:
            OSError: when something cannot be written.
        """
        name = f"{MAPS_FOLDER}/{self._run.records.counts.total():06d}.png"
        (self._run.path / name).write_bytes(encode_levels(levels))
        self._append(item, "scored", **said, map=name)

    def reject(self, item: Mapping[str, Any], error: ImageReadError) -> None:
        """Write the record of a picture that cannot be read.

        Args:
            item: of a data list.
            error: why.
        """
        self._append(item, "rejected", code=error.code, reason=error.message)

    def finish(self, expected: int) -> None:
        """Put the results in the place of earlier ones; see :meth:`.RunFolder.finish`."""
        self._run.finish(expected)

    def _append(self, item: Mapping[str, Any], status: str, **said: Any) -> None:
        empty = dict.fromkeys(("score", "p_value", "decision", "map", "overlay", "code", "reason"))
        self._run.records.append({"image": item["name"], "status": status, **empty, **said})
        self._run.records.flush()
