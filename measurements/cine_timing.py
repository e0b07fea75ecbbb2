# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

"""What reading a cine costs beyond pydicom's own decoding of its frames.

``python -m measurements.cine_timing`` measures it with the cine that pydicom brings along.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
from typing import Any

from pydicom import dcmread, examples
from pydicom.pixels.utils import iter_pixels

from measurements.command_line import THREADS_ADVICE, add_json, add_rounds, run_measurement
from measurements.comparison import Comparison, format_table, write_numbers
from monai_anomaly.data.dicom.syntax import choose_decoder
from monai_anomaly.data.errors import ImageReadError
from monai_anomaly.data.image_reader import ClinicalImageReader
from monai_anomaly.utils.exceptions import ConfigError
from monai_anomaly.utils.stopwatch import Stopwatch

__all__ = ["CINE_BAR", "compare_cine", "main", "time_cine"]

CINE_BAR = 1.3
"""For compressed frames; uncompressed ones cost pydicom a copy of memory only."""

PASSES = 10
"""In a round, because processor time is counted in hundredths of a second."""


def time_cine(
    path: str | os.PathLike[str] | None = None,
    *,
    rounds: int = 8,
    json_path: str | os.PathLike[str] | None = None,
) -> dict[str, Any]:
    """Measure :func:`compare_cine` for RGB and for gray and print both as a table.

    Args:
        path: a DICOM file; None for the cine of 30 frames in JPEG that pydicom brings along.
        rounds: how often both sides are timed, after one round that is not.
        json_path: where to write the numbers, if anywhere.

    Returns:
        The numbers, as written to the file.

    Raises:
        ConfigError: when the file is no DICOM image that can be read.
    """
    path = examples.get_path("ybr_color") if path is None else path
    try:
        comparisons = {
            name: compare_cine(path, channels, rounds=rounds) for name, channels in (("cine_rgb", 3), ("cine_gray", 1))
        }
    except ImageReadError as error:
        raise ConfigError(f"the cine cannot be read: {error}") from None
    print(format_table(list(comparisons.values())))
    result = {name: comparison.summary() for name, comparison in comparisons.items()}
    write_numbers(json_path, result)
    return result


def compare_cine(path: str | os.PathLike[str], channels: int, *, rounds: int) -> Comparison:
    """All frames of a file through the reader, as a network takes them, against pydicom's ``iter_pixels`` alone.

    Both sides open the file, and decode with the same plug-in.

    Args:
        path: a DICOM file.
        channels: 1 for gray, 3 for RGB.
        rounds: how often both sides are timed, after one round that is not.

    Raises:
        ImageReadError: whatever is wrong with the file.
    """
    reader = ClinicalImageReader(channels)
    frames = reader.count_frames(path)
    kind = reader.read(path).kind
    if kind != "dicom":
        raise ImageReadError("not_dicom", f"this is a {kind} file; name a DICOM file.")
    header = dcmread(path, stop_before_pixels=True)
    plugin = choose_decoder(header.file_meta.TransferSyntaxUID)
    comparison = Comparison(f"{frames} frames, {'gray' if channels == 1 else 'RGB'}", CINE_BAR, per=PASSES)
    for number in range(rounds + 1):
        watch = Stopwatch()
        for _ in range(PASSES):
            for decoded in reader.read_frames(path, "all"):
                reader.get_data(decoded)
        ours = watch.read()
        watch = Stopwatch()
        for _ in range(PASSES):
            for _frame in iter_pixels(path, decoding_plugin=plugin):
                pass
        if number:
            comparison.ours.append(ours)
            comparison.floor.append(watch.read())
    return comparison


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure, print, and return the exit code, 1 for an error that its message explains."""
    parser = argparse.ArgumentParser(
        prog="python -m measurements.cine_timing",
        description="Time the reading of all frames of a DICOM cine against pydicom's decoding of them.",
        epilog=THREADS_ADVICE,
    )
    parser.add_argument("path", nargs="?", metavar="FILE", help="a DICOM file (default: pydicom's own)")
    add_rounds(parser)
    add_json(parser)
    return run_measurement(time_cine, **vars(parser.parse_args(arguments)))


if __name__ == "__main__":
    sys.exit(main())
