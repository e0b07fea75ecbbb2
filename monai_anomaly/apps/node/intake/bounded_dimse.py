# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

"""Messages of an association with bounds: objects go to a file as they come, all else stays small."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import IO

from pydicom.filebase import DicomFileLike
from pydicom.filewriter import write_file_meta_info
from pynetdicom.association import Association
from pynetdicom.dimse import DIMSEServiceProvider
from pynetdicom.dimse_messages import C_STORE_RQ
from pynetdicom.dsutils import create_file_meta
from pynetdicom.pdu_primitives import P_DATA

from monai_anomaly.apps.node.intake.incoming import new_part

__all__ = ["BoundedDimse"]

SMALL_BYTES = 64 * 1024  # of a command, and of the data of any message but C-STORE
WAITING = 2  # objects that were received and not yet answered; a sender waits for each answer
IS_COMMAND, IS_LAST = 1, 2  # PS3.8 E.2


class BoundedDimse(DIMSEServiceProvider):
    """Write the data set of each C-STORE request to a file while it comes in.

    pynetdicom's own way of doing so has no limit, keeps the file in the system's folder, and takes any other message's
    data into memory. Here a sender that goes past a bound ends its association, and its file is removed. The message
    that the handler of C-STORE sees has the file's name as its data set; see :meth:`take`.

    Args:
        assoc: the association.
        folder: where the files are made; in the spool's file system.
        max_bytes: of one object.
        refused: called with a code when a bound is passed.
    """

    def __init__(self, assoc: Association, folder: Path, max_bytes: int, refused: Callable[[str], None]) -> None:
        super().__init__(assoc)
        self.folder = folder
        self.max_bytes = max_bytes
        self.refused = refused
        self._file: IO[bytes] | None = None
        self._name = b""
        self._failed = False  # the disk was full: the rest is dropped, and the answer says so
        self._received: dict[bytes, bool] = {}  # name of a file: whether it is whole
        self._bytes = 0
        self._ended = False

    def receive_primitive(self, primitive: P_DATA) -> None:
        """Process what came in, fragment by fragment.

        Args:
            primitive: one or more fragments of a message.
        """
        for context_id, value in primitive.presentation_data_value_list:
            if self._ended:
                return
            try:
                self._receive(context_id, value)
            except (
                Exception
            ):  # whatever a forged command makes pynetdicom raise: the association's end, not the thread's
                self._end("bad_message")

    def take(self, name: bytes) -> tuple[Path, bool]:
        """Return the file of a C-STORE request, which is the caller's from now on, and whether it is whole.

        Args:
            name: the data set of the request, as the handler sees it.
        """
        return self.folder / name.decode(), self._received.pop(name, False)

    def discard(self) -> None:
        """Remove the files of objects that were not answered: the association ended."""
        self._ended = True
        if self._file is not None:
            self._file.close()
            self._file = None
        for name in list(self._received):
            (self.folder / name.decode()).unlink(missing_ok=True)
        self._received.clear()

    def _receive(self, context_id: int, value: bytes) -> None:
        """Process one fragment."""
        control = value[0]
        self._bytes += len(value) - 1
        if control & IS_COMMAND or self._file is None:
            if self._bytes > SMALL_BYTES:
                return self._end("too_large")
            self._pass_on(context_id, value)
            if isinstance(self.message, C_STORE_RQ) and control & IS_COMMAND and control & IS_LAST:
                self._begin(context_id)
        elif self._bytes > self.max_bytes:
            return self._end("too_large")
        else:
            self._write(value[1:])
            if control & IS_LAST:
                self._finish(context_id, self._file)
        if control & IS_LAST:
            self._bytes = 0
        return None

    def _begin(self, context_id: int) -> None:
        """Make the file of an object, with the file meta information that its message stands for."""
        assert self.message is not None
        context = self.assoc._accepted_cx.get(context_id)
        if context is None or len(self._received) >= WAITING:
            return self._end("bad_message")
        command = self.message.command_set
        meta = create_file_meta(
            sop_class_uid=command.AffectedSOPClassUID,
            sop_instance_uid=command.AffectedSOPInstanceUID,
            transfer_syntax=context.transfer_syntax[0],
        )
        try:
            self._file, path = new_part(self.folder)
        except OSError:
            self.refused("no_room")
            return self._end("no_room")
        self._failed = False
        self._name = path.name.encode()
        self._received[self._name] = False
        self._write(b"\0" * 128 + b"DICM")
        try:
            write_file_meta_info(DicomFileLike(self._file), meta)
        except OSError:
            self._failed = True
        return None

    def _write(self, content: bytes) -> None:
        """Write, unless the disk was full before."""
        assert self._file is not None
        try:
            if not self._failed:
                self._file.write(content)
        except OSError:
            self._failed = True

    def _finish(self, context_id: int, file: IO[bytes]) -> None:
        """Close the file and hand the message on with the file's name as its data set."""
        self._file = None
        try:
            file.close()
        except OSError:
            self._failed = True
        self._received[self._name] = not self._failed
        self._pass_on(context_id, bytes([IS_LAST]) + self._name)

    def _pass_on(self, context_id: int, value: bytes) -> None:
        """Let pynetdicom process a fragment."""
        primitive = P_DATA()
        primitive.presentation_data_value_list = [[context_id, value]]  # type: ignore[list-item] # it takes lists only
        super().receive_primitive(primitive)

    def _end(self, code: str) -> None:
        """End the association, as an unexpected PDU does (PS3.8, Evt19)."""
        self.refused(code)
        self.discard()
        self.dul.event_queue.put("Evt19")
