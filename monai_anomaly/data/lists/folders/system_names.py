# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

"""Names of what operating systems and network drives keep beside the user's files: bins, thumbnails, indices."""

from __future__ import annotations

import re

__all__ = ["is_of_system"]

FOLDERS = frozenset(
    {
        *("$recycle.bin", "recycler", "recycled", "system volume information", "found.000", "$extend"),
        *("#recycle", "#snapshot", "@eadir", "@tmp", "@sharebin", "@recycle", "@recently-snapshot", "@__thumb"),
        *("__macosx", "lost+found", "~snapshot", "network trash folder", "temporary items", "trashbox"),
    }
)
FILES = frozenset({"thumbs.db", "ehthumbs.db", "ehthumbs_vista.db", "desktop.ini", "icon\r", "pspbrwse.jbf"})
DRIVE_FILES = re.compile(
    r"syno(file|index|photo|video|audio|music|note)([_:.@].*)?|.*@syno(resource|eastream)|~\$.*", re.DOTALL
)
"""What a Synology drive keeps of a file (not every name with ``syno``: a joint has a synovial membrane), and what an
office program does while a file is open."""


def is_of_system(name: str) -> bool:
    """Return whether a file or folder of this name is the system's, not the user's; hidden ones are, too.

    Example:
        >>> [name for name in ("@eaDir", "SYNOFILE_THUMB_M.png", "._a.png", "synovitis_1.png") if is_of_system(name)]
        ['@eaDir', 'SYNOFILE_THUMB_M.png', '._a.png']
    """
    lower = name.lower()
    return name.startswith(".") or lower in FOLDERS or lower in FILES or bool(DRIVE_FILES.fullmatch(lower))
