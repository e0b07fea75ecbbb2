# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

"""A machine without a C++ compiler."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch


@contextmanager
def no_compiler() -> Iterator[None]:
    """Have torch.compile look for a compiler that is not there, and use nothing that was translated before."""
    from torch._inductor import config  # which reads CXX when it is first imported

    torch.compiler.reset()
    missing = config.patch({"cpp.cxx": (None, "no-such-compiler")})
    with missing, torch.compiler.config.patch(force_disable_caches=True):
        yield
    torch.compiler.reset()
