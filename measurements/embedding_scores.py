# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

"""What the embedding's scores are worth: without a pool, and with pools of every share of disease.

``python -m measurements.embedding_scores DIR [DIR ...]`` reads data sets with a training, validation and test section,
takes the features of each picture once, with the default detector, and solves it again and again:

- without a pool, with other parts of cross-fitting for each seed: the ROC AUC of the test section;
- with a pool: half of the test patients are the pool, the others are tested; shares of abnormal images in the pool from
  none to as it comes; six splits. Beside it the one-class score of the same test halves, the contrast alone, and the
  share as the training estimates it, without a label;
- with ``--section validation`` the same without any test image: a third of the training normals is left out and tested
  beside the validation section, each third in turn. Recipes are chosen by this.

Errors after ± are standard errors over splits; those of a data set's finite test section come on top.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from sklearn.metrics import roc_auc_score
from torch import Tensor

from measurements.command_line import add_json, add_overrides, run_measurement
from monai_anomaly.apps.arguments import count
from monai_anomaly.apps.pool_curve.pool_splits import draw_pool_patients
from monai_anomaly.data.lists.datalist import load_datalist
from monai_anomaly.networks.nets.embedding.cross_fitting import cross_fitted
from monai_anomaly.networks.nets.embedding.embedding import Embedding
from monai_anomaly.networks.nets.features.backbone import load_backbone_weights
from monai_anomaly.transforms.preprocessing import Preprocessing
from monai_anomaly.utils.atomic import atomic_write

__all__ = ["Pictures", "Result", "draw_share", "main", "measure", "read_pictures", "solve_and_score"]

SHARES: tuple[float | None, ...] = (None, 0.5, 0.3, 0.1, 0.05, 0.0)
SECTIONS = ("test", "validation")


class Pictures(NamedTuple):
    """Features and facts of a section's pictures."""

    features: Tensor
    labels: Sequence[int]
    groups: Sequence[str]

    def rows(self, rows: Sequence[int]) -> Pictures:
        """Return some of them."""
        chosen = list(rows)
        return Pictures(self.features[chosen], [self.labels[i] for i in chosen], [self.groups[i] for i in chosen])

    def and_others(self, other: Pictures) -> Pictures:
        """Return these and then others."""
        features = torch.cat([self.features, other.features])
        return Pictures(features, [*self.labels, *other.labels], [*self.groups, *other.groups])


class Result(NamedTuple):
    """One solution and what it reaches on new pictures."""

    auroc: float
    contrast: float
    """ROC AUC of the contrast alone; nan without a pool."""
    share: float
    """The true share of abnormal images in the pool; nan without one."""
    estimate: float
    pool: int


@torch.inference_mode()
def read_pictures(detector: Embedding, folder: Path, section: str) -> Pictures:
    """Return the features of a section of a data set, in its order."""
    preprocessing = Preprocessing(detector.image_size, detector.in_channels)
    items = load_datalist(folder, section)
    parts = [detector.features(torch.as_tensor(preprocessing(item)["image"])[None]) for item in items]
    labels = [int(item["label"]) for item in items]
    return Pictures(torch.cat(parts), labels, [str(item["group"]) for item in items])


def solve_and_score(detector: Embedding, normals: Pictures, pool: Pictures, new: Pictures, *, seed: int) -> Result:
    """Solve the detector as its training does, and return what it reaches; no label but those of ``new`` is used."""
    groups = [*normals.groups, *pool.groups]
    scores = cross_fitted(detector.heads, normals.features, pool.features, groups, seed=seed)
    detector.fit_heads(normals.features, pool.features)
    _, estimate = detector.fit_joining(*scores)
    raw = detector.heads(new.features)[0]
    joined = detector.joined(detector.standardize(raw))
    if estimate is None:
        return Result(float(roc_auc_score(new.labels, joined)), float("nan"), float("nan"), float("nan"), 0)
    contrast = float(roc_auc_score(new.labels, raw[:, -1]))
    share = sum(pool.labels) / len(pool.labels)
    return Result(float(roc_auc_score(new.labels, joined)), contrast, share, estimate, len(pool.labels))


def draw_share(labels: Sequence[int], share: float | None, seed: int) -> list[int]:
    """Return rows of a pool, so that a share of them is abnormal: all of the kind that is short, the others by chance.

    Args:
        labels: of the pool.
        share: from 0 to below 1; None is the pool as it comes.
        seed: of the draw.
    """
    if share is None:
        return list(range(len(labels)))
    order = np.random.default_rng([seed, 2]).permutation(len(labels)).tolist()
    normal = [i for i in order if labels[i] == 0]
    abnormal = [i for i in order if labels[i] == 1]
    wanted = round(len(normal) * share / (1 - share))
    if wanted > len(abnormal):
        normal, wanted = normal[: round(len(abnormal) * (1 - share) / share)], len(abnormal)
    return sorted([*normal, *abnormal[:wanted]])


def _halves(pictures: Pictures, split: int) -> tuple[Pictures, Pictures]:
    """Half of the patients as a pool, the others to test."""
    items = [{"group": g, "label": y} for g, y in zip(pictures.groups, pictures.labels, strict=True)]
    drawn = draw_pool_patients(items, split)
    pool = [i for i, group in enumerate(pictures.groups) if group in drawn]
    rest = [i for i, group in enumerate(pictures.groups) if group not in drawn]
    return pictures.rows(pool), pictures.rows(rest)


