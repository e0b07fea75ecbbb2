# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

"""Run one cell of a benchmark, in processes of its own."""

from __future__ import annotations

import csv
import json
import math
import re
import signal
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from monai_anomaly.apps.benchmark.cell import Cell, CellError, DataSet
from monai_anomaly.apps.benchmark.process_usage import Usage, run_measured
from monai_anomaly.apps.benchmark.stage_bar import StageBar
from monai_anomaly.apps.benchmark.variants import Variant
from monai_anomaly.metrics.image_level import image_level_metrics
from monai_anomaly.utils.environment import package_versions

__all__ = ["finish_row", "last_sentence", "run_cell"]

PACKAGES = ("monai_anomaly", "monai", "torch", "scikit-learn", "scikit-image")


def run_cell(cell: Cell, folder: Path, *, title: str = "") -> dict[str, Any]:
    """Run a cell, and show what it does.

    Args:
        cell: what to run.
        folder: an empty folder for all that it writes.
        title: what the cell is called meanwhile; its own title otherwise.

    Returns:
        ``rows`` (one for a bundle, one for each baseline) with their metrics, and ``names``, ``labels`` and ``groups``
        of the test images that each row's ``scores`` belong to; ``left_out`` says which rows are missing and why.

    Raises:
        CellError: when there is no result.
    """
    title = title or cell.title
    if cell.variant is None:
        scored = _run_baselines(cell, folder, title)
    else:
        scored = _run_bundle(cell, cell.variant, folder, title)
    _check_images(cell.data, scored)
    rows = [finish_row(cell.empty_row() | row, scored) for row in scored["rows"]]
    kept = {key: scored[key] for key in ("names", "labels", "groups")}
    return kept | {"left_out": scored.get("left_out", ""), "rows": rows}


def _run_bundle(cell: Cell, variant: Variant, folder: Path, title: str) -> dict[str, Any]:
    """Training and evaluation as a user would run them."""
    output, models = folder / "output", folder / "models"
    common: dict[str, Any] = {"bundle_root": variant.bundle, "dataset_dir": cell.data.folder, "output_dir": output}
    common["split_seed"] = 0
    if cell.data.abnormal_folders:
        common["abnormal_folders"] = list(cell.data.abnormal_folders)
    settings = {"ckpt_dir": models, "seed": cell.seed, "max_minutes": cell.max_minutes}
    monai = [sys.executable, "-m", "monai.bundle", "run"]
    options = variant.options("train", common | settings | variant.schedule())
    limit = 60 * (2 * cell.max_minutes + 10)  # a bundle that does not keep its budget
    bar = StageBar(f"{title}: training", 60 * cell.max_minutes)
    training = _run([*monai, "training", *options], folder / "training", bar, limit, cell)
    options = variant.options("evaluate", common | {"checkpoint": models / "model.pt"})
    bar = StageBar(f"{title}: evaluation")
    evaluation = _run([*monai, *options], folder / "evaluation", bar, math.inf, cell)
    gpu = [usage.gpu_memory_mb for usage in (training, evaluation) if usage.gpu_memory_mb is not None]
    row: dict[str, Any] = {
        "seconds": training.seconds + evaluation.seconds,
        "training_seconds": training.seconds,
        "evaluation_seconds": evaluation.seconds,
        "cpu_seconds": training.cpu_seconds + evaluation.cpu_seconds,
        "peak_memory_mb": max(training.peak_memory_mb, evaluation.peak_memory_mb),
        "gpu_memory_mb": max(gpu) if gpu else None,
    }
    scored = _read_scores(output / "scores.csv")
    row["scores"], row["n_rejected"] = scored.pop("scores"), len(cell.data.labels) - len(scored["names"])
    return scored | {"rows": [row]}


def _run_baselines(cell: Cell, folder: Path, title: str) -> dict[str, Any]:
    path = folder / "baselines.json"
    command = [sys.executable, "-m", "monai_anomaly.apps.benchmark.baselines", str(cell.data.folder), str(path)]
    command += cell.data.abnormal_folders
    usage = _run(command, folder / "scoring", StageBar(f"{title}: scoring"), math.inf, cell)
    scored = json.loads(path.read_text(encoding="utf-8"))
    common = {
        "peak_memory_mb": usage.peak_memory_mb,
        "n_training": scored["n_fitted"],
        "n_rejected": scored["n_rejected"],
    }
    scored["rows"] = [row | common for row in scored["rows"]]
    return scored


