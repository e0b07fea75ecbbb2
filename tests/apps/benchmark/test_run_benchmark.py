# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

import csv
import json
import shutil
import xml.etree.ElementTree as ElementTree
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from sklearn.metrics import roc_auc_score

from monai_anomaly.__main__ import main
from monai_anomaly.apps.benchmark import run_cell as cell_runner
from monai_anomaly.apps.benchmark.cell import Cell, CellError, read_data
from monai_anomaly.apps.benchmark.process_usage import Usage, run_measured
from monai_anomaly.apps.benchmark.run_benchmark import run_benchmark
from monai_anomaly.apps.benchmark.run_cell import last_sentence, run_cell
from monai_anomaly.apps.benchmark.table import markdown, summarize
from monai_anomaly.apps.benchmark.variants import read_variant
from monai_anomaly.metrics.image_level import image_level_metrics
from monai_anomaly.utils.exceptions import ConfigError
from tests.helpers.repository import ROOT

TINY = (
    "sepiad image_size=32 encoder_channels=[4,4,4,4] decoder_channels=[4,4,4,4] critic_channels=[4,4,4,4] "
    "latent_channels=8 weights=self_supervised feature_layers=[r22] feature_width=0.1 max_epochs=1 epoch_length=2 "
    "pretrain_epochs=1 batch_size=4 device=cpu"
)


@pytest.fixture(autouse=True)
def at_root(monkeypatch):
    monkeypatch.chdir(ROOT)


@pytest.fixture(scope="module")
def data(tmp_path_factory) -> Path:
    """Noise, brighter where it is abnormal."""
    root = tmp_path_factory.mktemp("data") / "noise"
    rng = np.random.default_rng(1)
    for section, name, count, low in (("train", "normal", 9, 0), ("test", "normal", 6, 0), ("test", "abnormal", 6, 60)):
        (root / section / name).mkdir(parents=True)
        for number in range(count):
            Image.fromarray(rng.integers(low, 200, (40, 48)).astype(np.uint8)).save(
                root / section / name / f"{number}.png"
            )
    return root


class Runner:
    """Takes no time: the scores of a bundle depend on its name and seed."""

    def __init__(self) -> None:
        self.ran: list[str] = []
        self.wrong: dict[str, BaseException] = {}

    def __call__(self, cell: Cell, folder: Path) -> dict[str, Any]:
        assert list(folder.iterdir()) == []
        self.ran.append(cell.title)
        (folder / "something").write_text("x")
        if cell.title in self.wrong:
            raise self.wrong[cell.title]
        names, labels = list(cell.data.labels), list(cell.data.labels.values())
        scored = {"names": names, "labels": labels, "groups": names}
        row: dict[str, Any] = {"scores": self.scores(cell, labels), "n_rejected": 0, "seconds": 5.0, "cpu_seconds": 4.0}
        if cell.variant is None:
            row |= {"method": "PCA, pixels", "kind": "baseline"}
            other = row | {"method": "mean, higher", "kind": "statistic", "oracle": "choice and direction"}
            more = other | {"method": "entropy, lower", "oracle": "direction"}
            rows = [row, other, more]
        else:
            rows = [row | {"training_seconds": 3.0, "evaluation_seconds": 2.0, "peak_memory_mb": 100.0}]
        return scored | {"rows": [cell_runner.finish_row(cell.empty_row() | row, scored) for row in rows]}

    def scores(self, cell: Cell, labels: list[int]) -> list[float]:
        rng = np.random.default_rng([len(cell.title), cell.seed or 0])
        return (rng.normal(size=len(labels)) + labels).tolist()


@pytest.fixture
def runner() -> Runner:
    return Runner()


def go(data: Path, output: Path, runner: Any, **changed: Any) -> bool:
    options: dict[str, Any] = {"seeds": [0, 1], "max_minutes": 0.5, **changed}
    bundles = options.pop("bundles", ["sepiad", "sepiad se=False"])
    return run_benchmark(bundles, options.pop("dataset_dir", [str(data)]), output_dir=output, runner=runner, **options)


