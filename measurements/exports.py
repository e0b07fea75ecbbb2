# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

"""What exported detectors cost beside eager PyTorch: ``python -m measurements.exports`` prints a row for each bundle.

The networks are those of the bundles' ``train.json`` with initial weights, which do not change the time; a checkpoint
in place of a bundle's name is taken as it is. It is the processor's time of one thread for one image, the lower
quartile of passes that take turns, so that what else the machine does changes all of them alike. With ``--images DIR``
it also says by how much the scores of the first 32 files there differ from eager PyTorch's, divided by the score where
that is above 1.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import torch
from torch import Tensor

from measurements.command_line import add_json
from measurements.comparison import write_numbers
from monai_anomaly.apps.arguments import count
from monai_anomaly.bundle.deliverable.exporting import export_detector
from monai_anomaly.bundle.trained_detector import TrainedDetector, open_detector
from monai_anomaly.data.lists.datalist import load_datalist
from monai_anomaly.utils.bundle_folders import find_bundle
from monai_anomaly.utils.checkpoint import save_checkpoint

__all__ = ["main", "milliseconds", "worst_difference"]

BUNDLES = ("sepiad", "simsid", "ocad", "sagan", "embedding")
KINDS = ("pt2", "ts", "onnx")
IMAGES = 32
Detectors = Mapping[str, Callable[[Tensor], Tensor]]


@torch.inference_mode()
def milliseconds(detectors: Detectors, image: Tensor, passes: int) -> dict[str, float]:
    """Return the processor's time of each for an image, in milliseconds: the lower quartile of so many passes."""
    times: dict[str, list[float]] = {name: [] for name in detectors}
    for _ in range(passes + 3):  # the first ones ask for memory, and TorchScript looks at what it is given
        for name, detector in detectors.items():
            begun = time.process_time()
            detector(image)
            times[name].append(time.process_time() - begun)
    return {name: 1e3 * sorted(spent[3:])[passes // 4] for name, spent in times.items()}


@torch.inference_mode()
def worst_difference(detectors: Detectors, images: Sequence[Tensor], name: str) -> float:
    """Return by how much scores of images ``(1, C, S, S)`` differ at most from those of ``"eager"``."""
    worst = 0.0
    for image in images:
        eager, other = (float(detectors[key](image).double().mean()) for key in ("eager", name))
        worst = max(worst, abs(other - eager) / max(1.0, abs(eager)))
    return worst


def _checkpoint(word: str, folder: Path) -> Path:
    """Return a checkpoint: what is named, or the bundle's network with its initial weights."""
    if Path(word).is_file():
        return Path(word)
    torch.manual_seed(0)
    bundle = find_bundle(word)
    fresh = open_detector(folder / "none.pt", bundle.folder)
    save_checkpoint({"spec": fresh.spec, "model": fresh.detector.state_dict()}, folder / f"{word}.pt")
    return folder / f"{word}.pt"


def _measure(word: str, folder: Path, images: str | None, passes: int) -> tuple[dict[str, float], list[str]]:
    """Return the milliseconds of each form, and the cells of the detector's row."""
    checkpoint = _checkpoint(word, folder)
    trained = TrainedDetector.read(checkpoint)
    detectors: dict[str, Callable[[Tensor], Tensor]] = {"eager": trained.detector.to(memory_format=torch.channels_last)}
    for kind in KINDS:
        export_detector(checkpoint, folder / f"new.{kind}", kind)
        detectors[kind] = TrainedDetector.read(folder / f"new.{kind}").detector
    image = torch.rand(1, *trained.preprocessing.image_shape)
    spent = milliseconds(detectors, image, passes)
    cells = [f"{word} ({image.shape[-1]} px)", f"{spent['eager']:.1f} ms"]
    cells += [f"{spent['eager'] / spent[kind]:.2f}" for kind in KINDS]
    if images:
        items = load_datalist(images, "inference")[:IMAGES]
        read = [trained.preprocessing({"image": item["image"]})["image"][None] for item in items]
        cells += [f"{worst_difference(detectors, read, kind):.1e}" for kind in KINDS]
    return spent, cells


def main(arguments: Sequence[str] | None = None) -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(prog="measurements.exports", description=__doc__)
    parser.add_argument("detectors", nargs="*", default=BUNDLES, help="bundles, or checkpoints (default: all bundles)")
    parser.add_argument("--images", metavar="DIR", help="images to compare scores of")
    add_json(parser)
    parser.add_argument("--passes", type=count, default=20, help="passes of each (default: %(default)s)")
    options = parser.parse_args(arguments)
    torch.set_num_threads(1)
    heads = ["detector", "eager", *(f"{kind}, images a second" for kind in KINDS)]
    heads += [f"{kind}, score" for kind in KINDS if options.images]
    print(f"| {' | '.join(heads)} |\n|{'---|' * len(heads)}")
    numbers: dict[str, dict[str, float]] = {}
    for word in options.detectors:
        with tempfile.TemporaryDirectory() as folder:
            numbers[word], cells = _measure(word, Path(folder), options.images, options.passes)
            print(f"| {' | '.join(cells)} |", flush=True)
    write_numbers(options.json_path, numbers)


if __name__ == "__main__":
    main()
