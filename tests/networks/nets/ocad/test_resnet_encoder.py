# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

import warnings

import pytest
import torch
from torch import nn
from torchvision.models import ResNet18_Weights, resnet18, resnet34

from monai_anomaly.networks.nets.ocad.resnet_encoder import ResNetEncoder, load_resnet_weights
from monai_anomaly.utils.exceptions import WeightsError


@pytest.fixture(scope="module")
def torchvision_resnet():
    """torchvision's network as it would be after a training: normalizations that are not the identity."""
    torch.manual_seed(0)
    network = resnet18(weights=None).eval()
    for norm in (m for m in network.modules() if isinstance(m, nn.BatchNorm2d)):
        nn.init.uniform_(norm.weight, 0.5, 1.5)
        nn.init.normal_(norm.running_mean, std=0.1)
        nn.init.uniform_(norm.running_var, 0.5, 1.5)
    return network


@pytest.fixture(scope="module")
def weights(torchvision_resnet, tmp_path_factory):
    file = tmp_path_factory.mktemp("weights") / "resnet18.pth"
    torch.save(torchvision_resnet.state_dict(), file)
    return str(file)


@pytest.fixture(scope="module")
def encoder(weights):
    network = ResNetEncoder(3).eval()
    load_resnet_weights(network, weights)
    return network


def _images(count=2, channels=3):
    return torch.rand(count, channels, 40, 40, generator=torch.Generator().manual_seed(1))


@torch.no_grad()
def test_equals_torchvision_with_the_same_weights(torchvision_resnet, encoder):
    mean = torch.tensor([0.485, 0.456, 0.406])[:, None, None]
    std = torch.tensor([0.229, 0.224, 0.225])[:, None, None]
    h = (_images() - mean) / std
    for name, layer in torchvision_resnet.named_children():
        if name != "avgpool":
            h = layer(h)
        else:
            h = h.mean(dim=(2, 3))
            break
    result = encoder(_images())
    assert result.shape == (2, encoder.out_channels, encoder.out_size, encoder.out_size) == (2, 512, 1, 1)
    torch.testing.assert_close(result[:, :, 0, 0], h, rtol=1e-4, atol=1e-5)


def test_parameters_are_torchvisions_without_the_classifier(torchvision_resnet, encoder):
    whole = sum(p.numel() for p in torchvision_resnet.parameters())
    assert sum(p.numel() for p in encoder.parameters()) == whole - (512 * 1000 + 1000) == 11_176_512


@torch.no_grad()
def test_gray_equals_the_same_image_in_three_channels(encoder):
    gray = _images(2, 1)
    torch.testing.assert_close(encoder(gray), encoder(gray.repeat(1, 3, 1, 1)))


def test_frozen_stays_in_evaluation_mode_and_passes_gradients_to_the_image(encoder):
    parent = nn.Sequential(encoder).train()
    assert not any(m.training for m in encoder.body.modules())
    assert not any(p.requires_grad for p in parent.parameters())
    before = {k: v.clone() for k, v in encoder.state_dict().items()}
    image = _images().requires_grad_()
    encoder(image).sum().backward()
    assert image.grad is not None
    assert image.grad.any()
    assert all(torch.equal(v, before[k]) for k, v in encoder.state_dict().items())
    parent.eval()


def test_not_frozen_trains():
    encoder = ResNetEncoder(3, frozen=False)
    assert all(m.training for m in encoder.modules())
    assert all(p.requires_grad for p in encoder.parameters())
    assert not any(m.training for m in encoder.eval().modules())
    assert all(m.training for m in encoder.train().modules())


@torch.no_grad()
def test_a_state_dict_brings_the_weights_without_their_file(encoder):
    other = ResNetEncoder(3).eval()
    assert not torch.allclose(other(_images()), encoder(_images()), atol=0.01)
    other.load_state_dict(encoder.state_dict())
    assert torch.equal(other(_images()), encoder(_images()))


@torch.no_grad()
def test_within_another_mapping_without_classifier_and_counts(torchvision_resnet, encoder, tmp_path):
    state = {k: v for k, v in torchvision_resnet.state_dict().items() if not k.startswith("fc.")}
    state = {k: v for k, v in state.items() if not k.endswith("num_batches_tracked")}
    torch.save({"epoch": 3, "model": state}, tmp_path / "model.pt")
    other = ResNetEncoder(3)
    load_resnet_weights(other, str(tmp_path / "model.pt"))
    assert torch.equal(other(_images()), encoder(_images()))


