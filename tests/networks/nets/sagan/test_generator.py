# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

import copy
import math
import warnings

import pytest
import torch
from torch import nn
from torch.nn import functional as F

from monai_anomaly.networks.nets.sagan.generator import SAGANGenerator
from tests.helpers.onnx_runs import run_as_onnx

OURS: dict[str, object] = {}
PUBLISHED = {"position": "official", "gate_norm": "instance", "norm": "patch", "mask": "official"}
QUARTER = {"image_size": 64, "unshuffle": 2}  # everything on a quarter of the positions


def _generator(image_size=32, in_channels=1, **options):
    """A small one in evaluation mode; everything that starts at zero or one is moved from there."""
    torch.manual_seed(0)
    generator = SAGANGenerator(image_size, in_channels, **{"channels": 4, "residual_blocks": 1, **options})
    for name, parameter in generator.named_parameters():
        if parameter.ndim < 3:
            nn.init.normal_(parameter, 1.0 if name.endswith("weight") else 0.0, 0.3)
    return generator.eval()


def _images(count=3, size=32, channels=1, seed=1):
    return 2.0 * torch.rand(count, channels, size, size, generator=torch.Generator().manual_seed(seed)) - 1.0


def _count(*modules):
    return sum(p.numel() for module in modules for p in module.parameters())


# ---- the network written out, one patch after the other --------------------------------------------------------------


