# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

import hashlib
import hmac
import os
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from monai_anomaly.utils import identity
from monai_anomaly.utils.exceptions import ConfigError
from monai_anomaly.utils.identity import KEY_VARIABLE, keyed_hash, site_hash, site_key


@pytest.fixture
def home(tmp_path: Path, monkeypatch) -> Path:
    monkeypatch.delenv(KEY_VARIABLE)
    monkeypatch.delenv("XDG_CONFIG_HOME", raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    return tmp_path


def test_the_hash_is_hmac_sha256():
    expected = hmac.new(b"k" * 16, b"patient\x00Jane", hashlib.sha256).hexdigest()[:16]
    assert keyed_hash("Jane", b"k" * 16, "patient") == expected


def test_key_kind_and_text_all_matter():
    hashes = {keyed_hash(text, key, kind) for text in "ab" for key in (b"1" * 16, b"2" * 16) for kind in ("x", "y")}
    assert len(hashes) == 8
    assert keyed_hash("caf\udce9", b"1" * 16) != keyed_hash("cafe", b"1" * 16)  # a file name that is no UTF-8


def test_a_key_is_made_once_and_for_its_user_only(home: Path):
    first = site_hash("file")("a.dcm")
    path = home / ".config" / "monai_anomaly" / "identity.key"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600 and len(path.read_bytes()) == 64
    identity._read_or_make.cache_clear()
    identity._read_key.cache_clear()
    assert site_hash("file")("a.dcm") == first
    assert [p.name for p in path.parent.iterdir()] == [path.name]


def test_processes_that_start_at_once_share_one_key(home: Path):
    command = [sys.executable, "-c", "from monai_anomaly.utils.identity import site_key; print(site_key().hex())"]
    running = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True) for _ in range(4)]
    keys = {process.communicate(timeout=120)[0] for process in running}
    assert len(keys) == 1 and bytes.fromhex(keys.pop().strip()) == site_key()


def test_the_variable_names_another_key(home: Path, monkeypatch):
    (home / "key").write_bytes(b"0123456789abcdef\n")
    monkeypatch.setenv(KEY_VARIABLE, str(home / "key"))
    assert site_key() == b"0123456789abcdef"
    assert not (home / ".config").exists()


@pytest.mark.parametrize("content", [None, b"short"])
def test_a_key_that_is_no_key_is_refused(home: Path, monkeypatch, content):
    if content is not None:
        (home / "key").write_bytes(content)
    monkeypatch.setenv(KEY_VARIABLE, str(home / "key"))
    with pytest.raises(ConfigError, match="key file"):
        site_key()


def test_without_a_place_for_a_key_the_cure_is_named(home: Path):
    (home / ".config").write_text("a file where a folder should be")
    with pytest.raises(ConfigError, match=KEY_VARIABLE):
        site_key()
    assert os.listdir(home) == [".config"]
