# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

"""Whether a change of the code changes what users get, bit for bit.

One short training of every bundle, on its phantom and with its own recipe, then calibration, evaluation and inference,
are recorded from two checkouts and compared::

    git worktree add /somewhere/before REVISION
    python -m measurements.equal_results record --checkout /somewhere/before before
    python -m measurements.equal_results record after
    python -m measurements.equal_results compare before after

Compared are the phantoms' files, the tensors of the checkpoints, every number of the tables and records, the heat maps
and the anomaly maps behind them. Hashes of the checkpoints' files and dates may differ.
"""

from __future__ import annotations

import argparse
import csv
import hashlib
import json
import math
import os
import subprocess
import sys
from collections.abc import Collection, Iterator, Mapping
from pathlib import Path
from typing import Any

import torch

__all__ = ["compare", "record"]

BUNDLES = ("sepiad", "simsid", "ocad", "sagan")
SHORT = {"max_epochs": 2, "epoch_length": 4, "val_interval": 1, "device": "cpu", "seed": 3}
SHORT_OF = {"sepiad": {"pretrain_epochs": 1}}
MAY_DIFFER = frozenset({"date", "model_hash", "spec_hash", "weights", "detector_hash", "checksum"})
"""Keys of tables and records that name the checkpoint's file, whose bytes are not its content."""


def record(output: Path, checkout: Path, bundles: tuple[str, ...] = BUNDLES) -> None:
    """Run every bundle of a checkout as a user does, in processes of its own.

    Args:
        output: gets a folder for each bundle, and the phantoms.
        checkout: the root of the repository to run.
        bundles: which ones.
    """
    output.mkdir(parents=True)
    key = output / "identity.key"
    key.write_bytes(b"a key for measurements, known to everybody")
    environment = {
        **os.environ,
        "OMP_NUM_THREADS": "1",
        "PYTHONPATH": str(checkout),
        "MONAI_ANOMALY_CACHE": str(output / "phantoms"),
        "MONAI_ANOMALY_KEY_FILE": str(key),
    }
    for bundle in bundles:
        folder = output / bundle
        model = folder / "models" / "model.pt"
        common = {"checkpoint": model, "device": "cpu"}
        training = {
            "output_dir": folder / "training",
            "ckpt_dir": folder / "models",
            **SHORT,
            **SHORT_OF.get(bundle, {}),
        }
        runs: list[tuple[str, str, Mapping[str, Any]]] = [
            ("training", "train", training),
            ("calibrate", "calibrate", common),
            ("evaluating", "evaluate", {**common, "output_dir": folder / "evaluation"}),
        ]
        for run_id, name, overrides in runs:
            words = [word for key, value in overrides.items() for word in (f"--{key}", str(value))]
            config = f"bundles/{bundle}/configs/{name}.json"
            command = ["-m", "monai.bundle", "run", run_id, "--config_file", config, *words]
            _run(command, checkout, environment, folder / f"{name}.log")
        _run([str(Path(__file__).resolve()), "infer", bundle, str(folder)], checkout, environment, folder / "infer.log")
        print(f"{bundle}: recorded")


def _run(arguments: list[str], checkout: Path, environment: Mapping[str, str], log: Path) -> None:
    log.parent.mkdir(parents=True, exist_ok=True)
    with open(log, "wb") as file:
        done = subprocess.run(
            [sys.executable, *arguments], cwd=checkout, env=dict(environment), stdout=file, stderr=subprocess.STDOUT
        )
    if done.returncode:
        raise SystemExit(f"error: {' '.join(arguments[:5])} ended with {done.returncode}; see {log}.")


def _infer(bundle: str, folder: Path) -> None:
    """Inference of a bundle in the working directory, which also keeps the maps as they are before any color."""
    from ignite.engine import Engine, Events
    from monai.bundle import ConfigWorkflow
    from monai.data import MetaTensor

    overrides: dict[str, Any] = {
        "checkpoint": str(folder / "models" / "model.pt"),
        "output_dir": str(folder / "inference"),
        "source_names": True,
        "device": "cpu",
        "false_alarm_rate": 0.25,
    }
    config = f"bundles/{bundle}/configs/inference.json"
    workflow = ConfigWorkflow(config_file=config, workflow_type="infer", logging_file=False, **overrides)
    workflow.initialize()
    maps: list[torch.Tensor] = []

    def keep(engine: Engine) -> None:
        output: Any = engine.state.output  # decollated
        maps.extend(torch.as_tensor(item["pred"]).clone() for item in output)

    workflow.parser.get_parsed_content("evaluator").add_event_handler(Events.ITERATION_COMPLETED, keep)
    workflow.run()
    plain = [image.as_tensor() if isinstance(image, MetaTensor) else image for image in maps]
    torch.save(torch.stack(plain), folder / "maps.pt")


