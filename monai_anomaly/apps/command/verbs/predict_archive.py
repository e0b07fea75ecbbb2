# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

"""``predict --engine ray``: an archive, by Ray's workers."""

from __future__ import annotations

import argparse
import difflib
from collections.abc import Mapping, Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from monai_anomaly.apps.archive.options import ArchiveOptions, RunOptions
from monai_anomaly.apps.command.failing import fail, usage_error
from monai_anomaly.apps.command.inputs import calibration_of, check_checkpoint, checkpoint_of, path_of
from monai_anomaly.apps.command.overrides import parsed
from monai_anomaly.utils.bundle_folders import Bundle
from monai_anomaly.utils.config_files import read_configs
from monai_anomaly.utils.exceptions import ConfigError

__all__ = ["add_archive_options", "predict_archive"]

PACKAGES = ("ray", "pyarrow", "fsspec")
OF_THE_BUNDLE = (
    *("checkpoint", "calibration", "uncalibrated", "false_alarm_rate", "guard", "maps", "device", "batch_size"),
    *("decode_limit", "frames", "aggregate", "source_names", "resume"),
)
"""Keys of a bundle's inference that mean the same here; a plain value of its configuration is the default."""

OF_RAY = {
    "workers": "processes that score (default: one for each GPU, else for each core)",
    "threads": "threads of PyTorch, and cores, of each worker (default: 1)",
    "shard_size": "files that are written, and lost, together (default: 1000)",
    "address": "of a running Ray cluster (default: Ray is started for the run, on this machine alone)",
    "gpus_per_worker": "such as 0.25 for four workers on a GPU (default: 1 where there are any)",
    "object_store_mib": "memory for what goes between processes (default: 256)",
}
NUMBERS = {"workers": 1, "threads": 1, "shard_size": 1, "object_store_mib": 100, "batch_size": 1}
"""The least value of whole numbers."""


def add_archive_options(parser: argparse.ArgumentParser) -> None:
    """Add the options for the help text."""
    group = parser.add_argument_group("archives", "IN may be a list (.txt) or a URL that fsspec knows, OUT a URL")
    group.add_argument(
        "--engine", choices=["ray"], help="score by Ray's workers, into Parquet; needs the extra archive"
    )
    for name, text in OF_RAY.items():
        group.add_argument(f"--{name}", metavar="VALUE", help=text)


def predict_archive(named: Sequence[str], bundle: Bundle, options: Mapping[str, str]) -> int:
    """Score an archive.

    Args:
        named: the words IN and OUT.
        bundle: whose detector it is.
        options: the others, as MONAI's command line takes them.

    Raises:
        ConfigError: for an option that makes no sense.
    """
    if len(named) != 2:
        return usage_error(f"predict --engine ray takes IN and OUT, got {len(named)} words.")
    if "audit" in options:
        return usage_error("--engine ray keeps no audit log: its workers write at the same time; leave --audit out.")
    missing = [name for name in PACKAGES if find_spec(name) is None]
    if missing:
        raise ConfigError(f"--engine ray needs {', '.join(missing)}: pip install 'monai_anomaly[archive]'.")
    check_checkpoint(bundle, options)
    values = {**_defaults(bundle), **{key: _value(key, text) for key, text in options.items()}}
    values["checkpoint"] = str(path_of(checkpoint_of(bundle, options)).absolute())
    values["calibration"] = _calibration(values)
    source, output = (word if "://" in word else str(path_of(word).absolute()) for word in named)
    if "://" not in source and not Path(source).exists():
        raise ConfigError(f"there is no image, list or folder '{named[0]}'.")
    run = RunOptions(**{key: values.pop(key) for key in RunOptions.__dataclass_fields__ if key in values})
    return _run(source, output, ArchiveOptions(**values), run)


def _defaults(bundle: Bundle) -> dict[str, Any]:
    """Return the plain values of the bundle's configuration; what is computed there is here, too."""
    config = read_configs([bundle.config("inference")])
    plain = {key: config[key] for key in OF_THE_BUNDLE if key in config}
    return {k: v for k, v in plain.items() if not (isinstance(v, str) and v.startswith(("$", "@", "%")))}


def _value(key: str, text: str) -> Any:
    """Return the value of an option.

    Raises:
        ConfigError: for an unknown key, or another type of value.
    """
    known = (*OF_THE_BUNDLE, *OF_RAY)
    if key not in known:
        near = difflib.get_close_matches(key, known, n=1, cutoff=0.5)
        raise ConfigError(f"--engine ray has no --{key}; {f'the nearest is --{near[0]}' if near else 'leave it out'}.")
    value: Any = None if text == "$None" else parsed(text)
    if key in ("checkpoint", "calibration", "address", "device", "frames", "aggregate", "maps"):
        return value if value is None else str(path_of(text))
    if key in NUMBERS and not (type(value) is int and value >= NUMBERS[key]):
        raise ConfigError(f"--{key} must be a whole number from {NUMBERS[key]}, got '{text}'.")
    if key in ("guard", "resume", "source_names", "uncalibrated") and not isinstance(value, bool):
        raise ConfigError(f"--{key} must be True or False, got '{text}'.")
    if key == "gpus_per_worker" and not (type(value) in (int, float) and value >= 0):
        raise ConfigError(f"--{key} must be a number from 0, got '{text}'.")
    return value


def _calibration(values: Mapping[str, Any]) -> str | None:
    """Return the calibration's path; one that is not there is found out when it is opened."""
    if values.get("uncalibrated"):
        return None
    return str(path_of(values.get("calibration") or calibration_of(values["checkpoint"])).absolute())


def _run(source: str, output: str, options: ArchiveOptions, run: RunOptions) -> int:
    """Score, with MONAI imported as scoring needs it, and print what came out."""
    from monai_anomaly.utils.lean_import import hide_optional_packages
    from monai_anomaly.utils.stop_signals import advise, watch_signals

    with hide_optional_packages():
        import monai.bundle  # noqa: F401

    from monai_anomaly.apps.archive.run_archive import run_archive
    from monai_anomaly.data.errors import DataListError

    watch_signals()
    advise("the shards so far are kept, to go on from with --resume")
    try:
        summary = run_archive(source, output, options, run)
    except (DataListError, ValueError, RuntimeError) as error:
        return fail(error, 1)
    counts = summary["status"]
    scored, rejected, failed = (counts.get(status, 0) for status in ("scored", "rejected", "failed"))
    print(f"Inference: {summary['files']} files = {scored} scored + {rejected} rejected + {failed} failed")
    if scored:
        decisions = sorted(summary["decision"].items())
        print("Decisions: " + ", ".join(f"{n} {name.replace('_', ' ')}" for name, n in decisions))
    print(f"Records: {output}/records")
    if failed and not scored:
        return fail("nothing was scored: the network failed on every image that could be read; the records say why.", 1)
    return 0
