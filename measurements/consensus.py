# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

"""What joining detectors is worth: the rules against the best member, on several data sets, and the false alarms.

``python -m measurements.consensus DIR [DIR ...]`` joins the simple baselines of ``benchmark``; with ``--members DIR``
the trained detectors in ``DIR/<data set>/<member>/models/model.pt``. The scale is that of the validation normals, the
AUC that of the test section. With a pool, half of the test patients are it, the others are tested, in six splits. The
rule that the other data sets would have chosen is beside each. The rate of false alarms is that of 200 random splits of
all normals that nothing was trained on, into as many as validation has, which give scale and calibration, and the rest.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import torch
from sklearn.metrics import roc_auc_score

from monai_anomaly.apps.benchmark.baselines import DETECTORS, FEATURES
from monai_anomaly.bundle import TrainedDetector
from monai_anomaly.calibration.conformal import conformal_p_values, patients_needed
from monai_anomaly.data.lists.datalist import load_datalist
from monai_anomaly.engines.image_inferer import ImageInferer
from monai_anomaly.networks.nets.consensus.joint_evidence import RULES, JointEvidence
from monai_anomaly.transforms.preprocessing import Preprocessing

__all__ = ["Scored", "false_alarm_rate", "rule_aucs", "score_baselines", "score_members"]

ALPHA = 0.1
Floats = npt.NDArray[np.float64]


class Scored(NamedTuple):
    """Scores ``(N, M)`` of validation and test images; label, patient and section of each."""

    names: tuple[str, ...]
    scores: torch.Tensor
    labels: npt.NDArray[np.int64]
    patients: npt.NDArray[np.int64]
    is_test: npt.NDArray[np.bool_]


def score_baselines(folder: Path) -> Scored:
    """Score a data set with the simple baselines, fitted on its training normals."""
    read = Preprocessing(64)
    training = np.stack([read(item)["image"][0].double().numpy() for item in load_datalist(folder, "training")])
    items = _items(folder)
    images = np.stack([read(item)["image"][0].double().numpy() for item, _ in items])
    found: dict[str, Floats] = {}
    for kind, features in FEATURES.items():
        known, new = features(training), features(images)
        found |= {f"{kind} {name}": detect(known, new) for name, detect in DETECTORS.items()}
    return _scored(tuple(found), np.stack(list(found.values()), axis=1), items)


def score_members(folder: Path, models: Sequence[Path]) -> Scored:
    """Score a data set with trained detectors, each by its own preprocessing."""
    items, columns, infer = _items(folder), [], ImageInferer()
    for model in models:
        trained = TrainedDetector.read(model)
        with torch.inference_mode():
            maps = (infer(trained.preprocessing(item)["image"][None], trained.detector) for item, _ in items)
            columns.append([float(each.mean()) for each in maps])
    return _scored(tuple(model.parents[1].name for model in models), np.array(columns).T, items)


def _items(folder: Path) -> list[tuple[dict, bool]]:
    return [(item, name == "test") for name in ("validation", "test") for item in load_datalist(folder, name)]


def _scored(names: tuple[str, ...], scores: Floats, items: Sequence[tuple[dict, bool]]) -> Scored:
    labels = np.array([item["label"] for item, _ in items])
    patients = np.unique([str(item.get("group", item["name"])) for item, _ in items], return_inverse=True)[1]
    return Scored(names, torch.from_numpy(scores).float(), labels, patients, np.array([test for _, test in items]))


def rule_aucs(data: Scored) -> dict[str, float]:
    """Return the AUC of each rule on the test section: without a pool, and the mean over six pools."""
    normals, test = ~data.is_test & (data.labels == 0), data.is_test
    found = {rule: _auc(data, rule, normals, test) for rule in RULES if rule != "logistic"}
    halves = list(_halves(data))
    for rule in RULES:
        each = [_auc(data, rule, normals, tested, pool) for pool, tested in halves]
        found[f"{rule}, half of the test"] = float(np.mean(each))
    best = [max(_member_aucs(data, tested)) for _, tested in halves]
    return {**found, "best member, half of the test": float(np.mean(best))}


def _halves(data: Scored) -> Iterator[tuple[npt.NDArray[np.bool_], npt.NDArray[np.bool_]]]:
    """Yield pool and tested images, of different patients."""
    patients = np.unique(data.patients[data.is_test])
    for seed in range(6):
        chosen = np.random.default_rng(seed).permutation(patients)[: len(patients) // 2]
        pool = data.is_test & np.isin(data.patients, chosen)
        yield pool, data.is_test & ~pool


def _auc(
    data: Scored,
    rule: str,
    normals: npt.NDArray[np.bool_],
    tested: npt.NDArray[np.bool_],
    pool: npt.NDArray[np.bool_] | None = None,
) -> float:
    evidence = JointEvidence(len(data.names), rule)
    evidence.fit(
        data.scores[normals],
        torch.from_numpy(data.patients[normals]),
        None if pool is None or rule != "logistic" else data.scores[pool],
    )
    return float(roc_auc_score(data.labels[tested], evidence(data.scores[tested])[0].numpy()))


def _member_aucs(data: Scored, tested: npt.NDArray[np.bool_]) -> list[float]:
    return [float(roc_auc_score(data.labels[tested], column[tested])) for column in data.scores.numpy().T]


def false_alarm_rate(data: Scored, rule: str = "maximum", splits: int = 200) -> float:
    """Return the mean rate over random splits of the normals by patients, at a promised rate of 10 %."""
    normal = np.flatnonzero(data.labels == 0)
    wanted = int((~data.is_test[normal]).sum())
    rates = []
    for seed in range(splits):
        order = np.random.default_rng(seed).permutation(np.unique(data.patients[normal]))
        sizes = np.cumsum([int((data.patients[normal] == patient).sum()) for patient in order])
        chosen = order[: max(patients_needed(ALPHA), int(np.searchsorted(sizes, wanted)) + 1)]
        known, new = (normal[np.isin(data.patients[normal], chosen) == inside] for inside in (True, False))
        patients = torch.from_numpy(data.patients[known])
        evidence = JointEvidence(len(data.names), rule).fit(data.scores[known], patients)
        own = [evidence.without(int(data.patients[i]))(data.scores[i : i + 1])[0] for i in known]
        joined = evidence(data.scores[new])[0].numpy()
        rates.append(float(np.mean(conformal_p_values(joined, torch.cat(own).numpy(), data.patients[known]) <= ALPHA)))
    return float(np.mean(rates))


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", nargs="+", type=Path, metavar="DIR", help="data sets with validation and test sections")
    parser.add_argument(
        "--members", type=Path, metavar="FOLDER", help="trained detectors, in a folder for each data set"
    )
    parser.add_argument("--only", nargs="+", metavar="NAME", help="members to take; all if not given")
    arguments = parser.parse_args()
    tables = {}
    for folder in arguments.data:
        if arguments.members is None:
            data = score_baselines(folder)
        else:
            models = sorted((arguments.members / folder.name).glob("*/models/model.pt"))
            data = score_members(
                folder, [m for m in models if arguments.only is None or m.parents[1].name in arguments.only]
            )
        tables[folder.name] = rule_aucs(data)
        members = dict(zip(data.names, _member_aucs(data, data.is_test), strict=True))
        print(f"{folder.name}: {', '.join(f'{name} {auc:.3f}' for name, auc in members.items())}")
        print(f"  {', '.join(f'{name} {auc:.3f}' for name, auc in tables[folder.name].items())}")
        print(f"  false alarms of maximum at {ALPHA:g}: {false_alarm_rate(data):.3f}", flush=True)
    for name in tables:
        others = [table for other, table in tables.items() if other != name]
        if others:
            rules = [rule for rule in RULES if rule != "logistic"]
            chosen = max(rules, key=lambda rule: float(np.mean([table[rule] for table in others])))
            print(f"{name}: the other data sets choose {chosen}, {tables[name][chosen]:.3f}")


if __name__ == "__main__":
    main()
