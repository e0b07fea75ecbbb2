# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

"""``export``: a trained detector as TorchScript, ONNX or a program of ``torch.export``."""

from __future__ import annotations

import argparse
from collections.abc import Mapping, Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from monai_anomaly.apps.command.bundle_run import file_words, option_words, places, run_line
from monai_anomaly.apps.command.bundle_verbs import add_bundle
from monai_anomaly.apps.command.failing import usage_error
from monai_anomaly.apps.command.inputs import check_checkpoint, checkpoint_of, path_of
from monai_anomaly.apps.command.overrides import check_overrides, split_words
from monai_anomaly.utils.bundle_folders import Bundle, find_bundle, known_bundles
from monai_anomaly.utils.config_files import read_configs
from monai_anomaly.utils.exceptions import ConfigError
from monai_anomaly.utils.folder_lock import FolderLock

__all__ = ["add_export", "run_export"]

HELP = "write a trained detector as TorchScript (ts), ONNX or a program of torch.export (pt2)"
USAGE = "monai-anomaly export BUNDLE --format ts|onnx|pt2 [--filepath FILE] [--checkpoint MODEL.pt]"
FORMATS = {"ts": "ckpt_export", "onnx": "onnx_export"}
"""MONAI's command for each; for pt2 it has none."""
PT2 = "pt2"


def add_export(verbs: Any) -> argparse.ArgumentParser:
    """Add the verb to the parser."""
    parser: argparse.ArgumentParser = verbs.add_parser(
        "export", help=HELP, description=f"{HELP}.", usage=USAGE, allow_abbrev=False
    )
    add_bundle(parser)
    parser.add_argument("--format", choices=sorted([*FORMATS, PT2]), help="what to write; ONNX needs the extra 'onnx'")
    parser.add_argument("--filepath", metavar="FILE", help="the new file (default: beside the checkpoint)")
    parser.add_argument("--checkpoint", metavar="MODEL.pt", help="the trained detector (default: the bundle's own)")
    return parser


def run_export(words: Sequence[str]) -> int:
    """Check the words after the verb, print what they stand for, and run it."""
    named, overrides = split_words(words)
    kind, filepath = overrides.pop("format", None), overrides.pop("filepath", None)
    if len(named) != 1:
        return usage_error(f"export needs one bundle: {', '.join(known_bundles())}, or a bundle's folder.")
    if kind not in (*FORMATS, PT2):
        return usage_error("export needs --format ts, --format onnx or --format pt2.")
    bundle = find_bundle(named[0])
    config = bundle.config("inference")
    check_overrides(overrides, read_configs([config]))
    options = {**places(bundle, ("checkpoint",), overrides), **overrides}
    check_checkpoint(bundle, options)
    if kind == "onnx" and find_spec("onnx") is None:
        raise ConfigError("--format onnx needs packages that are not installed: pip install 'monai_anomaly[onnx]'.")
    path = path_of(filepath or checkpoint_of(bundle, options))
    path = path if filepath else path.with_suffix(f".{kind}")
    with FolderLock({"--filepath": path.parent}):
        if kind == PT2:
            return _export_program(checkpoint_of(bundle, options), path)
        return run_line([FORMATS[kind], "network_def", *_export_words(bundle, config, kind, path, options)])


def _export_program(checkpoint: str, path: Path) -> int:
    """Write the detector without MONAI's program, which knows no such format."""
    from monai_anomaly.bundle.torch_export import export_program

    export_program(checkpoint, path)
    print(f"the detector is in {path}")
    return 0


def _export_words(bundle: Bundle, config: Path, kind: str, path: Path, options: Mapping[str, str]) -> list[str]:
    """Return what MONAI's command is told: the checkpoint, which also says how the network is made, twice."""
    checkpoint = checkpoint_of(bundle, options)
    told = {
        "filepath": path.as_posix(),
        "ckpt_file": checkpoint,
        "meta_file": bundle.config("metadata").as_posix(),
        "key_in_ckpt": "model",
    }
    if kind == "onnx":
        from monai_anomaly.bundle.trained_detector import TrainedDetector

        shape = (1, *TrainedDetector.read(checkpoint).preprocessing.image_shape)
        told |= {"input_shape": str(list(shape)).replace(" ", ""), "use_trace": "False"}
    return [*option_words(told), *file_words([config]), *option_words({**options, "checkpoint": checkpoint})]
