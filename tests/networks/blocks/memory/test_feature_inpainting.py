# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

import pytest
import torch
from torch import nn

from monai_anomaly.networks.blocks.memory.feature_inpainting import FeatureInpainting
from monai_anomaly.networks.blocks.memory.space_aware_memory import SpaceAwareMemory

GRID, MAP, NARROW = (2, 3), (6, 2, 4), 3
DIM = NARROW * 2 * 4


def _memory(**options):
    return SpaceAwareMemory(**{"locations": 6, "slots": 5, "dim": DIM, "top_k": 2, **options})


def _block(**options):
    torch.manual_seed(0)
    block = FeatureInpainting(GRID, MAP, NARROW, _memory(), heads=2, hidden=8, **options)
    for norm in (block.narrow[1], block.widen[1]):
        nn.init.normal_(norm.weight, 1.0, 0.2)
        nn.init.normal_(norm.bias, 0.3, 0.2)
        norm.running_mean.normal_()
        norm.running_var.uniform_(0.5, 2.0)
    return block.eval()


def _features(images=2, seed=1):
    return torch.rand(images * 6, *MAP, generator=torch.Generator().manual_seed(seed))


def _conv_norm_relu(layers, x):
    """1x1 convolution, batch normalization by running statistics and ReLU of one position, ``(C,)``."""
    convolution, norm = layers[0], layers[1]
    x = convolution.weight[:, :, 0, 0] @ x + (0.0 if convolution.bias is None else convolution.bias)
    x = (x - norm.running_mean) / (norm.running_var + norm.eps).sqrt() * norm.weight + norm.bias
    return x.clamp(min=0.0)


@torch.no_grad()
def test_equals_the_block_patch_by_patch():
    block, features = _block(), _features()
    painted, tokens = block(features)
    filled = block.inpainting(tokens, block.memory(tokens)).reshape(2, 6, NARROW, 2, 4)
    digits = ["000", "100", "010", "110", "001", "101"]  # of 0 to 5, the lowest first
    for image in range(2):
        for patch in range(6):
            token = torch.empty(NARROW, 2, 4)
            code = torch.tensor([float(digit) for digit in digits[patch]])
            for i in range(2):
                for j in range(4):
                    token[:, i, j] = _conv_norm_relu(block.narrow, features[6 * image + patch, :, i, j])
                    joined = torch.cat([filled[image, patch, :, i, j], code])
                    expected = _conv_norm_relu(block.widen, joined)
                    torch.testing.assert_close(painted[6 * image + patch, :, i, j], expected, rtol=1e-4, atol=1e-5)
            torch.testing.assert_close(tokens[image, patch], token.flatten(), rtol=1e-4, atol=1e-5)


@torch.no_grad()
def test_code_of_the_place_has_as_many_digits_as_the_number_of_patches():
    memory = SpaceAwareMemory(locations=4, slots=2, dim=16, top_k=1)
    block = FeatureInpainting((2, 2), (8, 2, 2), 4, memory, heads=2)
    assert block.place.tolist() == [[0, 0, 0], [1, 0, 0], [0, 1, 0], [1, 1, 0]]  # published: floor(log2(P)) + 1
    assert block.widen[0].in_channels == 4 + 3
    assert not [name for name in block.state_dict() if "place" in name]


@torch.no_grad()
def test_images_do_not_mix_and_patches_do():
    block, features = _block(), _features()
    painted, _ = block(features)
    other = features.clone()
    other[0] += 1.0
    difference = (block(other)[0] - painted).flatten(1).abs().amax(dim=1)
    assert (difference[:2] > 1e-6).all()  # the patch itself, as the query, and its neighbor
    assert (difference[6:] == 0.0).all()


def test_without_a_shortcut_nothing_of_a_patch_passes_but_through_the_memory():
    block = _block().train()
    nn.init.zeros_(block.memory.memory)
    first, second = block(_features(4))[0], block(_features(4, seed=2))[0]
    torch.testing.assert_close(first, second)


@torch.no_grad()
def test_shortcut_mixes_whole_positions_in_training_only():
    block, features = _block(shortcut=0.75), _features(200)
    whole = block(features)[0]
    torch.testing.assert_close(whole, _block()(features)[0])
    for norm in (block.narrow[1], block.widen[1]):
        norm.eval()
    block.training = True
    torch.manual_seed(0)
    mixed = block(features)[0]
    remembered, kept = (mixed == whole).all(dim=1), (mixed == features).all(dim=1)
    assert (remembered ^ kept).all()
    assert float(remembered.float().mean()) == pytest.approx(0.75, abs=0.02)  # 9,600 positions: 4.5 deviations
    torch.manual_seed(0)
    assert torch.equal(block(features)[0], mixed)


def test_gradient_reaches_every_parameter():
    block, features = _block(shortcut=0.9).train(), _features(4).requires_grad_()
    block(features)[0].square().sum().backward()
    assert all(p.grad is not None and p.grad.any() for p in block.parameters())
    assert features.grad.any()


@torch.no_grad()
def test_bfloat16_is_close():
    block, features = _block(), _features()
    with torch.autocast("cpu", dtype=torch.bfloat16):
        painted, tokens = block(features)
    torch.testing.assert_close(painted.float(), block(features)[0], rtol=0.1, atol=0.1)
    torch.testing.assert_close(tokens.float(), block(features)[1], rtol=0.1, atol=0.1)


@torch.no_grad()
def test_torchscript_and_channels_last_give_the_same():
    block, features = _block(shortcut=0.5), _features()
    scripted = torch.jit.script(block)
    torch.testing.assert_close(scripted(features), block(features))
    for mode in (True, False):
        results = []
        for x in (features, features.to(memory_format=torch.channels_last)):
            torch.manual_seed(0)
            results.append(block.train(mode)(x)[0])
        torch.testing.assert_close(results[0], results[1])


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"shortcut": 0.0}, "shortcut must lie in"),
        ({"shortcut": 1.5}, "shortcut must lie in"),
        ({"memory": _memory(locations=4)}, "must have 6 locations and dim 24, got 4 and 24"),
        ({"memory": _memory(dim=8)}, "must have 6 locations and dim 24, got 6 and 8"),
        ({"heads": 5}, "heads must divide"),
        ({"neighborhood": 5}, "more neighbors than the grid"),
    ],
)
def test_refuses_arguments_out_of_range(options, message):
    with pytest.raises(ValueError, match=message):
        FeatureInpainting(GRID, MAP, NARROW, **{"memory": _memory(), "heads": 2, **options})