def rows(output: Path) -> list[dict[str, str]]:
    with open(output / "results.csv", encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def test_every_cell_is_run_once_and_is_a_row(data, tmp_path, runner, capsys):
    assert go(data, tmp_path / "out", runner)
    assert runner.ran == [
        "noise: baselines",
        "noise: sepiad, seed 0",
        "noise: sepiad se=False, seed 0",
        "noise: sepiad, seed 1",
        "noise: sepiad se=False, seed 1",
    ]
    table = rows(tmp_path / "out")
    assert [(row["method"], row["seed"]) for row in table][-4:] == [
        ("sepiad", "0"),
        ("sepiad se=False", "0"),
        ("sepiad", "1"),
        ("sepiad se=False", "1"),
    ]
    first = next(row for row in table if row["method"] == "sepiad")
    result = next(
        r for p in (tmp_path / "out" / "cells").glob("*sepiad-seed-0*/*.json") for r in [json.loads(p.read_text())]
    )
    metrics = image_level_metrics(result["labels"], result["rows"][0]["scores"], result["groups"])
    assert float(first["auroc"]) == roc_auc_score(result["labels"], result["rows"][0]["scores"])
    assert [float(first["auroc_low"]), float(first["auroc_high"])] == metrics["auroc_interval"]
    assert (first["status"], first["max_minutes"], first["n_normal"], first["n_abnormal"]) == ("done", "0.5", "6", "6")
    assert "torch 2" in first["versions"]
    out = capsys.readouterr()
    assert out.out == (tmp_path / "out" / "table.md").read_text() + "\n"
    assert "[5/5] noise: sepiad se=False, seed 1: AUROC" in out.err


def test_what_a_cell_does_is_said_with_its_number(data, tmp_path, monkeypatch, capsys):
    def fails(command, log, **_):
        log.with_suffix(".err").write_text("")
        return Usage(1, 1.0, 1.0, 1.0, None, False)

    monkeypatch.setattr(cell_runner, "run_measured", fails)
    assert not go(data, tmp_path / "out", None, bundles=["sepiad"], seeds=[0])
    said = capsys.readouterr().err.splitlines()
    assert said[1] == "[1/2] noise: baselines: scoring"
    assert said[2].startswith("[1/2] noise: baselines: failed: scoring: it said nothing")
    assert said[3] == "[2/2] noise: sepiad, seed 0: training, 30 s and some for start"


def test_a_run_goes_on_where_it_was_killed(data, tmp_path, runner, capsys):
    runner.wrong = {"noise: sepiad, seed 1": KeyboardInterrupt()}
    with pytest.raises(KeyboardInterrupt):
        go(data, tmp_path / "out", runner)
    assert [row["status"] for row in rows(tmp_path / "out")][-4:] == ["done", "done", "not run", "not run"]
    assert "| noise | sepiad | 1 | not run |" in capsys.readouterr().out
    again = Runner()
    assert go(data, tmp_path / "out", again)
    assert again.ran == ["noise: sepiad, seed 1", "noise: sepiad se=False, seed 1"]
    before = rows(tmp_path / "out")
    assert go(data, tmp_path / "out", third := Runner()) and third.ran == []
    assert rows(tmp_path / "out") == before


def test_a_failed_cell_costs_the_others_nothing_and_is_tried_again(data, tmp_path, runner, capsys):
    runner.wrong = {
        "noise: sepiad, seed 0": CellError("training: the training diverged"),
        "noise: baselines": ValueError("no\nroom in /home/anna/x"),
    }
    assert not go(data, tmp_path / "out", runner)
    assert len(runner.ran) == 5
    reasons = {
        (row["method"], row["seed"]): row["reason"] for row in rows(tmp_path / "out") if row["status"] == "failed"
    }
    assert reasons == {("sepiad", "0"): "training: the training diverged", ("baselines", ""): "room in (path)"}
    table = capsys.readouterr().out
    assert "| noise | sepiad | 0 | failed | training: the training diverged |" in table
    assert "1 of 2 seeds" in table
    again = Runner()
    assert go(data, tmp_path / "out", again)
    assert again.ran == ["noise: baselines", "noise: sepiad, seed 0"]


def test_more_seeds_and_bundles_come_on_top(data, tmp_path, runner):
    go(data, tmp_path / "out", runner, bundles=["sepiad"], seeds=[0])
    go(data, tmp_path / "out", more := Runner(), bundles=["sepiad few_normals"], seeds=[1])
    assert more.ran == ["noise: sepiad few_normals, seed 1"]
    assert {row["method"] for row in rows(tmp_path / "out")} >= {"sepiad", "sepiad few_normals"}


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"max_minutes": 2.0}, r"another protocol \(max_minutes 0.5, not 2.0\); name another --output_dir"),
        ({"threads": "3"}, r"another protocol \(OMP_NUM_THREADS"),
        ({"more": True}, r"another protocol \('noise' has changed since\)"),
    ],
)
def test_another_protocol_is_refused(data, tmp_path, runner, monkeypatch, changed, message):
    data = shutil.copytree(data, tmp_path / "noise")
    go(data, tmp_path / "out", runner)
    before = {path: path.read_bytes() for path in (tmp_path / "out").rglob("*") if path.is_file()}
    if changed.pop("threads", None):
        monkeypatch.setenv("OMP_NUM_THREADS", "3")
    if changed.pop("more", None):
        (data / "test" / "normal" / "0.png").rename(data / "test" / "abnormal" / "99.png")
    with pytest.raises(ConfigError, match=message):
        go(data, tmp_path / "out", again := Runner(), **changed)
    assert again.ran == []
    assert {path: path.read_bytes() for path in (tmp_path / "out").rglob("*") if path.is_file()} == before


