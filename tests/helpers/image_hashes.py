# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

"""What the reader makes of files, as hashes that two processes can compare."""

from __future__ import annotations

import hashlib
import json
import os

from monai_anomaly.data.image_reader import ClinicalImageReader

READERS = ("itk", "pydicom", "nvimgcodec", "nonsense")
"""Values of MONAI_DICOM_READER, by which MONAI's own LoadImage chooses who reads DICOM."""


def hash_all(files: list[tuple[str, str, int | None, int | None]]) -> dict[str, str]:
    """Return the hash of what is read of every file; the same for every value of the variable."""
    found: dict[str, str] = {}
    for variable in (os.environ.get("MONAI_DICOM_READER", ""), *READERS):
        os.environ["MONAI_DICOM_READER"] = variable
        for name, path, frame, axis in files:
            reader = ClinicalImageReader(channels=None, frames_axis=axis)
            image, meta = reader.get_data(reader.read(path, frame))
            content = image.tobytes() + json.dumps([image.shape, meta["photometric"], meta["inverted"]]).encode()
            assert found.setdefault(name, hashlib.sha256(content).hexdigest()) == hashlib.sha256(content).hexdigest()
    return found
