# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

"""The output folder of an app of MONAI Deploy: its results are there when they are complete, and not before."""

from __future__ import annotations

import os
from pathlib import Path

from monai_anomaly.handlers.scoring.inference_files import RECORDS, inference_folder
from monai_anomaly.handlers.scoring.on_disk import check_on_disk
from monai_anomaly.handlers.scoring.record_file import RecordFile
from monai_anomaly.utils.folder_lock import FolderLock

__all__ = ["RunFolder"]


class RunFolder:
    """Results are made in a folder of their own in the output folder, and take the place of earlier ones at the end.

    What ends before that leaves the earlier ones as they were.

    Args:
        output_dir: made where it is missing.

    Attributes:
        path: the run's own folder, with ``maps`` and ``dicom`` in it.
        records: the file of records in it.

    Raises:
        ConfigError: for a folder that another run writes into.
    """

    def __init__(self, output_dir: str | os.PathLike[str]) -> None:
        output = Path(output_dir).expanduser().absolute()
        self._lock = FolderLock({"output": output})
        self._lock.acquire()
        self._folder = inference_folder(output)
        self._folder.recover()
        self._folder.discard()
        self.path = self._folder.begin()
        self.records = RecordFile(self.path / RECORDS)
        self.records.start()

    def finish(self, expected: int) -> None:
        """Put the results in the place of earlier ones.

        Args:
            expected: how many images there were.

        Raises:
            RuntimeError: when an image has no record, or what is on the disk is not what was made.
        """
        check_on_disk(self.records.partial, self.records.counts, expected)
        self.records.finish()
        self._folder.publish()
        self._lock.release()
