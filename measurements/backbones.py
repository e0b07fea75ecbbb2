# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

"""What one pass through each backbone costs: ``python -m measurements.backbones`` prints parameters and milliseconds.

The weights are random, so nothing is downloaded; they do not change the time. It is the processor's time of one thread,
the lower quartile of all passes, for a picture of ``--image_size`` pixels.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Sequence

import torch

from monai_anomaly.apps.arguments import count
from monai_anomaly.networks.nets.features.backbone import Backbone

__all__ = ["main", "milliseconds"]

NAMES = ("efficientnet_lite0", "efficientnet_b0", "resnet18", "resnet50", "convnext_tiny", "vit_s_16", "vit_b_16")


@torch.inference_mode()
def milliseconds(backbone: Backbone, image_size: int, passes: int) -> float:
    """Time of the processor for a picture, the lower quartile of so many passes, in milliseconds."""
    image = torch.rand(1, 3, image_size, image_size)
    times = []
    for _ in range(passes + 2):  # the first ones ask the system for memory
        begun = time.process_time()
        backbone(image)
        times.append(time.process_time() - begun)
    return 1e3 * sorted(times[2:])[passes // 4]


def main(arguments: Sequence[str] | None = None) -> None:
    """Print a line for each backbone."""
    parser = argparse.ArgumentParser(prog="measurements.backbones", description=__doc__)
    parser.add_argument("names", nargs="*", default=NAMES, help="backbones (default: %(default)s)")
    parser.add_argument("--image_size", type=count, default=128, help="height and width (default: %(default)s)")
    parser.add_argument("--passes", type=count, default=20, help="passes of each (default: %(default)s)")
    options = parser.parse_args(arguments)
    torch.set_num_threads(1)
    for name in options.names:
        backbone = Backbone(name, image_size=options.image_size)
        parameters = sum(parameter.numel() for parameter in backbone.parameters()) / 1e6
        spent = milliseconds(backbone, options.image_size, options.passes)
        print(f"{name:20} {parameters:6.1f} million parameters {spent:7.1f} ms")


if __name__ == "__main__":
    main()