def test_files_that_are_no_weights_are_refused(tmp_path):
    encoder = ResNetEncoder(3)
    with pytest.raises(WeightsError, match=r"encoder weights '.*missing\.pt': no such file; give 'imagenet' or the st"):
        load_resnet_weights(encoder, str(tmp_path / "missing.pt"))
    garbage = tmp_path / "garbage.pt"
    garbage.write_bytes(b"not a checkpoint")
    with pytest.raises(WeightsError, match=r"garbage\.pt.*cannot be read"):
        load_resnet_weights(encoder, str(garbage))
    torch.save(nn.Linear(1, 1), tmp_path / "unsafe.pt")  # a pickled module
    with pytest.raises(WeightsError, match="cannot be read as a state dict"):
        load_resnet_weights(encoder, str(tmp_path / "unsafe.pt"))
    for content in ({"model": {"weight": torch.zeros(1)}}, [torch.zeros(1)]):
        torch.save(content, tmp_path / "other.pt")
        with pytest.raises(WeightsError, match=r"hold no ResNet \(key 'conv1\.weight' is missing\)"):
            load_resnet_weights(encoder, str(tmp_path / "other.pt"))


def test_random_weights_warn_and_stay_as_they_are():
    encoder = ResNetEncoder(3)
    before = {k: v.clone() for k, v in encoder.state_dict().items()}
    with pytest.warns(UserWarning, match="random encoder weights are for tests only"):
        load_resnet_weights(encoder, "random")
    assert all(torch.equal(v, before[k]) for k, v in encoder.state_dict().items())


@torch.no_grad()
def test_imagenet_takes_torchvisions_weights(monkeypatch, torchvision_resnet, encoder):
    asked = []

    def fake(self, **options):
        asked.append((str(self), options["check_hash"]))
        return torchvision_resnet.state_dict()

    monkeypatch.setattr(ResNet18_Weights, "get_state_dict", fake)
    other = ResNetEncoder(3).eval()
    load_resnet_weights(other, "imagenet")
    assert asked == [("ResNet18_Weights.IMAGENET1K_V1", True)]
    assert torch.equal(other(_images()), encoder(_images()))


def test_imagenet_without_a_network_names_the_alternative(monkeypatch):
    def unreachable(self, **_):
        raise OSError("no route")

    monkeypatch.setattr(ResNet18_Weights, "get_state_dict", unreachable)
    encoder = ResNetEncoder(3)
    before = {k: v.clone() for k, v in encoder.state_dict().items()}
    message = r"ResNet18_Weights\.IMAGENET1K_V1 is not in the cache .*no route.* give weights the path of a file"
    with pytest.raises(WeightsError, match=message):
        load_resnet_weights(encoder, "imagenet")
    assert all(torch.equal(v, before[k]) for k, v in encoder.state_dict().items())


def test_no_weights_in_the_constructor():
    """A checkpoint says how its network was made: the path of a file would have to be there whenever it is loaded."""
    with pytest.raises(TypeError, match="weights"):
        ResNetEncoder(3, weights="imagenet")


def _deeper(state):
    with torch.device("meta"):
        names = resnet34().state_dict()
    return {**{k: torch.zeros(v.shape) for k, v in names.items() if k not in state}, **state}


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda s: {k: v for k, v in s.items() if k != "layer4.1.bn2.weight"}, r"'layer4\.1\.bn2\.weight' is missing"),
        (_deeper, r"'layer1\.2\.conv1\.weight' is no part of resnet18"),
        (lambda s: {**s, "conv1.weight": torch.zeros(64, 1, 7, 7)}, r"shape \(64, 1, 7, 7\).*needs \(64, 3, 7, 7\)"),
    ],
)
def test_weights_of_another_network_are_refused_and_nothing_is_loaded(torchvision_resnet, tmp_path, change, message):
    torch.save(change(torchvision_resnet.state_dict()), tmp_path / "weights.pt")
    encoder = ResNetEncoder(3)
    before = {k: v.clone() for k, v in encoder.state_dict().items()}
    with pytest.raises(WeightsError, match=message):
        load_resnet_weights(encoder, str(tmp_path / "weights.pt"))
    assert all(torch.equal(v, before[k]) for k, v in encoder.state_dict().items())


@pytest.mark.parametrize("channels", [0, 2, 4])
def test_other_channels_are_refused(channels):
    with pytest.raises(ValueError, match=rf"in_channels must be 1 \(gray\) or 3 \(color\), got {channels}"):
        ResNetEncoder(channels)


@torch.no_grad()
def test_an_image_gives_the_same_in_any_batch(encoder):
    images = _images(4)
    torch.testing.assert_close(torch.cat([encoder(images[:1]), encoder(images[1:])]), encoder(images))


@torch.no_grad()
def test_autocast_stays_near(encoder):
    with torch.autocast("cpu", dtype=torch.bfloat16):
        result = encoder(_images())
    torch.testing.assert_close(result.float(), encoder(_images()), rtol=0.1, atol=0.1)


@torch.no_grad()
def test_torchscript_by_script_and_by_trace(encoder):
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", category=FutureWarning)
        scripted = torch.jit.script(encoder)
        warnings.filterwarnings("error", category=torch.jit.TracerWarning)
        traced = torch.jit.trace(encoder, _images())
    torch.testing.assert_close(scripted(_images()), encoder(_images()))
    torch.testing.assert_close(traced(_images()), encoder(_images()))
