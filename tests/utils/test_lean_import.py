# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

import gc
import importlib
import sys

import pytest

from monai_anomaly.utils import lean_import


def test_packages_are_hidden_for_a_while(monkeypatch):
    monkeypatch.setattr(lean_import, "HIDDEN", ("colorsys", "json"))
    monkeypatch.delitem(sys.modules, "colorsys", raising=False)
    before = sys.modules["json"]
    assert gc.isenabled()
    with lean_import.hide_optional_packages():
        assert not gc.isenabled()
        with pytest.raises(ModuleNotFoundError):
            importlib.import_module("colorsys")
        assert importlib.import_module("json") is before  # was there already
    assert gc.isenabled()
    gc.unfreeze()
    assert importlib.import_module("colorsys").hls_to_rgb(0, 0, 0) == (0, 0, 0)


def test_an_error_within_hides_nothing_for_good(monkeypatch):
    monkeypatch.setattr(lean_import, "HIDDEN", ("colorsys",))
    monkeypatch.delitem(sys.modules, "colorsys", raising=False)
    with pytest.raises(OSError), lean_import.hide_optional_packages():
        raise OSError
    assert importlib.import_module("colorsys")
