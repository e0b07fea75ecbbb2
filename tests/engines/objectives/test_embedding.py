# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from monai_anomaly.data.errors import DataListError
from monai_anomaly.engines.objectives.embedding import EmbeddingObjective
from monai_anomaly.engines.trainer import ObjectiveTrainer
from monai_anomaly.networks.nets.embedding.embedding import Embedding
from monai_anomaly.networks.nets.embedding.heads import Heads
from monai_anomaly.utils.exceptions import TrainingError
from monai_anomaly.utils.kept_memory import keep_freed_memory
from tests.helpers.processes import run_fresh

DISTANCES = [{"kind": "cosine", "stages": ["stage1"], "statistics": ["mean", "deviation"], "neighbors": 2}]
CONTRAST = {"stages": ["stage2"], "statistics": ["mean"]}
NORMALS = [f"n{i // 2}" for i in range(10)]
POOL = [f"p{i}" for i in range(6)]


def make_objective(**options) -> EmbeddingObjective:
    torch.manual_seed(0)
    return EmbeddingObjective(Embedding(32, distances=DISTANCES, contrast=CONTRAST), NORMALS, POOL, **options)


def batches(order: list[int], size: int) -> list[dict[str, torch.Tensor]]:
    generator = torch.Generator().manual_seed(3)
    images = torch.rand(16, 1, 32, 32, generator=generator)
    images[10:] = images[10:] ** 2
    parts = [torch.tensor(order[i : i + size]) for i in range(0, len(order), size)]
    return [{"image": images[rows], "row": rows} for rows in parts]  # without any label


def solved(order: list[int], size: int = 4, **options) -> EmbeddingObjective:
    objective = make_objective(**options)
    trainer = ObjectiveTrainer("cpu", 1, batches(order, size), objective, {})
    trainer.run()
    assert {"normals", "pool", "pool_share"} == set(objective.metrics()) <= set(trainer.state.metrics)
    return objective


def test_the_order_the_batches_and_repeated_images_do_not_matter():
    first, other = solved(list(range(16))), solved([*range(15, -1, -1), 3, 12], size=6)
    for (name, one), two in zip(first.detector.state_dict().items(), other.detector.state_dict().values(), strict=True):
        if isinstance(one, torch.Tensor):
            torch.testing.assert_close(one, two, rtol=1e-4, atol=1e-5, msg=name)
    torch.testing.assert_close(first.normal_scores, other.normal_scores, rtol=1e-3, atol=1e-3)
    assert first.metrics()["normals"] == 10 and first.metrics()["pool"] == 6


def test_scores_of_normals_are_those_of_new_ones():
    objective = solved(list(range(16)))
    detector = objective.detector.eval()
    (whole,) = batches(list(range(10)), 10)
    with torch.no_grad():
        own = detector.raw_scores(whole["image"])[:, 0]
    # its own nearest normal is itself; the scale is that of normals without it
    assert float(own.mean()) < float(detector.score_mean[0]) and not objective.normal_scores.isnan().any()
    standardized = objective.normal_scores / objective.normal_scores.std(correction=0)
    assert float(standardized.mean()) == pytest.approx(0.0, abs=1e-4)


def _peak_mib() -> float:
    (line,) = [line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith("VmHWM")]
    return int(line.split()[1]) / 1024


def _grow(normals: int) -> EmbeddingObjective:
    """Solve made-up features of which each head looks at few, and print by how much memory grew once all were there."""
    torch.set_num_threads(1)
    objective = EmbeddingObjective(Embedding(32), [str(i) for i in range(normals)])
    objective.detector.heads = Heads(
        [range(60), range(50, 110)],
        1500,
        distances=[{"kind": "mahalanobis"}],
        contrast={},
    )
    objective.detector.register_buffer("score_mean", torch.zeros(2))
    objective.detector.register_buffer("score_std", torch.ones(2))
    objective.detector.register_buffer("score_weights", torch.ones(2))
    objective.detector.features = lambda batch: batch
    for rows in torch.arange(normals).split(500):
        objective.collect({"row": rows, "image": torch.rand(len(rows), 1500)})
    before = _peak_mib()
    objective.solve()
    print(f"{_peak_mib() - before:.0f} MiB more")


def _grow_twice() -> None:
    keep_freed_memory(False)  # what is freed is gone at once, or the peak depends on where the C library puts pieces
    _grow(50)  # imports what the solution needs
    _grow(25_000)


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="the system does not tell a process' peak")
def test_a_solution_copies_no_features_but_those_that_a_head_looks_at():
    ended = run_fresh(_grow_twice)
    assert ended.returncode == 0, ended.stderr
    grown = float(ended.stdout.splitlines()[-1].split()[0])
    assert grown < 125  # all features are 143 MiB


def test_a_pass_that_was_cut_short_is_solved_by_what_it_saw_and_too_little_is_one_sentence():
    objective = solved([0, 2, 4, 6, 10, 11])
    assert objective.normal_scores.isnan().tolist() == [i not in (0, 2, 4, 6) for i in range(10)]
    with pytest.raises(TrainingError, match="2 normals and 1 images of the pool, too few to learn from; raise max_min"):
        solved([0, 1, 10])


def test_a_solution_travels_with_the_state():
    one, other = solved(list(range(16))), make_objective()
    other.load_state_dict(one.state_dict())
    assert torch.equal(other.normal_scores, one.normal_scores) and other.metrics() == one.metrics()
    with torch.no_grad():
        (batch,) = batches([1, 12], 2)
        assert torch.equal(one.detector.eval()(batch["image"]), other.detector.eval()(batch["image"]))


@pytest.mark.parametrize(
    ("groups", "pool", "message"),
    [
        ([], [], "training normals are of 0 patients"),
        (["a", "a"], [], "training normals are of 1 patient"),
        (["a", "b"], ["c"], "images of the pool are of 1 patient"),
    ],
)
def test_data_of_one_patient_are_refused_before_the_pass(groups, pool, message):
    with pytest.raises(DataListError, match=message):
        EmbeddingObjective(Embedding(32), groups, pool)


def test_one_fold_is_refused():
    with pytest.raises(ValueError, match="folds must be at least 2, got 1"):
        make_objective(folds=1)
