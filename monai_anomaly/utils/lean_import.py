# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

"""MONAI imported without the optional packages that scoring does not need, for programs that score and end.

``import monai`` imports every optional package that is installed. Of the CPU time of scoring one image in a fresh
process that was most: 4.6 s of 7.0 s (a machine with every extra installed); without these packages it is 1.1 s of
2.8 s. MONAI takes a package that cannot be imported for one that is not installed, and says so where it is used.
"""

from __future__ import annotations

import gc
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from types import ModuleType

__all__ = ["hide_optional_packages"]

HIDDEN = (
    *("bs4", "clearml", "cv2", "itk", "matplotlib", "mlflow", "pandas", "scipy.signal", "scipy.stats", "skimage"),
    *("sklearn", "tensorboard", "tensorboardX", "torch.utils.tensorboard", "torchvision", "transformers"),
)
SHARDING = "torch.distributed.fsdp"
"""Ignite needs an optimizer whose module only asks whether something is sharded; that import alone takes 0.5 s."""


@contextmanager
def hide_optional_packages() -> Iterator[None]:
    """Let nothing that is imported within find the packages above; what is imported later does.

    Those that are imported already stay visible. What is imported stays to the end, so the garbage collector, which
    would look through it a hundred times (another 0.5 s), waits until then and leaves it out from then on.
    """
    hidden: dict[str, ModuleType | None] = dict.fromkeys(HIDDEN)
    sharding = ModuleType(SHARDING)
    sharding.FullyShardedDataParallel = type("FullyShardedDataParallel", (), {})  # type: ignore[attr-defined]
    hidden[SHARDING] = sharding
    hidden = {name: module for name, module in hidden.items() if name not in sys.modules}
    sys.modules.update(hidden)  # type: ignore[arg-type]  # None stands for what cannot be imported
    collects = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        gc.freeze()
        if collects:
            gc.enable()
        for name, module in hidden.items():
            if sys.modules.get(name, name) is module:
                del sys.modules[name]