def _runs(sections: Mapping[str, Pictures], section: str, number: int) -> tuple[Pictures, Pictures]:
    """Training normals and new pictures; with the validation section a third of the normals is new, too."""
    normals = sections["training"]
    if section == "test":
        return normals, sections["test"]
    patients = np.array(sorted(set(normals.groups)))
    order = np.random.default_rng([number // 3, 3]).permutation(len(patients))
    left_out = set(patients[order[number % 3 :: 3]].tolist())
    kept = [i for i, group in enumerate(normals.groups) if group not in left_out]
    new = [i for i, group in enumerate(normals.groups) if group in left_out]
    return normals.rows(kept), sections["validation"].and_others(normals.rows(new))


def _solutions(
    detector: Embedding, sections: Mapping[str, Pictures], section: str, seeds: int, splits: int
) -> Iterator[tuple[str, Result]]:
    """Yield the name of each case, and a result of it."""
    for seed in range(seeds):
        normals, new = _runs(sections, section, seed)
        yield "no pool, all", solve_and_score(detector, normals, new.rows([]), new, seed=seed)
    for split in range(splits):
        normals, new = _runs(sections, section, split)
        pool, rest = _halves(new, split)
        yield "no pool", solve_and_score(detector, normals, pool.rows([]), rest, seed=split)
        for share in SHARES:
            drawn = pool.rows(draw_share(pool.labels, share, split))
            name = "as it comes" if share is None else f"{share:g}"
            yield name, solve_and_score(detector, normals, drawn, rest, seed=split)


def measure(
    folders: Sequence[str],
    *,
    section: str = "test",
    seeds: int = 3,
    splits: int = 6,
    arguments: Sequence[tuple[str, Any]] = (),
    weights: str | None = None,
    json_path: str | None = None,
) -> dict[str, dict[str, list[Result]]]:
    """Measure data sets, and print the tables.

    Args:
        folders: of the data sets.
        section: whose images are new.
        seeds: times that the detector is solved without a pool.
        splits: of the patients in pool and new ones.
        arguments: of the detector, others than its defaults.
        weights: of its backbone; see :func:`.load_backbone_weights`.
        json_path: where all results go, too.

    Returns:
        for each data set and case the results.
    """
    detector = Embedding(**dict(arguments)).eval()
    load_backbone_weights(detector.backbone, weights)
    found: dict[str, dict[str, list[Result]]] = {}
    for folder in map(Path, folders):
        names = ("training", section)
        sections = {name: read_pictures(detector, folder, name) for name in names}
        cases: dict[str, list[Result]] = {}
        for case, result in _solutions(detector, sections, section, seeds, splits):
            cases.setdefault(case, []).append(result)
        found[folder.name] = cases
    print(format_tables(found, section))
    if json_path:
        plain = {data: {case: [r._asdict() for r in rs] for case, rs in cases.items()} for data, cases in found.items()}
        atomic_write(json_path, json.dumps(plain, indent=1) + "\n")
    return found


def format_tables(found: Mapping[str, Mapping[str, Sequence[Result]]], section: str) -> str:
    """Return ROC AUC of each case and data set, and the shares as estimated, as Markdown."""
    cases = list(next(iter(found.values())))
    head = [f"| ROC AUC, {section} | {' | '.join(found)} | mean |", "|---" * (len(found) + 2) + "|"]
    rows = []
    for case in cases:
        each = [[r.auroc for r in found[data][case]] for data in found]
        rows.append(f"| {case} | {' | '.join(map(_mean, each))} | {_mean(np.mean(each, axis=0))} |")
    for case in cases[2:]:
        each = [[r.contrast for r in found[data][case]] for data in found]
        rows.append(f"| contrast alone, {case} | {' | '.join(map(_mean, each))} | {_mean(np.mean(each, axis=0))} |")
    shares = [f"\n| share in the pool: true, estimated | {' | '.join(found)} |", "|---" * (len(found) + 1) + "|"]
    for case in cases[2:]:
        cells = []
        for data in found:
            results = found[data][case]
            true, size = np.mean([r.share for r in results]), np.mean([r.pool for r in results])
            estimates = [r.estimate for r in results]
            cells.append(
                f"{true:.2f} of {size:.0f}: {np.mean(estimates):.2f} ({min(estimates):.2f} to {max(estimates):.2f})"
            )
        shares.append(f"| {case} | {' | '.join(cells)} |")
    return "\n".join([*head, *rows, *shares])


def _mean(values: Sequence[float] | np.ndarray[Any, Any]) -> str:
    error = np.std(values, ddof=1) / len(values) ** 0.5 if len(values) > 1 else float("nan")
    return f"{np.mean(values):.3f} ± {error:.3f}"


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line."""
    parser = argparse.ArgumentParser(
        prog="python -m measurements.embedding_scores", description=__doc__.splitlines()[0]
    )
    parser.add_argument("folders", nargs="+", metavar="DIR", help="data sets")
    parser.add_argument(
        "--section", choices=SECTIONS, default="test", help="whose images are new (default: %(default)s)"
    )
    parser.add_argument("--seeds", type=count, default=3, help="solutions without a pool (default: %(default)s)")
    parser.add_argument("--splits", type=count, default=6, help="of pool and tested patients (default: %(default)s)")
    parser.add_argument("--weights", metavar="FILE", help="of the backbone; the package's by default")
    add_overrides(parser, "detector")
    add_json(parser)
    options = vars(parser.parse_args(arguments))
    return run_measurement(measure, arguments=options.pop("detector"), **options)


if __name__ == "__main__":
    raise SystemExit(main())
