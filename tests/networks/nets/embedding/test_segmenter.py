# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

import pytest
import torch

from monai_anomaly.networks.nets.embedding.segmenter import Segmenter


def stages(batch=2):
    torch.manual_seed(0)
    return [50 * torch.rand(batch, 4, 8, 8) + 100, torch.rand(batch, 6, 4, 4), torch.rand(batch, 8, 2, 2)]


def test_logits_have_the_size_of_the_shallowest_stage():
    assert Segmenter([4, 6, 8])(stages()).shape == (2, 1, 8, 8)


def test_the_scale_of_a_stage_does_not_matter():
    torch.manual_seed(0)
    segmenter = Segmenter([4, 6, 8], width=5).train()
    scaled = [factor * stage for factor, stage in zip((10, 0.3, 1e3), stages(8), strict=True)]
    torch.testing.assert_close(segmenter(scaled), segmenter(stages(8)), rtol=5e-2, atol=5e-2)


@torch.no_grad()
def test_an_image_s_logits_do_not_depend_on_its_batch_and_script():
    segmenter = Segmenter([4, 6, 8]).eval()
    whole = segmenter(stages(3))
    torch.testing.assert_close(segmenter([stage[:1] for stage in stages(3)]), whole[:1])
    torch.testing.assert_close(torch.jit.script(segmenter)(stages(3)), whole)


def test_a_single_stage_is_refused():
    with pytest.raises(ValueError, match="at least 2"):
        Segmenter([4])