def test_a_folder_of_something_else_is_left_alone(data, tmp_path, runner):
    (tmp_path / "mine.txt").write_text("mine")
    with pytest.raises(ConfigError, match="not empty and holds no benchmark"):
        go(data, tmp_path, runner)
    assert [path.name for path in tmp_path.iterdir()] == ["mine.txt"]


def test_the_table_s_interval_is_of_the_mean_over_seeds(data, tmp_path, runner):
    go(data, tmp_path / "out", runner, bundles=["sepiad"], seeds=[0, 1, 2])
    results = [json.loads(path.read_text()) for path in (tmp_path / "out" / "cells").glob("*/result.json")]
    method = next(m for m in summarize(results).methods if m.name == "sepiad")
    aurocs = [roc_auc_score(r["labels"], r["rows"][0]["scores"]) for r in results if r["rows"][0]["method"] == "sepiad"]
    assert method.auroc == pytest.approx(np.mean(aurocs))
    assert sorted(method.seeds) == sorted(aurocs)
    text = (tmp_path / "out" / "table.md").read_text()
    low, high = (f"{value:.3f}".removeprefix("0") for value in (min(aurocs), max(aurocs)))
    assert f"{low} to {high} (3 of 3)" in text
    # Three times the same scores are one: the interval of their mean is that of each.
    (same,) = [r for r in results if r["rows"][0]["method"] == "sepiad" and r["rows"][0]["seed"] == 0]
    (copies,) = summarize([same] * 3).methods
    assert copies.interval == pytest.approx((same["rows"][0]["auroc_low"], same["rows"][0]["auroc_high"]))
    # Seeds whose errors lie with other patients make a narrower interval.
    wide = max(r["rows"][0]["auroc_high"] - r["rows"][0]["auroc_low"] for r in results)
    assert method.interval[1] - method.interval[0] < wide


def test_table_shows_baselines_and_the_best_statistic_only(data, tmp_path, runner):
    go(data, tmp_path / "out", runner, bundles=["sepiad"], seeds=[0])
    text = (tmp_path / "out" / "table.md").read_text()
    assert "| PCA, pixels | ." in text
    assert "| mean, higher (oracle) | ." in text and "| best single statistic (oracle) | ." in text
    assert "entropy" not in text
    assert "9 training normals" not in text and "8 training normals; 6 normal and 6 abnormal test images" in text
    oracles = {row["method"]: row["oracle"] for row in rows(tmp_path / "out")}
    assert oracles == {
        "PCA, pixels": "",
        "mean, higher": "choice and direction",
        "entropy, lower": "direction",
        "sepiad": "",
    }
    grids = [line for line in text.splitlines() if line.startswith("|")]
    assert len({line.count("|") for line in grids[:5]}) == 1


def test_what_is_left_out_is_said_and_tried_again(data, tmp_path, runner):
    def incomplete(cell, folder):
        return runner(cell, folder) | ({"left_out": "PaDiM is left out."} if cell.variant is None else {})

    assert go(data, tmp_path / "out", incomplete, bundles=["sepiad"], seeds=[0])
    assert "PaDiM is left out.\n" in (tmp_path / "out" / "table.md").read_text()
    assert go(data, tmp_path / "out", again := Runner(), bundles=["sepiad"], seeds=[0])
    assert again.ran == ["noise: baselines"]
    assert "left out" not in (tmp_path / "out" / "table.md").read_text()


