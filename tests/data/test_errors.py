# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest

from monai_anomaly.data.errors import ImageReadError, boundary
from monai_anomaly.data.image_reader import ClinicalImageReader

CANARY = "/home/ZZCANARY/DOE^JANE.dcm"


def _recurse() -> None:
    _recurse()


@pytest.mark.parametrize(
    ("error", "code", "words"),
    [
        (FileNotFoundError(errno.ENOENT, "no", CANARY), "not_found", "does not exist"),
        (NotADirectoryError(errno.ENOTDIR, "no", CANARY), "not_found", "does not exist"),
        (PermissionError(errno.EACCES, "no", CANARY), "unreadable", "grant permission"),
        (IsADirectoryError(errno.EISDIR, "no", CANARY), "unreadable", "this is a folder"),
        (OSError(errno.EIO, "no", CANARY), "unreadable", "cannot be read (Input/output error); make it readable"),
        (OSError(errno.ELOOP, "no", CANARY), "unreadable", "Too many levels of symbolic links"),
        (OSError(errno.ENAMETOOLONG, "no", CANARY), "unreadable", "File name too long"),
        (OSError(f"broken data stream {CANARY}"), "decode_failed", "decoding failed (OSError)"),
        (MemoryError(CANARY), "budget", "ran out of memory"),
        (RecursionError(CANARY), "budget", "went deeper than any image needs"),
        (EOFError(CANARY), "truncated", "the file ended"),
        (StopIteration(CANARY), "decode_failed", "(StopIteration)"),
        (ValueError(CANARY), "decode_failed", "(ValueError)"),
        (SystemError(CANARY), "decode_failed", "(SystemError)"),
    ],
)
def test_whatever_a_library_raises_is_one_sentence_with_a_code(error, code, words):
    with pytest.raises(ImageReadError) as caught, boundary("decoding"):
        raise error
    assert caught.value.code == code and words in caught.value.message
    assert caught.value.message.endswith(".") and "\n" not in caught.value.message and "CANARY" not in str(caught.value)


def test_a_stack_that_overflows_is_one_sentence():
    with pytest.raises(ImageReadError, match="budget: reading went deeper"), boundary("reading"):
        _recurse()


@pytest.mark.parametrize("interruption", [KeyboardInterrupt, SystemExit, GeneratorExit])
def test_who_interrupts_is_obeyed(interruption):
    with pytest.raises(interruption), boundary("decoding"):
        raise interruption


@pytest.mark.parametrize("limit", [None, 60])
def test_what_is_no_file_is_said(tmp_path: Path, limit):
    reader = ClinicalImageReader(decode_limit=limit)
    (tmp_path / "x.png").mkdir()
    os.mkfifo(tmp_path / "pipe.dcm")
    (tmp_path / "device.png").symlink_to("/dev/zero")
    (tmp_path / "empty.png").touch()
    ends = {}
    for name in ("x.png", "pipe.dcm", "device.png", "empty.png", "none.png", "empty.png/x.png", "a" * 300):
        with pytest.raises(ImageReadError) as caught:
            reader.read(tmp_path / name)
        ends[name] = caught.value.code
    assert list(ends.values()) == ["unreadable"] * 3 + ["not_dicom"] + ["not_found"] * 2 + ["unreadable"]
