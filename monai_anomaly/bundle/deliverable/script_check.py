# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

"""What a .ts file would run when it is opened, checked before it is.

TorchScript is a language of its own. Its pickles name no function of Python: PyTorch reads them with a reader that
makes tensors, plain values and the file's own classes only. Its code runs when the file is opened and used, and two of
its operators write and read files; these, and operators and classes of other libraries, are refused.
"""

from __future__ import annotations

import io
import re
import zipfile

from monai_anomaly.utils.exported.archive import safe_members

__all__ = ["check_script"]

_MEMBER = re.compile(
    r"code/[\w./]+\.py|data/\d+|data\.pkl|constants\.pkl|constants/\d+|extra/[\w.]+\.json|version|byteorder|\.data/\w+"
)
_REFUSED = re.compile(
    r"\btorch\s*\.\s*(?:save|from_file|load)\b|\bops\s*\.\s*(?!prim\b)\w+|\btorch\s*\.\s*classes\b|__[gs]etstate__"
)


def check_script(data: io.BytesIO) -> None:
    """Refuse a file of TorchScript that holds more than a detector does.

    Raises:
        ValueError: saying what it holds.
        zipfile.BadZipFile: for what is no archive.
    """
    with zipfile.ZipFile(data) as archive:
        for name, member in safe_members(archive).items():
            if not _MEMBER.fullmatch(name):
                raise ValueError("a member that no detector has")
            if name.startswith("code/") and _REFUSED.search(archive.read(member).decode("utf-8")):
                raise ValueError("code that reads or writes files, or that of another library")
