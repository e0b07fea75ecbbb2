# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

"""The recipes of the bundles, made so tiny that a training takes about a second."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

SHORT: dict[str, Any] = {
    "image_size": 32,
    "max_epochs": 3,
    "epoch_length": 2,
    "val_interval": 2,
    "batch_size": 4,
    "device": "cpu",
}
TINY: dict[str, dict[str, Any]] = {
    "sepiad": {
        **SHORT,
        "encoder_channels": [4, 4, 4, 4],
        "decoder_channels": [4, 4, 4, 4],
        "critic_channels": [4, 4, 4, 4],
        "latent_channels": 8,
        "weights": "self_supervised",
        "feature_layers": ["r22"],
        "feature_width": 0.1,
        "pretrain_epochs": 1,
        "policy_interval": 2,
    },
    "simsid": {
        **SHORT,
        "generator::channels": [4, 4, 8],
        "generator::token_channels": 8,
        "generator::slots": 10,
        "generator::heads": 2,
        "generator::hidden": 16,
        "discriminator::channels": [4, 4, 4],
    },
    "ocad": {
        **SHORT,
        "encoder::channels": [4, 4],
        "encoder::attention_stage": 2,
        "encoder::heads": 2,
        "encoder::head_dim": 4,
        "decoder::channels": [4, 4],
        "latent": "vector",
        "latent_channels": 8,
        "gaussian_share": 0.25,
        "critic::channels": [4, 4, 4],
        "interpolation_weight": 0.1,
        "gaussian_weight": 0.5,
        "quiet_epochs": 0,
        "ramp_epochs": 1,
        "refresh_interval": 2,  # in the first epoch and the third
    },
    "sagan": {
        **SHORT,
        "generator::grid": 2,
        "generator::channels": 4,
        "generator::residual_blocks": 1,
        "generator::unshuffle": 1,
        "critic::channels": 4,
        "critic::depth": 3,
        "n_critic": 2,
        "adversarial_weight": 0.5,
        "identity_weight": 1.0,
        "restoration_weight": 1.0,
        "pooling": "either",
        "smoothing": 3,
    },
    "embedding": {
        "image_size": 32,
        "max_epochs": 3,
        "val_interval": 2,
        "batch_size": 8,
        "device": "cpu",
        "segmenter_steps": 2,
        "segmenter_batch_size": 4,
    },
}
SEPIAD_CURVES = (
    "critic_image",
    "critic_latent",
    "reconstruction",
    "adversarial_image",
    "adversarial_latent",
    "weight_encoder",
    "weight_decoder",
)
SIMSID_CURVES = ("discriminator", "student", "teacher", "distillation", "adversarial")
OCAD_CURVES = (
    "critic_mixture",
    "critic_plain",
    "reconstruction",
    "gaussian",
    "interpolation",
    "gaussian_weight",
    "latent_std",
)
SAGAN_CURVES = ("critic_wasserstein", "critic_penalty", "identity", "restoration", "adversarial")


@dataclass(frozen=True)
class Recipe:
    """A bundle's ``train.json``, overlays over it, what makes it tiny, and its curves beside the loss."""

    bundle: str
    curves: tuple[str, ...]
    overlays: tuple[str, ...] = ()
    tiny: dict[str, Any] = field(default_factory=dict)
    resnet: bool = False
    """Whether ``weights`` must be a file of torchvision's ResNet-18."""
    members: tuple[str, ...] = ()
    """Recipes whose detectors are joined."""


REPORT: dict[str, Any] = {
    **SHORT,
    "generator::grid": 4,
    "generator::channels": [4, 8],
    "generator::dim": 8,
    "generator::memory::top_k": 2,
    "generator::inpainting::heads": 2,
    "generator::inpainting::layers": 1,
    "discriminator::channels": [4, 4, 4],
    "teacher_epochs": 2,
    "student_epochs": 2,
}
REFERENCE: dict[str, Any] = {
    **{key: value for key, value in TINY["ocad"].items() if key not in ("latent", "critic::channels")},
    "latent_channels": 4,
    "critic::hidden": 8,
}
OCAD_PAPER: dict[str, Any] = {
    **SHORT,
    "latent_channels": 8,
    "decoder::channels": [8, 4],
    "critic::channels": [4, 4, 4],
    "save_interval": 3,  # the encoder is large
}
RECIPES = {
    "sepiad": Recipe("sepiad", SEPIAD_CURVES, tiny=TINY["sepiad"]),
    "simsid": Recipe("simsid", ("student", "map"), tiny=TINY["simsid"]),
    "simsid-paper": Recipe("simsid", SIMSID_CURVES, ("paper", "small"), TINY["simsid"]),
    "simsid-squid": Recipe("simsid", SIMSID_CURVES, ("squid", "small"), TINY["simsid"]),
    "simsid-report": Recipe("simsid", ("discriminator",), ("report", "small_report"), REPORT),
    "ocad": Recipe("ocad", OCAD_CURVES, tiny=TINY["ocad"]),
    "ocad-reference": Recipe("ocad", OCAD_CURVES, ("reference",), REFERENCE),
    "ocad-paper": Recipe("ocad", OCAD_CURVES, ("paper",), OCAD_PAPER, resnet=True),
    "sagan": Recipe("sagan", SAGAN_CURVES, tiny=TINY["sagan"]),
    "embedding": Recipe("embedding", (), tiny=TINY["embedding"]),  # solved, and so without losses
    "consensus": Recipe("consensus", (), tiny={"batch_size": 2, "device": "cpu"}, members=("simsid", "sagan")),
}
"""By the bundle and what is laid over its training; the bundle's name alone is ``train.json``."""
