# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

"""``accept``: a site's acceptance test of a detector."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from monai_anomaly.apps.arguments import aggregate_rule, frame_rule
from monai_anomaly.apps.command.completion import suggest
from monai_anomaly.apps.command.failing import fail, usage_error
from monai_anomaly.utils.bundle_folders import find_bundle, known_bundles
from monai_anomaly.utils.exceptions import CalibrationError, CheckpointError, ConfigError
from monai_anomaly.utils.lean_import import hide_optional_packages

__all__ = ["add_accept"]

HELP = "test a detector on a site's own images against limits, with a page to sign"


def add_accept(verbs: Any) -> None:
    """Add the verb to the parser."""
    codes = (
        "Exit codes: 0 every limit is kept, 3 a limit is broken or could not be checked, 2 the command line makes no "
        "sense, 1 other errors."
    )
    parser = verbs.add_parser(
        "accept", help=HELP, description=f"{HELP.capitalize()}.", epilog=codes, allow_abbrev=False
    )
    parser.add_argument(
        "normals",
        nargs="?",
        metavar="NORMALS",
        help="a folder of normal images, or a data set whose test section is taken",
    )
    parser.add_argument(
        "--abnormal", nargs="+", default=(), metavar="DIR", help="folders of studies known to be abnormal"
    )
    known = known_bundles()
    suggest(parser.add_argument("--bundle", metavar="BUNDLE", help="the bundle whose weights are tested"), known)
    parser.add_argument("--checkpoint", metavar="MODEL.pt", help="the trained detector (default: the bundle's own)")
    parser.add_argument("--calibration", metavar="FILE", help="its calibration (default: the one beside the weights)")
    parser.add_argument("--limits", metavar="FILE", help="limits as YAML or JSON (default: those of --print_limits)")
    parser.add_argument("--print_limits", action="store_true", help="print the default limits, with comments, and exit")
    parser.add_argument(
        "--output_dir", metavar="OUT", help="gets acceptance.html and acceptance.json (default: the bundle's)"
    )
    parser.add_argument("--device", choices=("cpu", "cuda"), help="where it runs (default: the GPU where there is one)")
    parser.add_argument(
        "--frames", type=frame_rule, metavar="RULE", help="frames of a cine (default: the training's rule)"
    )
    parser.add_argument(
        "--aggregate",
        type=aggregate_rule,
        default="max",
        metavar="RULE",
        help="how frames make a score: max, mean or quantile:Q (default: %(default)s)",
    )
    parser.set_defaults(verb=_accept)


def _accept(
    normals: str | None,
    abnormal: Sequence[str],
    bundle: str | None,
    checkpoint: str | None,
    calibration: str | None,
    limits: str | None,
    print_limits: bool,
    output_dir: str | None,
    **reading: Any,
) -> int:
    from monai_anomaly.apps.acceptance.limits import default_text, read_limits

    if print_limits:
        print(default_text(), end="")
        return 0
    if normals is None:
        return usage_error(
            "accept needs a folder of normal images: monai-anomaly accept NORMALS --checkpoint MODEL.pt."
        )
    if bundle is None and checkpoint is None:
        return usage_error("accept needs a trained detector: name one with --checkpoint MODEL.pt or --bundle BUNDLE.")
    if bundle is None and output_dir is None:
        return usage_error("accept needs a folder for its page: name one with --output_dir OUT.")
    home = None if bundle is None else find_bundle(bundle).home
    weights = checkpoint or f"{home}/models/model.pt"
    _check_files(normals, abnormal, weights, calibration)
    wanted = read_limits(limits)
    output = Path(output_dir).expanduser() if output_dir else Path(f"{home}/output/acceptance")
    return _run(normals, abnormal, weights, calibration, wanted, output, **reading)


def _check_files(normals: str, abnormal: Sequence[str], weights: str, calibration: str | None) -> None:
    """Refuse what is not there before anything heavy is imported."""
    for folder in (normals, *abnormal):
        if not Path(folder).expanduser().is_dir():
            raise ConfigError(f"there is no folder of images '{folder}'.")
    if not Path(weights).expanduser().exists():
        raise CheckpointError(f"there is no trained detector '{weights}'; name one with --checkpoint.")
    if calibration is not None and not Path(calibration).expanduser().is_file():
        raise CalibrationError(f"there is no calibration '{calibration}'.")


def _run(
    normals: str,
    abnormal: Sequence[str],
    weights: str,
    calibration: str | None,
    limits: Any,
    output: Path,
    **reading: Any,
) -> int:
    with hide_optional_packages():
        import monai.bundle  # noqa: F401

    from monai_anomaly.apps.acceptance.repeats import Opened
    from monai_anomaly.apps.acceptance.run_acceptance import run_acceptance
    from monai_anomaly.data.errors import DataListError, ImageReadError

    opened = Opened(weights, calibration, limits.false_alarm_rate, **reading)
    try:
        verdict = run_acceptance(normals, abnormal, opened=opened, limits=limits, output_dir=output)
    except ImageReadError as error:
        return fail(f"a file that had a score could not be read again ({error}); nothing was written.", 1)
    except DataListError as error:
        return fail(error, 1)
    except OSError as error:
        return fail(f"--output_dir cannot be written ({error.strerror}); make room for it or name another.", 1)
    return 0 if verdict == "passed" else 3
