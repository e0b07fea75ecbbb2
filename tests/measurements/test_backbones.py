# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

import torch

from measurements.backbones import main


def test_each_backbone_has_a_line_with_its_parameters(capsys, monkeypatch):
    threads = []
    monkeypatch.setattr(torch, "set_num_threads", threads.append)  # other tests keep theirs
    main(["efficientnet_lite0", "resnet18", "--image_size", "32", "--passes", "1"])
    lines = [line.split() for line in capsys.readouterr().out.splitlines()]
    assert [line[:2] for line in lines] == [["efficientnet_lite0", "3.4"], ["resnet18", "11.2"]]
    assert all(float(line[-2]) > 0.0 for line in lines)
    assert threads == [1]
