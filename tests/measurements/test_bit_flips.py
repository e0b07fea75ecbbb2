# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

import torch

from measurements.bit_flips import main
from monai_anomaly.utils.checkpoint import save_checkpoint

CONTENT = {"model": {"w": torch.ones(300)}, "spec": {"detector": "SAGAN", "network": {}, "preprocessing": {}}}


def test_every_flip_is_noticed_but_those_of_a_file_without_a_digest(tmp_path, capsys):
    save_checkpoint(CONTENT, tmp_path / "model.pt")
    assert main([str(tmp_path / "model.pt"), "--flips", "40"]) == 0
    assert "40 of 40 flipped bits were noticed\n" in capsys.readouterr().out
    torch.save(CONTENT, tmp_path / "plain.pt")
    assert main([str(tmp_path / "plain.pt"), "--flips", "40"]) == 1
    assert "not those at the bits [" in capsys.readouterr().out