def _run(command: Sequence[str], log: Path, bar: StageBar, limit: float, cell: Cell) -> Usage:
    """Run a stage, which its log is called after."""
    what = log.name
    with bar:
        usage = run_measured(command, log, limit_seconds=limit, look=bar.look)
    if usage.timed_out:
        raise CellError(f"{what} was stopped after {usage.seconds / 60:.0f} minutes: it does not keep its budget")
    if usage.exit_code < 0:
        name = signal.Signals(-usage.exit_code).name
        raise CellError(f"{what} was ended by {name}" + (", often for want of memory" if name == "SIGKILL" else ""))
    if usage.exit_code:
        text = log.with_suffix(".err").read_text(encoding="utf-8", errors="replace")
        raise CellError(f"{what}: {last_sentence(text, [cell.data.folder, log.parent])}")
    return usage


_PATH = re.compile(r"""(['"])[^'"\n]*[/\\][^'"\n]*\1|[^\s'"(]*[/\\][^\s'",;)]*""")
_FILE = re.compile(r"\S+\.(?:dcm|png|jpe?g|bmp|tiff?|nii(?:\.gz)?|nrrd|mha|mhd|csv|json|pt)\b", re.IGNORECASE)


def last_sentence(text: str, folders: Sequence[Path] = ()) -> str:
    """Why a program ended, from what it wrote to its standard error, without paths and names of files.

    Args:
        text: the program's standard error.
        folders: whose paths, spaces and all, are to be left out.
    """
    lines = [line.strip() for line in re.split(r"[\r\n]+", text) if line.strip()]
    lines = lines or ["it said nothing"]
    marked = [line for mark in ("the cause: ", "error: ") for line in lines if line.startswith(mark)]
    sentence = (marked or lines)[-1].removeprefix("error: ").removeprefix("the cause: ")
    for folder in folders:
        sentence = sentence.replace(str(folder), "/")
    return _FILE.sub("(file)", _PATH.sub("(path)", sentence))[:300]


def _read_scores(path: Path) -> dict[str, list[Any]]:
    """``scores.csv``, as :class:`~monai_anomaly.handlers.scoring.evaluation_report.EvaluationReport` writes it."""
    try:
        with open(path, encoding="utf-8", newline="") as file:
            table = list(csv.DictReader(file))
        return {
            "names": [line["image"] for line in table],
            "labels": [int(line["label"]) for line in table],
            "groups": [line["group"] for line in table],
            "scores": [float(line["score"]) for line in table],
        }
    except (OSError, KeyError, ValueError, csv.Error):
        raise CellError("the evaluation wrote no scores.csv with image, label, score and group") from None


def _check_images(data: DataSet, scored: Mapping[str, Any]) -> None:
    """Insist on the same images for every method."""
    names, labels = scored["names"], scored["labels"]
    if len(set(names)) != len(names) or any(data.labels.get(n) != y for n, y in zip(names, labels, strict=True)):
        raise CellError("the images that were scored are not those of the test list")


def finish_row(row: dict[str, Any], scored: Mapping[str, Any]) -> dict[str, Any]:
    """Return the row with its metrics, or the reason why it has none.

    Args:
        row: of the cell, with ``scores`` or a ``reason``.
        scored: ``names``, ``labels`` and ``groups`` of the images.
    """
    row["versions"] = "; ".join(f"{name} {number}" for name, number in package_versions(PACKAGES).items())
    if row["reason"]:
        return row | {"status": "failed"}
    try:
        metrics = image_level_metrics(scored["labels"], row["scores"], scored["groups"])
    except ValueError as error:
        row.pop("scores")
        return row | {"status": "failed", "reason": last_sentence(str(error))}
    low, high = metrics["auroc_interval"] or (None, None)
    kept = ("auroc", "average_precision", "n_normal", "n_abnormal", "n_groups")
    values = {key: metrics[key] for key in kept}
    return row | {"status": "done", "auroc_low": low, "auroc_high": high, **values}
