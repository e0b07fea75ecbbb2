# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

import os
from typing import Any

from monai.deploy.conditions import CountCondition
from monai.deploy.core import Fragment, Operator, OperatorSpec

from monai_anomaly.data.lists.datalist import load_datalist

__all__ = ["FolderOperator"]

BATCH = 32


class FolderOperator(Operator):
    """Finds the images of a folder, as a bundle's inference does, and hands them on, a batch at a time.

    No file is opened here: one that cannot be read, or is too large, gets a record like all others. The SDK's
    ``DICOMDataLoaderOperator`` reads all of them into memory, ends the app at the first that pydicom does not read, and
    leaves out images of a series that are at the same place, such as two acquisitions of a slice.

    Named output:
        images: items of a data list, each with ``image`` (path) and ``name``.

    Args:
        fragment: the app.
        input_folder: the folder.
        source_names: name images as their files are called; else, as those names may hold identifiers, by keyed hashes.
        kwargs: ``name`` and others of the SDK.

    Raises:
        DataListError: when there is no image in the folder.
    """

    def __init__(
        self,
        fragment: Fragment,
        *args: Any,
        input_folder: str | os.PathLike[str],
        source_names: bool = False,
        **kwargs: Any,
    ) -> None:
        self.items = load_datalist(input_folder, "inference", source_names=source_names)
        self._batches = iter([self.items[start : start + BATCH] for start in range(0, len(self.items), BATCH)])
        count = -(-len(self.items) // BATCH)
        super().__init__(fragment, CountCondition(fragment, count), *args, **kwargs)  # else it would run for ever

    def setup(self, spec: OperatorSpec) -> None:
        """Name the output."""
        spec.output("images")

    def compute(self, op_input: Any, op_output: Any, context: Any) -> None:
        """Emit the next batch."""
        op_output.emit(next(self._batches), "images")