def test_table_without_a_result():
    row = {"data": "d", "method": "a|b", "kind": "bundle", "seed": 0, "status": "failed", "reason": "x", "oracle": ""}
    text = markdown(summarize([{"rows": [row]}]), max_minutes=1, threads="1")
    assert "| a\\|b | failed |" in text and "| d | a\\|b | 0 | failed | x |" in text


def test_figure_is_well_formed_and_has_every_method(data, tmp_path, runner):
    runner.wrong = {"noise: sepiad se=False, seed 0": CellError("x"), "noise: sepiad se=False, seed 1": CellError("x")}
    go(data, tmp_path / "out", runner)
    root = ElementTree.parse(tmp_path / "out" / "figure.svg").getroot()
    space = "{http://www.w3.org/2000/svg}"
    texts = ["".join(node.itertext()) for node in root.iter(f"{space}text")]
    for name in ("noise", "sepiad", "sepiad se=False", "failed", "PCA, pixels", "mean, higher (oracle)"):
        assert name in texts
    width, height = (float(root.get(side)) for side in ("width", "height"))
    for circle in root.iter(f"{space}circle"):
        assert 0 < float(circle.get("cx")) < width and 0 < float(circle.get("cy")) < height
    assert "prefers-color-scheme: dark" in (tmp_path / "out" / "figure.svg").read_text()
    assert "nan" not in (tmp_path / "out" / "figure.svg").read_text()


# ---- a cell --------------------------------------------------------------------------------------------------------


def test_a_real_cell(data, tmp_path):
    """Training and evaluation in processes of their own, as a user would run them."""
    data_set = read_data(data)
    result = run_cell(Cell(data_set, read_variant(TINY), 1, 1.0), tmp_path)
    (row,) = result["rows"]
    assert (row["status"], row["seed"], row["n_rejected"]) == ("done", 1, 0)
    assert dict(zip(result["names"], result["labels"], strict=True)) == data_set.labels
    metrics = json.loads((tmp_path / "output" / "metrics.json").read_text())
    assert row["auroc"] == pytest.approx(metrics["auroc"], abs=1e-9)
    assert row["seconds"] == row["training_seconds"] + row["evaluation_seconds"]
    assert 1 < row["cpu_seconds"] < 10 * row["seconds"] and row["peak_memory_mb"] > 100
    assert metrics["details"]["training seed"] == 1


def test_class_folders_reach_the_lists_and_every_process(data, tmp_path, monkeypatch):
    data = shutil.copytree(data, tmp_path / "noise")
    (data / "test" / "abnormal").rename(data / "test" / "Cyst")
    data_set = read_data(data, ("cyst",))
    assert sorted(data_set.labels.values()) == [0] * 6 + [1] * 6
    commands: list[list[str]] = []

    def fake(command, log, **_):
        commands.append(command)
        if "baselines" in command[2]:
            return run_measured(command, log, limit_seconds=600)
        lines = [f"{name},{label},{number},g{number}\n" for number, (name, label) in enumerate(data_set.labels.items())]
        (tmp_path / "output").mkdir(exist_ok=True)
        (tmp_path / "output" / "scores.csv").write_text("image,label,score,group\n" + "".join(lines))
        return Usage(0, 1.0, 1.0, 1.0, None, False)

    monkeypatch.setattr(cell_runner, "run_measured", fake)
    run_cell(Cell(data_set, read_variant("sepiad"), 0, 1.0), tmp_path)
    result = run_cell(Cell(data_set, None, None, 1.0), tmp_path)
    assert {row["status"] for row in result["rows"]} == {"done"}
    for command in commands[:2]:
        assert command[command.index("--abnormal_folders") + 1] == "['cyst']"


def stub(monkeypatch, tmp_path, *, exit_code=0, timed_out=False, err="", scores="") -> None:
    """Return processes that end as told, after they wrote what they should have."""

    def fake(command, log, *, limit_seconds, look):
        look()
        log.with_suffix(".err").write_text(err)
        (tmp_path / "output").mkdir(exist_ok=True)
        (tmp_path / "output" / "scores.csv").write_text(scores)
        return Usage(exit_code, 1.0, 1.0, 1.0, None, timed_out)

    monkeypatch.setattr(cell_runner, "run_measured", fake)


