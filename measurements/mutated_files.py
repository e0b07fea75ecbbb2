# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

"""What broken files cost: ``python -m measurements.mutated_files --count 20000``.

Every file is drawn from its number alone, so that ``--first NUMBER --count 1 --keep DIR`` makes it again. Files are
decoded without ``decode_limit``, in a process that is started anew when a file kills it: what is measured is what
the checks of headers leave to the decoders. A file *escapes* when reading it ends in neither pixels nor an
``ImageReadError``; it *offends* when it takes more than 5 seconds of computing or 1 GB of memory.
"""

from __future__ import annotations

import argparse
import json
import resource
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from measurements.mutations.mutators import mutate
from measurements.mutations.seeds import seeds
from monai_anomaly.data.arrays.itk_image import load_itk
from monai_anomaly.data.decoding.jobs import FRAME, MASK, Job, do_job
from monai_anomaly.data.decoding.open_file import ReadRules, tell_kind
from monai_anomaly.data.errors import ImageReadError
from monai_anomaly.data.frame_source import DecodedImage

__all__ = ["main", "make_file", "measure", "read_file"]

SECONDS, MEMORY = 5.0, 10**9
PATIENCE = 120.0
"""Seconds after which a file is given up."""
MASKS = 7
"""One file of so many is read as a mask."""


def make_file(number: int) -> tuple[str, bytes]:
    """Return suffix and content of a mutated file, the same for a number in every run."""
    sources = seeds()
    suffix, content = sources[number % len(sources)]
    random = np.random.default_rng([16, number])
    return suffix, mutate(content, suffix, random, [other for _, other in sources])


def read_file(path: Path, *, mask: bool) -> str:
    """Return the code of the error that a file ends in, or ``read``.

    Raises:
        AssertionError: for pixels, or a message, that break the reader's promise.
    """
    rules = ReadRules()
    try:
        answer: Any = do_job(Job(MASK if mask else FRAME, str(path), rules, tell_kind(path), b"k" * 32))
    except ImageReadError as error:
        assert error.code and error.message.endswith((".", "?")) and "\n" not in error.message, str(error)
        assert path.name not in error.message
        return error.code
    pixels = answer.pixels if isinstance(answer, DecodedImage) else answer
    if mask:
        assert pixels.dtype == bool
    else:
        assert pixels.ndim == 3 and pixels.shape[0] in (1, 3) and pixels.size and pixels.dtype == np.float32
        assert np.isfinite(pixels).all() and pixels.min() >= 0 and pixels.max() <= 1
    return "read"


def measure(first: int, count: int, folder: Path) -> Iterator[dict[str, Any]]:
    """Read files in this process and yield ``number``, ``end``, ``seconds`` of computing and ``memory`` in bytes."""
    for number in range(first, first + count):
        suffix, content = make_file(number)
        if suffix in (".nrrd", ".mha"):
            load_itk()  # whose seconds are no file's
        path = folder / f"mutated{suffix}"
        path.write_bytes(content)
        _reset_peak()
        before = time.process_time()
        try:
            end = read_file(path, mask=number % MASKS == 0)
        except Exception as error:
            end = f"escape: {type(error).__name__}: {str(error)[:200]}"
        seconds, memory = time.process_time() - before, _peak()
        path.unlink()
        yield {"number": number, "end": end, "seconds": seconds, "memory": memory}


def main(arguments: Sequence[str] | None = None) -> int:
    """Print how files ended, the slowest, the largest, and the numbers of all that escaped or offended."""
    parser = argparse.ArgumentParser(prog="python -m measurements.mutated_files", description=__doc__)
    parser.add_argument("--first", type=int, default=0, help="number of the first file (default: 0)")
    parser.add_argument("--count", type=int, default=20000, help="files (default: 20000)")
    parser.add_argument("--keep", type=Path, metavar="DIR", help="write the files there, and read none")
    parser.add_argument("--in-this-process", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args(arguments)
    if options.keep is not None:
        for number in range(options.first, options.first + options.count):
            suffix, content = make_file(number)
            (options.keep / f"{number}{suffix}").write_bytes(content)
        return 0
    with tempfile.TemporaryDirectory(prefix="mutated-") as folder:
        if options.in_this_process:
            for result in measure(options.first, options.count, Path(folder)):
                print(json.dumps(result), flush=True)
            return 0
    results = list(_from_processes(options.first, options.count))
    _report(results)
    return 0 if not any(_is_bad(result) for result in results) else 1


def _from_processes(first: int, count: int) -> Iterator[dict[str, Any]]:
    """Yield the results of all files; after one that ends its process, the next one gets a new process."""
    end = first + count
    while first < end:
        command = [sys.executable, "-W", "ignore", "-m", "measurements.mutated_files", "--in-this-process"]
        command += ["--first", str(first), "--count", str(end - first)]
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as process:
            assert process.stdout is not None
            watch = _Watch(process)
            for line in process.stdout:
                watch.restart()
                result = json.loads(line)
                first = result["number"] + 1
                yield result
            watch.stop()
        if first < end:
            after = resource.getrusage(resource.RUSAGE_CHILDREN)
            seconds = after.ru_utime - before.ru_utime
            yield {"number": first, "end": f"death: {process.returncode}", "seconds": seconds, "memory": 0}
            first += 1


class _Watch:
    """Ends a process that is silent for too long."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self._process = process
        self.restart()

    def restart(self) -> None:
        """Begin to wait."""
        self.stop()
        self._timer = threading.Timer(PATIENCE, self._process.kill)
        self._timer.daemon = True
        self._timer.start()

    def stop(self) -> None:
        """Wait no more."""
        if hasattr(self, "_timer"):
            self._timer.cancel()


def _is_bad(result: dict[str, Any]) -> bool:
    ended = result["end"].startswith(("escape", "death"))
    return bool(ended or result["seconds"] > SECONDS or result["memory"] > MEMORY)


def _report(results: Sequence[dict[str, Any]]) -> None:
    bad = [result for result in results if _is_bad(result)]
    slowest = sorted(results, key=lambda result: -result["seconds"])[:5]
    largest = sorted(results, key=lambda result: -result["memory"])[:5]
    print(f"{len(results)} files of {len(seeds())} seeds; {len(bad)} escaped or offended")
    print("slowest:", ", ".join(f"{r['number']} {r['seconds']:.2f} s ({r['end'][:60]})" for r in slowest))
    print("largest:", ", ".join(f"{r['number']} {r['memory'] / 1e6:.0f} MB ({r['end'][:60]})" for r in largest))
    print(", ".join(f"{end} {number}" for end, number in Counter(r["end"] for r in results).most_common()))
    for result in bad:
        print("bad:", json.dumps(result))


def _reset_peak() -> None:
    """Forget the most memory that this process had, where the system can."""
    try:
        Path("/proc/self/clear_refs").write_text("5", encoding="ascii")
    except OSError:
        pass  # then it is that of all files so far


def _peak() -> int:
    """Return the most memory that this process had, in bytes, without the pages of libraries."""
    try:
        status = Path("/proc/self/status").read_text(encoding="ascii")
    except OSError:
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    most, libraries = (int(status.split(f"{name}:")[1].split()[0]) for name in ("VmHWM", "RssFile"))
    return (most - libraries) * 1024


if __name__ == "__main__":
    sys.exit(main())
