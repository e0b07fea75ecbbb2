# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

import pytest

from monai_anomaly.utils.exceptions import ConfigError
from monai_anomaly.utils.uid_root import MOST_ROOT, check_uid_root


@pytest.mark.parametrize("root", ["", "1.2", "1.2.826.0.1.3680043.10.1234", "2.16.840.1.0", "2.251", "1." + "9" * 38])
def test_what_a_registry_gives_is_a_root(root: str) -> None:
    assert check_uid_root(root) == root


BROKEN = ("1", "1.2.", ".1.2", "1..2", "1.02", "3.1", "1.2.x", "1.2\n", "\uff11.2", "2.25", "2.25.1", "1." + "9" * 39)


@pytest.mark.parametrize("root", BROKEN)
def test_anything_else_is_an_error_that_names_the_key(root: str) -> None:
    with pytest.raises(ConfigError, match=f"'uid_root'.* at most {MOST_ROOT} characters"):
        check_uid_root(root)
