# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

import pytest
import torch

from monai_anomaly.networks.blocks.segmentation_head import SegmentationHead


def test_logits_have_the_shallowest_map_s_size():
    head = SegmentationHead([4, 6, 8])
    maps = [torch.rand(2, 4, 16, 12), torch.rand(2, 6, 8, 6), torch.rand(2, 8, 4, 3)]
    assert head(maps).shape == (2, 1, 16, 12)


def test_every_stage_matters():
    torch.manual_seed(0)
    head = SegmentationHead([4, 6, 8], [5, 7]).eval()
    maps = [torch.rand(1, 4, 8, 8), torch.rand(1, 6, 4, 4), torch.rand(1, 8, 2, 2)]
    whole = head(maps)
    for i in range(3):
        changed = [torch.zeros_like(m) if j == i else m for j, m in enumerate(maps)]
        assert not torch.allclose(head(changed), whole)


@pytest.mark.parametrize(("widths", "channels"), [([4], None), ([4, 5], [3, 3])])
def test_bad_widths(widths, channels):
    with pytest.raises(ValueError, match="one fewer"):
        SegmentationHead(widths, channels)


@torch.no_grad()
def test_fuses_from_deep_to_shallow_and_is_scriptable():
    torch.manual_seed(0)
    head = SegmentationHead([4, 6, 8], [5, 7]).eval()
    maps = [torch.rand(2, 4, 8, 6), torch.rand(2, 6, 4, 3), torch.rand(2, 8, 2, 2)]
    deep = maps[2].repeat_interleave(2, dim=2)[:, :, :, [0, 0, 1]]  # nearest: columns 0, 2/3 and 4/3
    fused = head.fuse[0](torch.cat([deep, maps[1]], dim=1))
    fused = fused.repeat_interleave(2, dim=2).repeat_interleave(2, dim=3)
    expected = head.out(head.fuse[1](torch.cat([fused, maps[0]], dim=1)))
    torch.testing.assert_close(head(maps), expected)
    torch.testing.assert_close(torch.jit.script(head)(maps), expected)
