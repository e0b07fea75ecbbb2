# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

import json
import math
import tempfile
from pathlib import Path

import pytest

from measurements.timings import main, time_bundle
from monai_anomaly.phantom.phantom import make_phantom
from monai_anomaly.utils.exceptions import ConfigError
from tests.helpers.repository import ROOT
from tests.helpers.tiny_bundles import TINY

BUNDLE = ROOT / "bundles" / "sepiad"


@pytest.fixture(scope="module")
def phantom(tmp_path_factory) -> Path:
    return make_phantom(tmp_path_factory.mktemp("data") / "phantom", num_train=8, num_val=4, num_test=2, progress=False)


@pytest.fixture
def temporary(tmp_path, monkeypatch) -> Path:
    """Return the only folder where temporary files can be."""
    folder = tmp_path / "temporary"
    folder.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(folder))
    return folder


def test_both_ratios_are_measured_and_nothing_is_left(phantom, temporary, tmp_path, capsys):
    overrides = [f"--train={k}={json.dumps(v)}" for k, v in {**TINY["sepiad"], "dataset_dir": str(phantom)}.items()]
    sizes = ["--images=5", "--rounds=2", "--iterations=2", "--inference=batch_size=4", '--inference=device="cpu"']
    path = tmp_path / "numbers.json"
    assert main([f"--bundle={BUNDLE}", f"--json={path}", *sizes, *overrides]) == 0

    numbers = json.loads(path.read_text())
    for name in ("training", "scoring", "scoring_files", "two_cores"):
        assert len(numbers[name]["ratios"]) == 2
        assert all(math.isfinite(r) and r > 0 for r in numbers[name]["ratios"])
        assert min(numbers[name]["ratios"]) == numbers[name]["ratio_min"]
    assert numbers["training"]["units_per_round"] == 2
    table = capsys.readouterr().out.splitlines()
    rows = ["training iteration", "scoring 5 PNG, records alone", "scoring 5 PNG, with maps, overlays, page"]
    assert table[0] == "sepiad" and [line.split("  ")[0] for line in table[2:5]] == rows
    assert (numbers["scoring"]["bar"], numbers["scoring"]["bar_clock"]) == (1.4, "cpu")
    assert not any(line.startswith(("Inference:", "Records:")) for line in table)
    assert list(temporary.iterdir()) == []


def test_an_error_leaves_nothing_either(phantom, temporary):
    with pytest.raises(ConfigError, match="no key 'batch_sise'; the nearest known is 'batch_size'"):
        time_bundle(
            BUNDLE,
            images=1,
            rounds=1,
            iterations=1,
            train={**TINY["sepiad"], "dataset_dir": str(phantom)},
            inference={"batch_sise": 4},
        )
    assert list(temporary.iterdir()) == []


def test_folder_that_is_no_bundle(tmp_path, temporary, capsys):
    assert main([f"--bundle={tmp_path}"]) == 1
    assert "is no bundle" in capsys.readouterr().err
    assert list(temporary.iterdir()) == []


@pytest.mark.parametrize("arguments", [["--rounds=0"], ["--images=many"], ["--train=batch_size"]])
def test_senseless_command_line(arguments, capsys):
    with pytest.raises(SystemExit) as error:
        main(arguments)
    assert error.value.code == 2
    assert "usage: python -m measurements.timings" in capsys.readouterr().err
