# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

"""Pictures that were decoded and will be asked for once more, within a bound of memory."""

from __future__ import annotations

import threading

from monai_anomaly.data.frame_source import DecodedImage

__all__ = ["KeptPictures"]

_Key = tuple[str, int]


class KeptPictures:
    """Keeps the newest pictures until they are taken; may be used from several threads.

    Args:
        max_bytes: of the pixels of all; a picture that is larger is not kept.
    """

    def __init__(self, max_bytes: int) -> None:
        self._max_bytes, self._bytes = max_bytes, 0
        self._kept: dict[_Key, DecodedImage] = {}  # the oldest first
        self._lock = threading.Lock()

    def put(self, path: str, picture: DecodedImage) -> None:
        """Keep a picture, in place of one of the same file and frame, and of the oldest where there is no room.

        Args:
            path: of its file.
            picture: one frame.
        """
        with self._lock:
            self._drop((path, picture.frame))
            self._kept[path, picture.frame] = picture
            self._bytes += picture.values.nbytes
            while self._bytes > self._max_bytes:
                self._drop(next(iter(self._kept)))

    def take(self, path: str, frame: int) -> DecodedImage | None:
        """Return a picture, which is kept no more; None where there is none.

        Args:
            path: of its file.
            frame: from 0.
        """
        with self._lock:
            return self._drop((path, frame))

    def _drop(self, key: _Key) -> DecodedImage | None:
        picture = self._kept.pop(key, None)
        self._bytes -= 0 if picture is None else picture.values.nbytes
        return picture
