# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

"""A translated network trains as it does untranslated; these tests need a C++ compiler but for one."""

from __future__ import annotations

import shutil

import pytest
import torch

from monai_anomaly.engines.compiling import compile_networks
from monai_anomaly.utils.exceptions import ConfigError
from tests.helpers.compilers import no_compiler
from tests.helpers.two_players import TwoPlayers, make_trainer

needs_compiler = pytest.mark.skipif(shutil.which("g++") is None, reason="there is no g++")


@pytest.fixture(autouse=True)
def nothing_translated():
    yield
    torch.compiler.reset()


@needs_compiler
def test_a_translated_training_is_near_the_plain_one_and_its_weights_have_the_same_names():
    plain, translated = TwoPlayers(), TwoPlayers()
    make_trainer(plain)[1].run()
    make_trainer(translated, compile=True)[1].run()
    assert translated.state_dict().keys() == plain.state_dict().keys()
    torch.testing.assert_close(translated.state_dict(), plain.state_dict())
    plain.load_state_dict(translated.state_dict())


def test_without_a_compiler_it_is_said_what_is_missing():
    expected = r"C\+\+ compiler.*No working C\+\+ compiler found.*set compile to False"
    with no_compiler(), pytest.raises(ConfigError, match=expected):
        compile_networks([], "cpu")
