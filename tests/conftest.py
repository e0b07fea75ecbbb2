# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

"""What all tests share."""

from __future__ import annotations

import os

import pytest

from monai_anomaly.utils.identity import KEY_VARIABLE


@pytest.fixture(scope="session", autouse=True)
def identity_key(tmp_path_factory):
    """A key for hashed names, so that no test makes one in the home of who runs it."""
    path = tmp_path_factory.mktemp("key") / "identity.key"
    path.write_bytes(b"a key for tests, known to everybody")
    before = os.environ.get(KEY_VARIABLE)
    os.environ[KEY_VARIABLE] = str(path)
    yield path
    if before is None:
        del os.environ[KEY_VARIABLE]
    else:
        os.environ[KEY_VARIABLE] = before
