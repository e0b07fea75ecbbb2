# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

import logging
import warnings

import pytest

from monai_anomaly.bundle.verbosity import QUIET, set_verbosity, silence_trust_warning
from monai_anomaly.utils.exceptions import ConfigError

NAMES = (*QUIET, "monai_anomaly")


@pytest.fixture
def quiet():
    """Hold the loggers back as ``logging.conf`` does, and put them back afterwards."""
    before = {name: logging.getLogger(name).level for name in NAMES}
    for name in QUIET:
        logging.getLogger(name).setLevel(logging.CRITICAL)
    yield
    for name, level in before.items():
        logging.getLogger(name).setLevel(level)


def test_verbose_lets_all_of_them_talk(quiet):
    set_verbosity(False)
    assert not any(logging.getLogger(name).isEnabledFor(logging.INFO) for name in QUIET)
    set_verbosity(True)
    assert all(logging.getLogger(name).isEnabledFor(logging.INFO) for name in QUIET)
    assert logging.getLogger("monai_anomaly.any").isEnabledFor(logging.DEBUG)


@pytest.mark.parametrize("wrong", ["yes", 1, None])
def test_verbose_is_a_truth_value(wrong):
    with pytest.raises(ConfigError, match="verbose must be True or False"):
        set_verbosity(wrong)


def test_the_trust_warning_is_left_out_and_no_other():
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        silence_trust_warning()
        warnings.warn("parsing config_file x: any ...", stacklevel=1)
        warnings.warn("something else", stacklevel=1)
    assert [str(warning.message) for warning in caught] == ["something else"]
