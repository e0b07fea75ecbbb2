# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

"""``python -m monai_anomaly <verb>``: what a bundle cannot do.

Exit codes: 0 done, 1 an error that the message explains, 2 a command line that makes no sense, 130 interrupted;
``inspect`` also has 3 some files were refused, 141 the reader of the output has gone.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from inspect import signature
from typing import Any

from monai_anomaly.apps.arguments import count, finite, frame_rule, frames_axis, minutes, seeds, tiles
from monai_anomaly.utils.exceptions import CheckpointError, ConfigError, TrainingError, WeightsError

__all__ = ["main"]


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a verb and return the exit code; verbs import what they need, so that help and mistakes answer at once."""
    options = vars(_parser().parse_args(arguments))
    verb = options.pop("verb")
    try:
        return verb(**options) or 0
    except (CheckpointError, ConfigError, TrainingError, WeightsError) as error:
        return _fail(error, 1)
    except KeyboardInterrupt:
        return 130


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m monai_anomaly",
        description="What a bundle cannot do; training, evaluation and inference are 'python -m monai.bundle run'.",
    )
    verbs = parser.add_subparsers(title="verbs", required=True, metavar="verb")
    _add_inspect(verbs)
    _add_benchmark(verbs)
    return parser


def _add_inspect(verbs: Any) -> None:
    text = "say for each file of an archive how it is read, or why not"
    codes = "Exit codes: 0 all files were read, 3 some were refused, 2 the command line makes no sense, 1 other errors."
    parser = verbs.add_parser("inspect", help=text, description=f"{text.capitalize()}.", epilog=codes)
    parser.add_argument("paths", nargs="+", metavar="PATH", help="a file, or a folder for all visible files below it")
    parser.add_argument("--json", action="store_true", dest="as_json", help="one JSON object for each file and line")
    parser.add_argument("--sheet", metavar="FILE.png", help="also make a contact sheet of what was read")
    parser.add_argument(
        "--sheet-limit", type=tiles, default=200, metavar="N", help="most tiles of the sheet (default: %(default)s)"
    )
    reading = parser.add_argument_group("reading", "as in a bundle's preprocessing")
    reading.add_argument("--channels", type=int, choices=(1, 3), default=1, help="1 gray, 3 RGB (default: %(default)s)")
    reading.add_argument("--no-crop", action="store_true", help="do not crop ultrasound to its region")
    reading.add_argument("--no-voi", action="store_true", help="do not apply a DICOM file's window or VOI LUT")
    reading.add_argument("--no-masks", action="store_true", help="do not blacken padding, shutter and collimator")
    reading.add_argument("--for-processing", action="store_true", help="accept a detector's raw images")
    reading.add_argument(
        "--frames",
        type=frame_rule,
        default="middle",
        metavar="RULE",
        help="frames of a cine: middle, all, every:N or spaced:N (default: %(default)s)",
    )
    reading.add_argument(
        "--frames-axis", type=frames_axis, metavar="N", help="the axis of an array that counts frames, from 2"
    )
    reading.add_argument(
        "--value-range",
        type=finite,
        nargs=2,
        metavar=("LOW", "HIGH"),
        help="black and white of an array whose header does not say",
    )
    reading.add_argument(
        "--min-size", type=count, metavar="N", help="refuse a smaller height or width (default: only warn of it)"
    )
    for name in ("pixels", "frames", "bytes"):
        reading.add_argument(f"--max-{name}", type=count, metavar="N", help=f"largest number of {name} that is read")
    parser.set_defaults(verb=_inspect)


def _inspect(
    paths: list[str],
    channels: int,
    no_crop: bool,
    no_voi: bool,
    no_masks: bool,
    frames: str,
    as_json: bool,
    sheet: str | None,
    sheet_limit: int,
    **reading: Any,
) -> int:
    from monai_anomaly.apps.inspection.inspect_paths import inspect_paths
    from monai_anomaly.apps.inspection.listed_files import UsageError
    from monai_anomaly.transforms.load import LoadClinicalImage
    from monai_anomaly.transforms.preprocessing import Preprocessing

    given = {name: value for name, value in reading.items() if value is not None}
    usual_size = 1 if "min_size" in given else signature(Preprocessing).parameters["min_size"].default
    try:
        load = LoadClinicalImage(channels, not no_crop, voi=not no_voi, masks=not no_masks, **given)
    except ValueError as error:
        return _fail(error, 2)
    try:
        wanted: dict[str, Any] = {"as_json": as_json, "sheet": sheet, "sheet_limit": sheet_limit}
        return inspect_paths(paths, load=load, frames=frames, usual_size=usual_size, **wanted)
    except UsageError as error:
        return _fail(error, 2)
    except OSError as error:
        return _fail(f"the output cannot be written ({error.strerror}); make room for it.", 1)


def _fail(error: object, code: int) -> int:
    print(f"error: {error}", file=sys.stderr)
    return code


def _add_benchmark(verbs: Any) -> None:
    text = "train and evaluate bundles under one budget, and write one table beside simple baselines"
    advice = (
        "Finished cells in --output_dir are kept: the same command goes on where it was ended, and tries again what "
        "failed. Exit codes: 0 all cells are done, 1 some failed or another error, 130 interrupted (what is done is in "
        "the table)."
    )
    parser = verbs.add_parser("benchmark", help=text, description=f"{text.capitalize()}.", epilog=advice)
    parser.add_argument(
        "--bundles",
        nargs="+",
        required=True,
        metavar="VARIANT",
        help="bundles to compare, each in quotes: its folder or its name in bundles/, then overlays and KEY=VALUE, as "
        "in 'sepiad' 'sepiad se=False' 'sepiad few_normals'",
    )
    parser.add_argument(
        "--dataset_dir", nargs="+", default=(), metavar="DIR", help="folders of data sets (default: the phantom)"
    )
    parser.add_argument(
        "--seeds", type=seeds, default=[0, 1, 2], metavar="N,N", help="of the trainings (default: 0,1,2)"
    )
    parser.add_argument(
        "--max_minutes", type=minutes, required=True, metavar="N", help="wall-clock budget of a training"
    )
    parser.add_argument("--output_dir", required=True, metavar="OUT", help="gets the table and a folder for each cell")
    parser.set_defaults(verb=_benchmark)


def _benchmark(**options: Any) -> int:
    from monai_anomaly.apps.benchmark.run_benchmark import run_benchmark
    from monai_anomaly.data.errors import DataListError

    try:
        return 0 if run_benchmark(**options) else 1
    except DataListError as error:
        return _fail(error, 1)
    except OSError as error:
        return _fail(f"--output_dir cannot be written ({error.strerror}); make room for it or name another.", 1)


if __name__ == "__main__":
    sys.exit(main())
