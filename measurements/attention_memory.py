# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

"""What the self-attention block saves by never storing the scores of all pairs of positions.

``python -m measurements.attention_memory`` measures it at the sizes of OCAD's reference: 32 maps of 128 channels
and 44 x 44 positions.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from monai_anomaly.networks.blocks.self_attention import SelfAttentionBlock

__all__ = ["FORMS", "main", "measure", "plain_attention"]

FORMS = ("block", "plain")
_KIB_IN_MIB = 1024


def plain_attention(block: SelfAttentionBlock, x: Tensor) -> Tensor:
    """Return the block's answer ``(B, C, H, W)`` with a stored tensor of scores ``(B, heads, H W, H W)``."""
    tokens = x.flatten(2).transpose(1, 2)

    def heads(layer: torch.nn.Module) -> Tensor:
        return layer(tokens).unflatten(2, (block.heads, block.head_dim)).transpose(1, 2)

    scores = heads(block.query) @ heads(block.key).transpose(2, 3) / block.head_dim**0.5
    answer = (scores.softmax(dim=3) @ heads(block.value)).transpose(1, 2).flatten(2)
    return block.norm(tokens + block.out(answer)).transpose(1, 2).reshape(x.shape)


def measure(form: str, batch_size: int, channels: int, size: int) -> dict[str, Any]:
    """Peak memory of one forward and backward pass on the CPU, in MiB, above what this process held before.

    Args:
        form: one of :data:`FORMS`.
        batch_size: maps in a batch.
        channels: channels of a map.
        size: height and width of a map.
    """
    torch.manual_seed(0)
    block = SelfAttentionBlock(channels)
    forms: dict[str, Callable[[Tensor], Tensor]] = {"block": block, "plain": lambda x: plain_attention(block, x)}
    x = torch.randn(batch_size, channels, size, size, requires_grad=True)
    answer = forms[form]
    answer(x[:1, :, :2, :2]).sum().backward()  # libraries take memory of their own at the first call
    before = _peak_kib()
    answer(x).pow(3).mean().backward()  # not the square, whose mean the layer norm keeps at 1
    after = _peak_kib()
    norm = 0.0 if x.grad is None else float(x.grad.double().norm())
    return {"form": form, "peak_mib": (after - before) / _KIB_IN_MIB, "gradient_norm": norm}


def _peak_kib() -> int:
    """Most resident memory that this program has had, on Linux.

    The peak that ``getrusage`` gives begins with what the parent held when it started this process.
    """
    lines = Path("/proc/self/status").read_text(encoding="ascii").splitlines()
    return int(next(line for line in lines if line.startswith("VmHWM:")).split()[1])


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure both forms, each in a process of its own, since a process's peak never falls."""
    parser = argparse.ArgumentParser(prog="measurements.attention_memory", description=__doc__)
    parser.add_argument("--batch_size", type=int, default=32)
    parser.add_argument("--channels", type=int, default=128)
    parser.add_argument("--size", type=int, default=44, help="height and width of a map")
    parser.add_argument("--form", choices=FORMS, help="measure this form alone, in this process, and print JSON")
    args = parser.parse_args(arguments)
    sizes = (args.batch_size, args.channels, args.size)
    if args.form:
        print(json.dumps(measure(args.form, *sizes)))
        return
    names = ("--batch_size", "--channels", "--size")
    words = [word for name, value in zip(names, sizes, strict=True) for word in (name, str(value))]
    for form in FORMS:
        command = [sys.executable, "-m", "measurements.attention_memory", "--form", form, *words]
        measured = json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
        print(f"{form:6} {measured['peak_mib']:7.0f} MiB  (norm of the gradient {measured['gradient_norm']:.4g})")


if __name__ == "__main__":
    main()
