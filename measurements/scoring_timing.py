# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

"""A bundle's inference against the network's forward passes, on one core and on two."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from monai.bundle import ConfigParser
from torch import Tensor

from measurements.bundle_config import read_config
from measurements.comparison import Comparison
from monai_anomaly.data.decoding.process import end_decoders
from monai_anomaly.utils.stopwatch import Span, Stopwatch

__all__ = ["SCORING_BARS", "TWO_CORES_BAR", "compare_scoring"]

SCORING_BARS: Mapping[str, float] = {"sepiad": 1.4, "simsid": 1.4, "sagan": 1.8, "ocad": 2.2, "embedding": 1.5}
"""What scoring with records alone may cost, in forward passes, by processor time; of other bundles 1.5."""

TWO_CORES_BAR = 1.1
"""What it may cost on the clock, in the larger of decoding and forward passes, where a second core is free."""

RECORDS_ALONE: Mapping[str, Any] = {"maps": "none", "overlays": False, "gallery": 0}


def compare_scoring(
    bundle: str | os.PathLike[str],
    folder: Path,
    model: Path,
    *,
    rounds: int,
    overrides: Mapping[str, Any] | None = None,
) -> dict[str, Comparison]:
    """Return the bundle's inference on ``folder/pictures`` against the network's forward passes alone.

    Ours is everything between the imports and the last record: reading the configuration and the checkpoint, listing
    the folder, starting what decodes, decoding, preprocessing, the forward passes, and what is written. The floor is
    the same network on the same batches, preprocessed beforehand.

    Args:
        bundle: the bundle's folder.
        folder: holds ``pictures``, and gets the results.
        model: the detector's checkpoint.
        rounds: how often all sides are timed, after one round that is not.
        overrides: of ``inference.json``.

    Returns:
        ``scoring``, with records alone, by processor time; ``scoring_files``, with the maps, overlays and page of the
        defaults, without a bar; and ``two_cores``, on the clock, with records alone against the larger of decoding and
        forward passes, each alone.

    Raises:
        ConfigError: as :func:`measurements.timings.time_bundle`.
        RuntimeError: when a picture was not scored.
    """
    results = folder / "results"
    settings: dict[str, Any] = {"dataset_dir": str(folder / "pictures"), "output_dir": str(results)}
    settings |= {"checkpoint": str(model), "uncalibrated": True}
    device, network, batches = _prepared(read_config(bundle, "inference", settings, overrides))
    count = sum(len(batch) for batch in batches)
    bar = SCORING_BARS.get(Path(bundle).name, 1.5)
    sides = {
        "scoring": Comparison(f"scoring {count} PNG, records alone", bar, clock="cpu"),
        "scoring_files": Comparison(f"scoring {count} PNG, with maps, overlays, page", None, clock="cpu"),
        "two_cores": Comparison("records alone over max(decode, forward)", TWO_CORES_BAR),
    }
    for number in range(rounds + 1):
        spans = {}
        for key, more in (("scoring", RECORDS_ALONE), ("scoring_files", {})):
            watch = _watch(device)
            _infer(read_config(bundle, "inference", {**settings, **more}, overrides))
            spans[key] = _read(watch)
            _check_records(results / "records.jsonl", count)
            shutil.rmtree(results)
        watch = _watch(device)
        _forward(network, batches)
        forward = _read(watch)
        watch = _watch(device)
        _decode(read_config(bundle, "inference", settings, overrides))
        decoding = _read(watch)
        if number:
            for key in spans:
                sides[key].ours.append(spans[key])
                sides[key].floor.append(forward)
            sides["two_cores"].ours.append(spans["scoring"])
            sides["two_cores"].floor.append(max(forward, decoding, key=lambda span: span.wall))
    return sides


def _prepared(config: ConfigParser) -> tuple[torch.device, torch.nn.Module, list[Tensor]]:
    """Return the device, the network and all its batches, preprocessed."""
    device = config.get_parsed_content("device")
    batches = [batch["image"].to(device) for batch in config.get_parsed_content("dataloader")]
    return device, config.get_parsed_content("network").eval(), batches


def _watch(device: torch.device) -> Stopwatch:
    end_decoders()  # a run starts its own
    return Stopwatch(device)


def _read(watch: Stopwatch) -> Span:
    end_decoders()  # the processor time of a process counts when that has ended
    return watch.read()


def _infer(config: ConfigParser) -> None:
    config.get_parsed_content("initialize")
    config.get_parsed_content("run")


def _decode(config: ConfigParser) -> None:
    dataset = config.get_parsed_content("dataset")
    for index in range(len(dataset)):
        dataset[index]


@torch.inference_mode()
def _forward(network: torch.nn.Module, batches: list[Tensor]) -> None:
    for batch in batches:
        network(batch)


def _check_records(path: Path, count: int) -> None:
    """Refuse times of a run in which files were refused or failed."""
    with open(path, encoding="utf-8") as file:
        scored = sum(json.loads(line)["status"] == "scored" for line in file)
    if scored != count:
        raise RuntimeError(f"{scored} of {count} pictures were scored; the times of such a run mean nothing.")
