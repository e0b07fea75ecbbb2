# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

"""``python -m measurements.bit_flips FILE ...``: whether one flipped bit in a file of weights is noticed.

Each file is copied, one bit at a random place of the copy is flipped, and the copy is loaded as all of the package
does. It prints how many flips were noticed, and the places of those that were not; the exit code is then 1.
"""

from __future__ import annotations

import argparse
import random
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from monai_anomaly.utils.checkpoint import load_checkpoint
from monai_anomaly.utils.exceptions import CheckpointError

__all__ = ["count_noticed", "main"]


def count_noticed(path: Path, flips: int, seed: int = 0) -> list[int]:
    """Flip bits of copies of a file, one in each.

    Args:
        path: a ``model.pt`` or ``checkpoint.pt``, which stays as it is.
        flips: how many bits, at places drawn without replacement.
        seed: of the places.

    Returns:
        the places, counted in bits, whose flip nobody noticed.

    Raises:
        CheckpointError: when the file cannot be read as it is.
    """
    load_checkpoint(path)
    data = bytearray(path.read_bytes())
    missed = []
    with tempfile.TemporaryDirectory() as folder:
        copy = Path(folder) / path.name
        for place in random.Random(seed).sample(range(8 * len(data)), flips):
            data[place // 8] ^= 1 << place % 8
            copy.write_bytes(data)
            data[place // 8] ^= 1 << place % 8
            try:
                load_checkpoint(copy)
            except CheckpointError:
                continue
            missed.append(place)
    return missed


def main(arguments: Sequence[str] | None = None) -> int:
    """Flip bits, print what was noticed, and return the exit code."""
    parser = argparse.ArgumentParser(prog="python -m measurements.bit_flips", description=__doc__.splitlines()[0])
    parser.add_argument("files", nargs="+", type=Path, metavar="FILE", help="a model.pt or a checkpoint.pt")
    parser.add_argument("--flips", type=int, default=100, help="in each file (default: 100)")
    parser.add_argument("--seed", type=int, default=0, help="of the places (default: 0)")
    options = parser.parse_args(arguments)
    failed = 0
    for path in options.files:
        missed = count_noticed(path, options.flips, options.seed)
        failed += len(missed)
        told = f", not those at the bits {missed}" if missed else ""
        print(f"{path}: {options.flips - len(missed)} of {options.flips} flipped bits were noticed{told}")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
