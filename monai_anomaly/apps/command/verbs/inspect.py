# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

"""``inspect``: how each file of an archive is read."""

from __future__ import annotations

from inspect import signature
from typing import Any

from monai_anomaly.apps.arguments import count, finite, frame_rule, frames_axis, tiles
from monai_anomaly.apps.command.failing import fail

__all__ = ["add_inspect"]


def add_inspect(verbs: Any) -> None:
    """Add the verb to the parser."""
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
    reading.add_argument(
        "--decode-limit",
        type=finite,
        default=10,
        metavar="SECONDS",
        help="seconds of computing for a file, decoded in a process of its own (default: 10); 0 decodes without",
    )
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
    decode_limit: float,
    **reading: Any,
) -> int:
    from monai_anomaly.apps.inspection.inspect_paths import inspect_paths
    from monai_anomaly.apps.inspection.listed_files import UsageError
    from monai_anomaly.transforms.load import LoadClinicalImage
    from monai_anomaly.transforms.preprocessing import Preprocessing

    given = {name: value for name, value in reading.items() if value is not None}
    usual_size = 1 if "min_size" in given else signature(Preprocessing).parameters["min_size"].default
    try:
        load = LoadClinicalImage(
            *(channels, not no_crop), voi=not no_voi, masks=not no_masks, decode_limit=decode_limit or None, **given
        )
    except ValueError as error:
        return fail(error, 2)
    try:
        wanted: dict[str, Any] = {"as_json": as_json, "sheet": sheet, "sheet_limit": sheet_limit}
        return inspect_paths(paths, load=load, frames=frames, usual_size=usual_size, **wanted)
    except UsageError as error:
        return fail(error, 2)
    except OSError as error:
        return fail(f"the output cannot be written ({error.strerror}); make room for it.", 1)