# ---- comparison ------------------------------------------------------------------------------------------------------


def compare(
    before: Path, after: Path, renamed: Mapping[str, str] | None = None, left_out: Collection[str] = ()
) -> list[str]:
    """Return what differs between two records.

    Args:
        before: what :func:`record` wrote.
        after: the same, of another checkout.
        renamed: parts of keys that have another name afterwards.
        left_out: parts of keys that are not compared.

    Returns:
        a line for each difference; empty when both are equal.
    """
    files = [{str(p.relative_to(root)) for p in root.rglob("*") if _is_compared(p)} for root in (before, after)]
    lines = [f"{name}: only {'before' if name in files[0] else 'after'}" for name in sorted(files[0] ^ files[1])]
    counted = 0
    for name in sorted(files[0] & files[1]):
        old, new = (dict(_leaves(_read_file(root / name))) for root in (before, after))
        for word, instead in (renamed or {}).items():
            old = {key.replace(word, instead): value for key, value in old.items()}
        old, new = (
            {key: value for key, value in side.items() if not any(word in key for word in left_out)}
            for side in (old, new)
        )
        lines += [
            f"{name}: {key} only {'before' if key in old else 'after'}" for key in sorted(old.keys() ^ new.keys())
        ]
        lines += [f"{name}: {key} differs" for key in old.keys() & new.keys() if not _same(old[key], new[key])]
        counted += len(old.keys() & new.keys())
    print(f"{len(files[0] & files[1])} files, {counted} tensors and values compared, {len(lines)} differences")
    return lines


def _is_compared(path: Path) -> bool:
    return path.suffix in {".pt", ".csv", ".json", ".jsonl", ".png", ".dcm"} and "tensorboard" not in path.parts


def _read_file(path: Path) -> Any:
    if path.suffix == ".pt":
        return torch.load(path, map_location="cpu", weights_only=True)
    if path.suffix == ".csv":
        return list(csv.DictReader(path.read_text().splitlines()))
    if path.suffix == ".json":
        return json.loads(path.read_text())
    if path.suffix == ".jsonl":
        return [json.loads(line) for line in path.read_text().splitlines()]
    return hashlib.sha256(path.read_bytes()).hexdigest()


def _leaves(node: Any, where: str = "") -> Iterator[tuple[str, Any]]:
    if isinstance(node, Mapping):
        for key, value in node.items():
            if key not in MAY_DIFFER:
                yield from _leaves(value, f"{where}.{key}" if where else str(key))
    elif isinstance(node, (list, tuple)):
        for number, value in enumerate(node):
            yield from _leaves(value, f"{where}[{number}]")
    else:
        yield where, node


def _same(old: Any, new: Any) -> bool:
    if isinstance(old, torch.Tensor) and isinstance(new, torch.Tensor):
        equal = old.dtype == new.dtype and old.shape == new.shape
        return equal and (torch.equal(old, new) or torch.equal(old.nan_to_num(), new.nan_to_num()))
    both_nan = isinstance(old, float) and isinstance(new, float) and math.isnan(old) and math.isnan(new)
    return both_nan or bool(old == new)


def main() -> int:
    """Run a verb."""
    parser = argparse.ArgumentParser(prog="python -m measurements.equal_results", description=__doc__)
    verbs = parser.add_subparsers(dest="verb", required=True)
    recording = verbs.add_parser("record")
    recording.add_argument("output", type=Path)
    recording.add_argument("--checkout", type=Path, default=Path.cwd(), metavar="DIR")
    recording.add_argument("--bundles", nargs="+", default=BUNDLES, choices=BUNDLES)
    inferring = verbs.add_parser("infer")
    inferring.add_argument("bundle")
    inferring.add_argument("folder", type=Path)
    comparing = verbs.add_parser("compare")
    comparing.add_argument("before", type=Path)
    comparing.add_argument("after", type=Path)
    comparing.add_argument("--renamed", action="append", default=[], metavar="OLD=NEW", help="in keys of the first")
    comparing.add_argument("--left_out", nargs="+", default=[], metavar="WORD", help="keys that are not compared")
    options = parser.parse_args()
    if options.verb == "record":
        record(options.output.resolve(), options.checkout.resolve(), tuple(options.bundles))
        return 0
    if options.verb == "infer":
        _infer(options.bundle, options.folder)
        return 0
    lines = compare(options.before, options.after, dict(pair.split("=") for pair in options.renamed), options.left_out)
    print("\n".join(lines[:100]))
    return 1 if lines else 0


if __name__ == "__main__":
    sys.exit(main())
