# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

import torch

from measurements.attention_memory import FORMS, main, plain_attention
from monai_anomaly.networks.blocks.self_attention import SelfAttentionBlock


def test_the_plain_form_is_the_block():
    torch.manual_seed(0)
    block = SelfAttentionBlock(8, heads=2, head_dim=4)
    x = torch.randn(2, 8, 3, 5)
    torch.testing.assert_close(plain_attention(block, x), block(x), rtol=0.0, atol=1e-5)


def test_both_forms_are_measured(capsys):
    # 1,024 positions and 4 heads: one tensor of scores has 16 MiB, and a gradient needs several
    main(["--batch_size", "1", "--channels", "8", "--size", "32"])
    lines = [line.split() for line in capsys.readouterr().out.splitlines()]
    assert [line[0] for line in lines] == list(FORMS)
    assert lines[0][-1] == lines[1][-1]  # the same gradient
    assert float(lines[1][1]) > float(lines[0][1]) + 16.0
