# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

"""SimSID's three recipes, small enough for tests."""

from __future__ import annotations

import torch
from torch import nn

from monai_anomaly.networks.nets.simsid.simsid import SimSID

SIZE = 16

SIMSID = {
    "kind": "unet",
    "grid": 2,
    "channels": (4, 6, 8),
    "skips": 1,
    "merge_at": 1,
    "token_channels": 4,
    "slots": 6,
    "memory": {"sparsify": "topk_strict", "top_k": 3},
    "decoder_memories": 1,
    "decoder_memory": {"top_k": 2},
    "heads": 2,
    "hidden": 8,
}
SQUID = {
    **SIMSID,
    "memory": {"write": "fifo", "sparsify": "topk_strict", "top_k": 3},
    "shortcut": 0.75,
    "decoder_shortcut": 0.75,
    "mask_border": False,
}
REPORT = {
    "kind": "tokens",
    "grid": 4,
    "channels": (4, 6),
    "dim": 8,
    "memory": {
        "scope": "global",
        "write": "replace_dissimilar",
        "sparsify": "gumbel_topk",
        "top_k": 5,
        "reduce": "sum",
        "noise": "train",
    },
    "inpainting": {"heads": 2, "hidden": 8},
    "stem_size": 4,
    "decoder_channels": (6, 5),
}
RECIPES = {"simsid": SIMSID, "squid": SQUID, "report": REPORT}


def make_detector(generator=SIMSID, *, seed=0, **options):
    """A detector in evaluation mode: something in every memory, statistics and scales away from where they start."""
    torch.manual_seed(seed)
    detector = SimSID(SIZE, generator=generator, **{"discriminator": {"channels": (4, 6)}, **options})
    with torch.no_grad():
        for parameter in detector.parameters():
            parameter.mul_(2.0 if parameter.dim() > 1 else 1.0)  # else images differ by rounding alone
        detector.generator.remember(detector.generator.inpaint(detector.generator.encode(make_images(detector)))[1])
        for module in detector.modules():
            if isinstance(module, nn.BatchNorm2d):
                module.running_mean.normal_(std=0.2)
                module.running_var.uniform_(0.5, 2.0)
    return detector.eval()


def make_images(detector, count=4, seed=1):
    return torch.rand(count, detector.in_channels, SIZE, SIZE, generator=torch.Generator().manual_seed(seed))


def state(module):
    return {name: value.clone() for name, value in module.state_dict().items()}


def changed(module, before):
    """Names of the state's tensors that are no longer what they were, bit for bit."""
    return {name for name, value in module.state_dict().items() if not torch.equal(value, before[name])}
