# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

import pytest

from measurements import processes, requested_training
from measurements.processes import main
from tests.helpers.fake_trainings import FakeTraining
from tests.helpers.tiny_bundles import bundle_root


class Training(FakeTraining):
    """Two processes take a quarter longer than one."""

    def __init__(self, bundle, iterations, variables, processes=1):
        assert variables["OMP_NUM_THREADS"] == "1"
        super().__init__(1.0 if processes == 1 else 1.25)


@pytest.mark.parametrize("bundle", ["sepiad", "simsid"])
def test_rates_and_their_ratio(monkeypatch, capsys, bundle):
    monkeypatch.setattr(processes, "RequestedTraining", Training)
    assert main(["--bundle", str(bundle_root(bundle)), "--rounds", "3", "--iterations", "2"]) == 0
    one, two, ratio, _ = capsys.readouterr().out.splitlines()
    rates = [float(line.split("median")[1].split()[0]) for line in (one, two, ratio)]
    assert rates[0] > 0 and rates[1] == 1.6 * rates[0] and rates[2] == 1.6


def test_a_single_process_knows_of_no_other_and_two_of_each_other():
    assert requested_training._ranks(1) == [{}]
    first, second = requested_training._ranks(2)
    assert (first["RANK"], second["RANK"]) == ("0", "1") and first["WORLD_SIZE"] == "2"
    assert first["MASTER_PORT"] == second["MASTER_PORT"]
