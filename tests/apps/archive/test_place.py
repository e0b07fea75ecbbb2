# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

import fsspec
import pytest

from monai_anomaly.apps.archive.place import ResultPlace
from monai_anomaly.utils.exceptions import ConfigError


@pytest.fixture(params=["path", "file", "memory"])
def place(request, tmp_path):
    """A place of results on a drive, by its path or URL, and one in an object store in memory."""
    yield ResultPlace(
        {"path": f"{tmp_path}/out", "file": f"file://{tmp_path}/out", "memory": "memory://out"}[request.param]
    )
    system = fsspec.filesystem("memory")
    if system.exists("/out"):
        system.rm("/out", recursive=True)


def test_what_is_written_is_there(place, tmp_path):
    (tmp_path / "source").write_bytes(b"in a file")
    assert place.names("records") == set() and place.read("records/a") is None
    place.write("records/a", b"first")
    place.write("records/a", b"again")
    place.put("records/b", tmp_path / "source")
    assert place.names("records") == {"a", "b"}
    assert place.read("records/a") == b"again" and place.read("records/b") == b"in a file"
    with place.open("records/b") as file:
        file.seek(3)
        assert file.read(1) == b"a"
    place.note("records/c", b"once")
    place.note("records/c", b"more")
    assert place.names("records") == {"a", "b", "c"} and place.read("records/c") == b"more"
    for name in ("records/a", "records/a", "records/c"):
        place.remove(name)
    assert place.names("records") == {"b"}
    place.clear("records")
    place.clear("records")
    assert place.names("records") == set()
    assert place.folder in (None, tmp_path / "out")


def test_what_a_kill_left_half_written_counts_for_nothing(tmp_path):
    place = ResultPlace(str(tmp_path))
    place.write("records/a", b"whole")
    left = tmp_path / "records" / ".b.tmp-0123456789abcdef"
    left.write_bytes(b"ha")
    assert place.names("records") == {"a"}
    place.clear_unfinished("records")
    assert not left.exists() and place.names("records") == {"a"}


def test_an_unknown_scheme_is_refused():
    with pytest.raises(ConfigError, match="cannot be opened"):
        ResultPlace("nobody://out")