@pytest.mark.parametrize(
    ("how", "message"),
    [
        ({"exit_code": 1, "err": "w\nerror: the data are bad.\nbye\n"}, "training: the data are bad."),
        ({"exit_code": -9}, "training was ended by SIGKILL, often for want of memory"),
        ({"exit_code": -15, "timed_out": True}, "training was stopped after 0 minutes: it does not keep its budget"),
        ({"scores": "image,label,score,group\na,1,nothing,b\n"}, "wrote no scores.csv"),
        ({"scores": "image,label,score,group\nforeign,1,0.5,b\n"}, "not those of the test list"),
    ],
)
def test_cells_that_fail(data, tmp_path, monkeypatch, how, message):
    stub(monkeypatch, tmp_path, **how)
    with pytest.raises(CellError, match=message):
        run_cell(Cell(read_data(data), read_variant("sepiad"), 0, 1.0), tmp_path)


@pytest.mark.parametrize("values", ["nan", "0.5", None])
def test_scores_that_mean_nothing(data, tmp_path, monkeypatch, values):
    data_set = read_data(data)
    lines = [f"{name},{label},{values},g\n" for name, label in data_set.labels.items() if values]
    stub(monkeypatch, tmp_path, scores="image,label,score,group\n" + "".join(lines))
    (row,) = run_cell(Cell(data_set, read_variant("sepiad"), 0, 1.0), tmp_path)["rows"]
    assert row["status"] == "failed" and row["reason"] and "scores" not in row


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("a\nerror: too bad.\nb", "too bad."),
        ("Traceback\nRuntimeError: config\nthe cause: KeyError: 'x'\n", "KeyError: 'x'"),
        ("50%|#\r100%|##\nRuntimeError: no room", "RuntimeError: no room"),
        ("", "it said nothing"),
        ("error: '/home/a b/c.png' is bad", "(path) is bad"),
        ("error: /secret/my data/x is bad", "(path) is bad"),
        ("OSError: [Errno 2] no such file: images/anna.dcm", "OSError: [Errno 2] no such file: (path)"),
        ("error: anna.nii.gz is bad", "(file) is bad"),
    ],
)
def test_why_a_program_ended(text, sentence):
    assert last_sentence(text, [Path("/secret/my data")]) == sentence


# ---- the command line ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--bundles", "none"], "'none' is no bundle"),
        (["--bundles", "sepiad nothing"], "has no overlay 'nothing'"),
        (["--bundles", "sepiad", "sepiad"], "two are called 'sepiad'"),
        (["--bundles", "sepiad", "--dataset_dir", "nowhere"], "dataset_dir must be an existing folder"),
    ],
)
def test_mistakes_cost_a_sentence(data, tmp_path, capsys, arguments, message):
    arguments = arguments if "--dataset_dir" in arguments else [*arguments, "--dataset_dir", str(data)]
    assert main(["benchmark", *arguments, "--max_minutes=1", f"--output_dir={tmp_path / 'out'}"]) == 1
    assert message in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    "wrong",
    ["--seeds=0,0", "--seeds=-1", "--seeds=a", "--max_minutes=0", "--max_minutes=nan", "--abnormal_folders=a/b", "--x"],
)
def test_senseless_command_line(wrong):
    with pytest.raises(SystemExit) as error:
        main(["benchmark", "--bundles", "sepiad", "--max_minutes=1", "--output_dir=x", wrong])
    assert error.value.code == 2


@pytest.mark.parametrize(("outcome", "code"), [(True, 0), (False, 1), (KeyboardInterrupt(), 130)])
def test_exit_codes(monkeypatch, outcome, code):
    def fake(**options):
        assert options == {
            "bundles": ["sepiad", "sepiad se=False"],
            "dataset_dir": ["a", "b"],
            "seeds": [3, 1],
            "max_minutes": 0.5,
            "abnormal_folders": ("cyst", "tumor"),
            "output_dir": "o",
        }
        if isinstance(outcome, BaseException):
            raise outcome
        return outcome

    monkeypatch.setattr("monai_anomaly.apps.benchmark.run_benchmark.run_benchmark", fake)
    line = ["--bundles", "sepiad", "sepiad se=False", "--dataset_dir", "a", "b", "--seeds=3,1", "--max_minutes=.5"]
    assert main(["benchmark", *line, "--abnormal_folders=['cyst','Tumor']", "--output_dir=o"]) == code
