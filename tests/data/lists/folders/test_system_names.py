# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

import pytest

from monai_anomaly.data.lists.folders.system_names import is_of_system


@pytest.mark.parametrize(
    "name",
    [
        *("@eaDir", "#recycle", "#snapshot", "$RECYCLE.BIN", "RECYCLER", "System Volume Information", "lost+found"),
        *("__MACOSX", "._a.png", ".DS_Store", ".Trash-1000", ".Trashes", "Thumbs.db", "desktop.ini", "FOUND.000"),
        *("SYNOFILE_THUMB_M.png", "SYNOPHOTO_THUMB_XL.jpg", "SYNOPHOTO:THUMB_S.jpg", "SYNOINDEX_MEDIA_INFO"),
        *("a.png@SynoEAStream", "a.png@SynoResource", "~$list.xlsx", "@Recycle", "@Recently-Snapshot", "trashbox"),
    ],
)
def test_what_a_system_keeps_is_known(name):
    assert is_of_system(name)


@pytest.mark.parametrize("name", ["synovitis_1.png", "SYNOVIAL", "recycle", "eaDir", "a.png", "$1.png", "#1.png", "@1"])
def test_what_a_user_may_have_is_his(name):
    assert not is_of_system(name)
