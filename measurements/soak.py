# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

"""Whether a long inference loses a file or gathers memory.

``python -m measurements.soak --bundle bundles/sepiad --checkpoint M`` scores 10,000 generated files in one process, one
in a hundred of them broken, through the bundle's own configuration, and prints the memory every 1,000 files. It exits
with 1 where what is on the disk is not what was made, or the memory has grown by 5 % or more since file 2,000.
"""

from __future__ import annotations

import argparse
import csv
import json
import os
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from monai.bundle import run
from PIL import Image
from pydicom import dcmread

from measurements.command_line import run_measurement
from monai_anomaly.apps.arguments import count
from monai_anomaly.phantom.dicom import make_uid
from monai_anomaly.phantom.phantom import make_phantom
from monai_anomaly.utils.checkpoint import require_checkpoint

__all__ = ["DRIFT_BAR", "MemoryLog", "check_results", "main", "make_files", "soak"]

DRIFT_BAR = 0.05
"""Most growth of the memory, as a share of what it was after a fifth of the files."""

BROKEN = 100
"""Each file with this number is broken."""

IN_FOLDER = 1000


def make_files(folder: Path, n_files: int) -> Counter[str]:
    """Write PNG and DICOM files in turn, all different, from those of a phantom.

    Args:
        folder: gets folders of a thousand files.
        n_files: how many.

    Returns:
        How many must be ``scored`` and how many ``rejected``.
    """
    with tempfile.TemporaryDirectory() as phantom:
        make_phantom(phantom, seed=1, num_train=16, num_val=2, num_test=16, progress=False)
        images = [dcmread(path) for path in sorted(Path(phantom).rglob("*.dcm"))]
    plain = [image for image in images if image.PhotometricInterpretation in ("MONOCHROME2", "RGB")]
    sources = [image for image in plain if image.get("NumberOfFrames", 1) == 1]
    made: Counter[str] = Counter()
    for number in range(n_files):
        source = sources[number % len(sources)]
        pixels = source.pixel_array.copy()
        pixels.reshape(-1)[:8] = [number >> shift & 255 for shift in range(0, 32, 4)]  # no two files are equal
        place = folder / f"{number // IN_FOLDER:03d}"
        place.mkdir(parents=True, exist_ok=True)
        path = place / f"{number:06d}.{('png', 'dcm')[number % 2]}"
        if path.suffix == ".png":
            Image.fromarray(pixels).save(path, compress_level=1)
        else:
            source.SOPInstanceUID = source.file_meta.MediaStorageSOPInstanceUID = make_uid("soak", str(number))
            source.PixelData = pixels.tobytes()
            source.save_as(path, enforce_file_format=True)
        broken = number % BROKEN == BROKEN - 1 - number // BROKEN % 2  # a PNG and a DICOM file in turn
        if broken:
            _break(path, number // BROKEN)
        made["rejected" if broken else "scored"] += 1
    return made


def _break(path: Path, kind: int) -> None:
    """Cut a file short, empty it, or put something else in its place."""
    content = path.read_bytes()
    path.write_bytes((content[: len(content) // 2], b"", b"no picture\n" * 50, content[:400])[kind // 2 % 4])


class MemoryLog:
    """Prints this process's memory, and that of its children, each time that so many more records are there.

    Args:
        output_dir: of the inference.
        every: records between two lines.
    """

    def __init__(self, output_dir: Path, every: int) -> None:
        self.output_dir, self.every = output_dir, every
        self.memory: dict[int, int] = {}
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)

    def __enter__(self) -> MemoryLog:
        self._start = time.monotonic()
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        self._thread.join()

    def _watch(self) -> None:
        for n_records in self._counts():
            reached = n_records // self.every * self.every
            if reached and reached not in self.memory:
                self.memory[reached] = own = _resident(os.getpid())
                others = sum(_resident(child) for child in _children())
                memory = f"{own / 2**20:8.1f} MiB  decoder {others / 2**20:6.1f} MiB"
                print(f"{reached:>7} files  {memory}  {time.monotonic() - self._start:7.0f} s", flush=True)

    def _counts(self) -> Iterator[int]:
        """Yield how many records there are, from time to time; each byte is read once."""
        path, n_records, at = self.output_dir / "partial-1" / "records.jsonl.partial", 0, 0
        while not self._ended.wait(0.1):
            if path.is_file():
                with open(path, "rb") as file:
                    file.seek(at)
                    new = file.read()
                at += len(new)
                n_records += new.count(b"\n")
                yield n_records


def _resident(process: int) -> int:
    try:
        pages = int(Path(f"/proc/{process}/statm").read_text().split()[1])
    except OSError:  # it has ended
        return 0
    return pages * os.sysconf("SC_PAGE_SIZE")


def _children() -> list[int]:
    lists = [path.read_text() for path in Path("/proc/self/task").glob("*/children")]
    return [int(word) for text in lists for word in text.split()]


def check_results(output_dir: Path, made: Counter[str]) -> list[str]:
    """Count what is on the disk, and return what is not as it was made.

    Args:
        output_dir: of the inference, which has maps and overlays.
        made: how many files must be scored, and how many rejected.
    """
    records = [json.loads(line) for line in (output_dir / "records.jsonl").read_text().splitlines()]
    with open(output_dir / "predictions.csv", encoding="utf-8", newline="") as file:
        n_rows = len(list(csv.DictReader(file)))
    found = {
        "records": Counter(record["status"] for record in records),
        "names": len({record["image"] for record in records}),
        "rows": n_rows,
        "maps": len(os.listdir(output_dir / "maps")),
        "overlays": len(os.listdir(output_dir / "overlays")),
    }
    total, scored = made.total(), made["scored"]
    wanted = {"records": made, "names": total, "rows": total, "maps": scored, "overlays": scored}
    wrong = [name for name in wanted if found[name] != wanted[name]]
    return [f"{name}: {found[name]} on the disk, {wanted[name]} were made" for name in wrong]


def soak(bundle: str, checkpoint: str, *, n_files: int = 10_000, folder: str | None = None) -> None:
    """Make the files, score them, count and print.

    Args:
        bundle: its folder.
        checkpoint: a trained ``model.pt`` of it; a calibration beside it is used.
        n_files: how many files.
        folder: where to work; None takes a temporary one, which is removed.

    Raises:
        CheckpointError: when there is no such detector.
        ValueError: when a bar is missed.
    """
    if not Path("/proc/self/statm").is_file():
        raise ValueError("memory is read from /proc; measure on Linux.")
    require_checkpoint(checkpoint)
    with tempfile.TemporaryDirectory(dir=folder) as work:
        files, out = Path(work, "in"), Path(work, "out")
        made = make_files(files, n_files)
        print(f"{n_files} files are made: {made['scored']} whole, {made['rejected']} broken", flush=True)
        calibrated = Path(checkpoint).with_name("calibration.json").is_file()
        options: dict[str, Any] = {"checkpoint": str(checkpoint), "uncalibrated": not calibrated, "device": "cpu"}
        with MemoryLog(out, n_files // 10) as log:
            run(
                config_file=str(Path(bundle, "configs", "inference.json")),
                dataset_dir=str(files),
                output_dir=str(out),
                **options,
            )
        wrong = check_results(out, made)
    start, end = n_files // 10 * 2, n_files // 10 * 10
    drift = log.memory[end] / log.memory[start] - 1
    print(f"memory from file {start} to file {end}: {100 * drift:+.2f} % (bar {DRIFT_BAR:.0%})")
    print(f"on the disk: {'; '.join(wrong) or 'what was made'}")
    if wrong or drift >= DRIFT_BAR:
        raise ValueError("the soak missed a bar.")


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the measurement and return its exit code."""
    parser = argparse.ArgumentParser(prog="python -m measurements.soak", description=(__doc__ or "").split("\n\n")[0])
    parser.add_argument("--bundle", required=True, metavar="DIR", help="the bundle's folder")
    parser.add_argument("--checkpoint", required=True, metavar="MODEL.pt", help="a detector that it trained")
    parser.add_argument("--files", dest="n_files", type=count, default=10_000, help="default: %(default)s")
    parser.add_argument("--folder", metavar="DIR", help="where to work (default: the system's folder for such)")
    return run_measurement(soak, **vars(parser.parse_args(arguments)))


if __name__ == "__main__":
    sys.exit(main())