class _ByHand:
    """Takes the weights by their names and nothing else from the generator."""

    def __init__(
        self, generator, grid, *, position="film", gate_norm="none", norm="image", padding="zeros", unshuffle=1, **_
    ):
        self.weights = {name: value.double() for name, value in generator.state_dict().items()}
        self.grid, self.position, self.gate_norm, self.together = grid, position, gate_norm, norm == "image"
        self.padding = "constant" if padding == "zeros" else padding
        self.unshuffle = unshuffle

    def restored(self, image):
        return torch.stack([self.restored_one(one) for one in image])

    def restored_one(self, image):
        result = torch.empty_like(image)
        side = image.shape[-1] // self.grid

        def patch_of(picture, place):
            row, column = divmod(place, self.grid)
            return picture[:, row * side : (row + 1) * side, column * side : (column + 1) * side]

        places = list(range(self.grid**2))
        for group in [places] if self.together else [[place] for place in places]:
            patches = torch.stack([patch_of(image, place) for place in group]).double()
            for place, patch in zip(group, (patches + self.residual(patches, group)).tanh(), strict=True):
                patch_of(result, place).copy_(patch)
        return result

    def residual(self, patches, places):
        """Of each square of pixels, the channels are those of its pixels, one after the other."""
        u = self.unshuffle
        pixels = [(c, i, j) for c in range(patches.shape[1]) for i in range(u) for j in range(u)]
        found = self.network(torch.stack([patches[:, c, i::u, j::u] for c, i, j in pixels], 1), places)
        result = torch.empty_like(patches)
        for channel, (c, i, j) in enumerate(pixels):
            result[:, c, i::u, j::u] = found[:, channel]
        return result

    def network(self, x, places):
        s1 = self.placed("condition1", self.down("down1", self.conv("stem", x)), places)
        s2 = self.placed("condition2", self.down("down2", s1), places)
        e = self.placed("condition3", self.down("down3", s2), places)
        block = 0
        while f"bottleneck.{block}.branch.0.0.weight" in self.weights:
            h = self.conv(f"bottleneck.{block}.branch.0", e)
            e = e + self.conv(f"bottleneck.{block}.branch.1", h, relu=False)
            block += 1
        o1 = self.step("step1", e, e)
        o2 = self.step("step2", o1, s2)
        o3 = self.step("step3", o2, s1)
        up1 = self.up("raise1.1", self.up("raise1.0", o1))
        h = self.fuse("fuse", torch.cat([up1, self.up("raise2", o2), o3], 1))
        return F.conv2d(self.padded(h, 3), self.weights["head.weight"])

    def padded(self, x, width):
        return F.pad(x, [width] * 4, mode=self.padding)

    def norm(self, x, name=None):
        """All patches that are here are of one image, and have mean and deviation in common."""
        mean = x.mean(dim=(0, 2, 3), keepdim=True)
        z = (x - mean) / ((x - mean) ** 2).mean(dim=(0, 2, 3), keepdim=True).add(1e-5).sqrt()
        if name is None:
            return z
        weight, bias = (self.weights[f"{name}.{part}"][:, None, None] for part in ("weight", "bias"))
        return weight * z + bias

    def conv(self, name, x, relu=True):
        weight = self.weights[f"{name}.0.weight"]
        y = self.norm(F.conv2d(self.padded(x, weight.shape[-1] // 2), weight), f"{name}.1")
        return y.clamp(min=0) if relu else y

    def down(self, name, x):
        y = F.conv2d(x, self.weights[f"{name}.0.weight"], stride=2, padding=1)
        return self.norm(y, f"{name}.1").clamp(min=0)

    def up(self, name, x):
        y = F.conv_transpose2d(x, self.weights[f"{name}.0.weight"], stride=2, padding=1)
        return self.norm(y, f"{name}.1").clamp(min=0)

    def fuse(self, name, x):
        h = self.conv(f"{name}.0", x)
        return h + self.conv(f"{name}.1.branch.0", h, relu=False)

    def placed(self, name, x, places):
        if self.position == "official":
            bits = int(math.log2(self.grid**2) + 1)
            digits = [[float(digit) for digit in f"{place:0{bits}b}"] for place in places]
            planes = torch.tensor(digits, dtype=x.dtype)[:, :, None, None].expand(-1, -1, *x.shape[2:])
            x = torch.cat([x, planes], 1)
        z = self.norm(F.conv2d(x, self.weights[f"{name}.conv.weight"]))
        if self.position == "film":
            gamma, beta = (self.weights[f"{name}.{part}"][places, :, None, None] for part in ("gamma", "beta"))
            z = (1 + gamma) * z + beta
        return z.clamp(min=0)

    def step(self, name, x, skip):
        signal = F.conv2d(x, self.weights[f"{name}.gate.gate.weight"])  # biases in front of a norm do nothing
        features = F.conv2d(skip, self.weights[f"{name}.gate.skip.weight"])
        h = (self.norm(signal) + self.norm(features)).clamp(min=0)
        psi = F.conv2d(h, self.weights[f"{name}.gate.psi.weight"], self.weights[f"{name}.gate.psi.bias"])
        attention = torch.sigmoid(self.norm(psi) if self.gate_norm == "instance" else psi)
        return self.up(f"{name}.up", self.fuse(f"{name}.fuse", torch.cat([x, skip * attention], 1)))


@pytest.mark.parametrize(
    ("size", "grid", "options"),
    [
        (32, 2, {}),
        (32, 2, {"padding": "reflect"}),
        (48, 3, {"padding": "replicate", "residual_blocks": 0}),
        (24, 1, {"residual_blocks": 2}),
        (32, 2, {**PUBLISHED, "residual_blocks": 2}),
        (32, 2, {"position": "none", "norm": "patch"}),
        (48, 3, {"position": "official", "gate_norm": "instance"}),
        (64, 2, {"unshuffle": 2}),
        (64, 1, {"unshuffle": 4, "padding": "reflect"}),
    ],
)
@torch.no_grad()
def test_is_the_plain_form_patch_by_patch(size, grid, options):
    generator, images = _generator(size, 2, grid=grid, **options), _images(2, size, 2)
    by_hand = _ByHand(generator, grid, **options)
    torch.testing.assert_close(generator(images), by_hand.restored(images), atol=1e-4, rtol=0.0)


def test_published_network_has_the_published_parameters():
    with torch.device("meta"):
        g = SAGANGenerator(64, **PUBLISHED)
    assert _count(g) == 44_758_979
    assert _count(g.stem) == 3_264
    assert [_count(part) for part in (g.down1, g.down2, g.down3)] == [131_328, 524_800, 2_098_176]
    assert [_count(part) for part in (g.condition1, g.condition2)] == [16_896, 66_560]
    assert _count(g.condition3, g.bottleneck) == 28_588_032
    steps = (g.step1, g.step2, g.step3)
    assert [_count(step.gate) for step in steps] == [262_913, 65_921, 16_577]
    assert [_count(step.fuse) for step in steps] == [7_079_936, 1_770_496, 442_880]
    assert [_count(step.up) for step in steps] == [2_097_664, 524_544, 131_200]
    assert [_count(part) for part in (g.raise1, g.raise2, g.fuse, g.head)] == [655_744, 131_200, 147_712, 3_136]


# ---- shape, range, output --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("size", "grid", "channels", "unshuffle"),
    [(32, 2, 1, 1), (16, 1, 3, 1), (48, 3, 1, 1), (80, 2, 1, 1), (64, 2, 1, 2), (32, 1, 3, 2), (96, 2, 1, 3)],
)
@torch.no_grad()
def test_shape_and_range(size, grid, channels, unshuffle):
    generator = _generator(size, channels, grid=grid, unshuffle=unshuffle)
    generator.head.weight.mul_(100.0)
    images = _images(2, size, channels)
    restored = generator(images)
    assert restored.shape == images.shape
    assert 0.99 < restored.abs().max() <= 1.0


@torch.no_grad()
def test_no_residual_leaves_the_image_or_its_tanh():
    images = _images()
    for output, expected in (("tanh", images.tanh()), ("additive", images)):
        generator = _generator(output=output)
        generator.head.weight.zero_()
        assert torch.equal(generator(images), expected)


@torch.no_grad()
def test_outputs_add_the_residual():
    images, r = _images(), _generator().residual(_images())
    assert r.shape == images.shape
    torch.testing.assert_close(_generator()(images), torch.tanh(images + r))
    torch.testing.assert_close(_generator(output="additive")(images), images + r)


def test_all_of_it_trains():
    generator, images = _generator().train(), _images().requires_grad_()
    generator(images).square().mean().backward()
    for name, parameter in generator.named_parameters():
        assert parameter.grad is not None, name
        assert parameter.grad.abs().max() > 1e-6, name
    assert images.grad.any(dim=(2, 3)).all()


# ---- patches and their places ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("unshuffle", [1, 2])
@pytest.mark.parametrize("position", ["film", "official", "none"])
@torch.no_grad()
def test_no_quadrant_sees_another(position, unshuffle):
    side = 16 * unshuffle
    generator = _generator(2 * side, position=position, unshuffle=unshuffle, norm="patch")
    images = _images(1, 2 * side)
    before = generator(images)
    for place in range(4):
        row, column = divmod(place, 2)
        changed = images.clone()
        changed[:, :, side * row : side * (row + 1), side * column : side * (column + 1)] *= -1.0
        same = (generator(changed) == before)[0, 0].reshape(2, side, 2, side).permute(0, 2, 1, 3).reshape(4, -1)
        for other in range(4):
            assert same[other].all() if other != place else same[other].float().mean() < 0.1


@torch.no_grad()
def test_a_common_norm_tells_of_the_other_quadrants_and_of_no_other_image():
    generator, images = _generator(position="none"), _images(2)
    darker = images.clone()
    darker[0, :, 16:, 16:] *= 0.2
    difference = (generator(darker) - generator(images)).abs()
    assert difference[0, :, :16, :16].mean() > 1e-3
    assert difference[1].max() < 1e-5
    alone = _generator(grid=1, position="none"), _generator(grid=1, position="none", norm="patch")
    torch.testing.assert_close(alone[0](images), alone[1](images), atol=1e-4, rtol=0.0)  # of one patch it is the same


def _swapped(images):
    """Upper left for lower right, upper right for lower left."""
    return images.roll((16, 16), (2, 3))


@pytest.mark.parametrize(
    ("position", "norm", "knows"),
    [
        ("film", "patch", True),
        ("official", "patch", False),
        ("none", "patch", False),
        ("film", "image", True),
        ("official", "image", True),
        ("none", "image", False),
    ],
)
@torch.no_grad()
def test_only_film_knows_the_places_and_the_published_codes_in_a_common_norm(position, norm, knows):
    generator, images = _generator(position=position, norm=norm), _images()
    difference = (generator(_swapped(images)) - _swapped(generator(images))).abs().amax(dim=(1, 2, 3))
    assert torch.all(difference > 1e-2) if knows else torch.all(difference < 1e-4)


@torch.no_grad()
def test_film_is_none_at_the_start():
    torch.manual_seed(0)
    film = SAGANGenerator(32, channels=4, residual_blocks=1)
    torch.manual_seed(0)
    none = SAGANGenerator(32, channels=4, residual_blocks=1, position="none")
    images = _images()
    torch.testing.assert_close(film.eval()(images), none.eval()(images), atol=1e-5, rtol=0.0)


@torch.no_grad()
def test_squares_as_channels_leave_the_parameters_but_those_of_stem_and_head():
    plain, quarter = _generator(64, in_channels=3), _generator(64, in_channels=3, unshuffle=2)
    shapes = [{name: tuple(value.shape) for name, value in g.state_dict().items()} for g in (plain, quarter)]
    differing = {name for name in shapes[0] | shapes[1] if shapes[0].get(name) != shapes[1].get(name)}
    assert differing == {"stem.0.weight", "head.weight"}
    assert shapes[1]["stem.0.weight"] == (4, 12, 7, 7)
    assert shapes[1]["head.weight"] == (12, 4, 7, 7)


# ---- the mask --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("mask", ["image", "official"])
@pytest.mark.parametrize("output", ["tanh", "additive"])
@torch.no_grad()
def test_a_masked_pixel_is_the_image_s_or_the_published_one(mask, output):
    generator, images = _generator(in_channels=2, mask=mask, output=output, keep_probability=0.7), _images(3, 32, 2)
    restored = generator(images)
    generator.train()
    torch.manual_seed(3)
    kept = torch.rand(3, 1, 32, 32) < 0.7
    torch.manual_seed(3)
    result = generator(images)
    instead = images if mask == "image" else {"tanh": torch.tanh(2 * images), "additive": 2 * images}[output]
    torch.testing.assert_close(result, torch.where(kept, restored, instead))
    assert 0.65 < kept.float().mean() < 0.75
    torch.manual_seed(4)
    assert not torch.equal(generator(images), result)


@torch.no_grad()
def test_nothing_is_restored_with_probability_0():
    images = _images()
    assert torch.equal(_generator(keep_probability=0.0).train()(images), images)


@torch.no_grad()
def test_without_a_mask_training_is_evaluation():
    generator, images = _generator(keep_probability=1.0), _images()
    state = torch.get_rng_state()
    assert torch.equal(generator.train()(images), generator.eval()(images))
    assert torch.equal(torch.get_rng_state(), state)


@pytest.mark.parametrize("options", [OURS, PUBLISHED])
@torch.no_grad()
def test_evaluation_repeats_and_draws_nothing(options):
    generator, images = _generator(keep_probability=0.5, **options), _images()
    state = torch.get_rng_state()
    assert torch.equal(generator(images), generator(images))
    assert torch.equal(torch.get_rng_state(), state)


@pytest.mark.parametrize("options", [OURS, PUBLISHED])
@pytest.mark.parametrize("training", [False, True])
@torch.no_grad()
def test_an_image_gives_the_same_in_any_batch(options, training):
    """So that normal, unlabeled and pseudo-anomalous images can be restored in one pass."""
    generator = _generator(keep_probability=1.0, **options).train(training)
    groups = [_images(seed=seed) for seed in range(3)]
    together = generator(torch.cat(groups))
    torch.testing.assert_close(together, torch.cat([generator(group) for group in groups]), atol=1e-4, rtol=0.0)


# ---- tools -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("options", [OURS, PUBLISHED, QUARTER])
@torch.no_grad()
def test_bfloat16_is_close_and_channels_last_the_same(options):
    generator = _generator(in_channels=2, **options)
    images = _images(2, options.get("image_size", 32), 2)
    expected = generator(images)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        result = generator(images)
    assert result.dtype == torch.float32
    assert (result - expected).abs().mean() < 0.06  # of values in [-1, 1]
    last = copy.deepcopy(generator).to(memory_format=torch.channels_last)
    result = last(images.to(memory_format=torch.channels_last))
    torch.testing.assert_close(result, expected, atol=1e-4, rtol=0.0)


@pytest.mark.parametrize("options", [OURS, QUARTER])
def test_everything_between_stays_in_channels_last(options):
    generator = _generator(in_channels=3, **options).to(memory_format=torch.channels_last)
    seen = []

    def note(module, _, output):
        seen.append((type(module).__name__, output.is_contiguous(memory_format=torch.channels_last)))

    ends = (generator, generator.unshuffle)  # the first convolution's input is a copy in any case
    for module in generator.modules():
        if module not in ends:
            module.register_forward_hook(note)
    generator(_images(2, options.get("image_size", 32), 3).to(memory_format=torch.channels_last))
    assert len(seen) > 50
    assert all(last for _, last in seen), seen


@pytest.mark.parametrize("options", [OURS, PUBLISHED, {"output": "additive", "padding": "reflect"}, QUARTER])
@torch.no_grad()
def test_torchscript_by_script_and_by_trace(options):
    generator, images = _generator(**options), _images(3, options.get("image_size", 32))
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", category=FutureWarning)
        scripted = torch.jit.script(generator)
        warnings.filterwarnings("error", category=torch.jit.TracerWarning)
        traced = torch.jit.trace(generator, images[:2], check_trace=False)
    torch.testing.assert_close(scripted(images), generator(images))
    torch.testing.assert_close(scripted.residual(images), generator.residual(images))
    torch.testing.assert_close(traced(images[1:]), generator(images[1:]))
    torch.manual_seed(0)
    masked = scripted.train()(images)
    torch.manual_seed(0)
    torch.testing.assert_close(masked, generator.train()(images))
    with pytest.raises(torch.jit.Error, match="image must have shape"):
        scripted(images[:, :, :16])


@pytest.mark.parametrize("options", [OURS, PUBLISHED])
@torch.no_grad()
def test_onnx_gives_the_same_image(options, tmp_path):
    generator, images = _generator(**options), _images(2)
    (result,) = run_as_onnx(generator, images, folder=tmp_path, any_batch=False)
    torch.testing.assert_close(result, generator(images), rtol=0.0, atol=1e-4)


# ---- errors ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"image_size": 40}, "multiple of 8 . grid and its patches at least 16.*image_size 40 and grid 2"),
        ({"image_size": 16}, "at least 16 pixels wide, got image_size 16 and grid 2"),
        ({"image_size": 0}, "at least 16 pixels wide, got image_size 0"),
        ({"grid": 0}, "grid and unshuffle must be positive, got 0 and 1"),
        ({"unshuffle": 0}, "grid and unshuffle must be positive, got 2 and 0"),
        ({"unshuffle": 2}, "multiple of 16 . grid and its patches at least 32.*image_size 32 and grid 2"),
        ({"in_channels": 0}, "in_channels must be positive"),
        ({"residual_blocks": -1}, "residual_blocks not negative, got 1, -1"),
        ({"channels": 5}, "channels must be even and positive, got 5"),
        ({"channels": 0}, "channels must be even and positive, got 0"),
        ({"keep_probability": 1.5}, r"keep_probability must lie in \[0, 1\], got 1.5"),
        ({"keep_probability": -0.1}, r"keep_probability must lie in \[0, 1\], got -0.1"),
        ({"norm": "batch"}, "norm must be one of 'image', 'patch', got 'batch'"),
        ({"output": "sigmoid"}, "output must be one of 'tanh', 'additive', got 'sigmoid'"),
        ({"mask": "none"}, "mask must be one of 'image', 'official', got 'none'"),
        ({"padding": "circular"}, "padding must be one of 'zeros', 'reflect', 'replicate', got 'circular'"),
        ({"position": "code"}, "kind must be one of 'film'"),
        ({"gate_norm": "batch"}, "norm must be one of 'none'"),
    ],
)
def test_refuses_arguments_out_of_range(arguments, message):
    with pytest.raises(ValueError, match=message):
        SAGANGenerator(**{"image_size": 32, "channels": 4, "residual_blocks": 1, **arguments})


@pytest.mark.parametrize("shape", [(2, 2, 32, 32), (2, 1, 48, 48), (2, 1, 32, 16), (1, 32, 32)])
def test_an_image_of_another_shape_is_refused(shape):
    with pytest.raises(ValueError, match=r"\(C, H, W\) = \[1, 32, 32\]"):
        _generator()(torch.zeros(shape))
