# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

import csv
import json
import xml.etree.ElementTree as ElementTree
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from sklearn.metrics import roc_auc_score

from monai_anomaly.__main__ import main
from monai_anomaly.apps.benchmark import run_cell as cell_runner
from monai_anomaly.apps.benchmark.cell import CellError
from monai_anomaly.apps.pool_curve.pool_cell import PoolCell
from monai_anomaly.apps.pool_curve.run_pool_curve import run_pool_curve
from monai_anomaly.data.lists.datalist import load_datalist
from monai_anomaly.utils.exceptions import ConfigError
from tests.helpers.repository import ROOT


@pytest.fixture(autouse=True)
def at_root(monkeypatch):
    monkeypatch.chdir(ROOT)


@pytest.fixture(scope="module")
def data(tmp_path_factory) -> Path:
    """Files that nothing reads: 12 normals to train with, 12 normal and 20 abnormal test images, two of a patient."""
    root = tmp_path_factory.mktemp("data") / "noise"
    lines = ["file,label,split,group"]
    for section, label, count in (("train", 0, 12), ("val", 0, 2), ("test", 0, 12), ("test", 1, 20)):
        for number in range(count):
            name = f"{section}-{label}-{number}.png"
            lines.append(f"{name},{label},{section},{section}-{label}-{number // 2}")
    root.mkdir()
    for line in lines[1:]:
        Image.new("L", (8, 8)).save(root / line.split(",")[0])
    (root / "labels.csv").write_text("\n".join(lines) + "\n")
    return root


class Runner:
    """Takes no time: scores are better the larger the share; the same noise for a patient's image in all cells."""

    def __init__(self) -> None:
        self.cells: list[PoolCell] = []
        self.wrong: set[str] = set()

    def __call__(self, cell: PoolCell, folder: Path) -> dict[str, Any]:
        self.cells.append(cell)
        if cell.title in self.wrong:
            raise CellError("training: no room")
        tested = load_datalist(cell.data.folder, "test")
        names, labels, groups = ([item[key] for item in tested] for key in ("name", "label", "group"))
        noise = [np.random.default_rng([int(c, 36) for c in name if c.isalnum()]).normal() for name in names]
        share = cell.draw.share if cell.draw.share is not None else 0.6
        good = share if cell.draw.used else 0.3
        scored = {"names": names, "labels": labels, "groups": groups}
        row = {"scores": [float(n + 3 * good * y) for n, y in zip(noise, labels, strict=True)], "seconds": 1.0}
        return scored | {"rows": [cell_runner.finish_row(cell.empty_row() | row, scored)]}


def go(data: Path, output: Path, runner: Any, **changed: Any) -> bool:
    options: dict[str, Any] = {
        "shares": [0.0, 0.5, None],
        "sizes": [4, None],
        "splits": 3,
        "max_minutes": 0.5,
        **changed,
    }
    bundles = options.pop("bundles", ["sagan"])
    return run_pool_curve(bundles, [str(data)], output_dir=output, runner=runner, **options)


@pytest.fixture(scope="module")
def finished(data, tmp_path_factory):
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(ROOT)
        output, runner = tmp_path_factory.mktemp("out") / "out", Runner()
        assert go(data, output, runner)
    return output, runner


def test_half_of_the_patients_of_each_class_are_the_pool(data, finished):
    output, _ = finished
    everything = {item["name"]: item for item in load_datalist(data, "test", source_names=True)}
    pools = []
    for number in range(3):
        split = output / "splits" / str(number) / "noise"
        pool = load_datalist(split, "unlabeled", source_names=True)
        tested = load_datalist(split, "test", source_names=True)
        assert [sum(item["label"] == label for item in tested) for label in (0, 1)] == [6, 10]
        assert len(pool) == 16 and {item["label"] for item in pool} == {-1}
        assert not {item["group"] for item in pool} & {item["group"] for item in tested}
        names = {item["name"].removeprefix("images/") for item in [*pool, *tested]}
        assert names == set(everything)
        pools.append({item["name"] for item in pool})
        assert len(load_datalist(split, "training")) == 12 and len(load_datalist(split, "validation")) == 2
    assert len({frozenset(pool) for pool in pools}) == 3


def test_every_draw_is_a_cell(finished):
    _, runner = finished
    assert len(runner.cells) == 3 * (1 + 2 * 3)
    first = [cell for cell in runner.cells if cell.seed == 0]
    assert [(cell.variant.name, cell.method) for cell in first] == [
        ("sagan use_pool=False", "sagan"),
        ("sagan pool_size=4 anomaly_ratio=0.0", "sagan"),
        ("sagan pool_size=4 anomaly_ratio=0.5", "sagan"),
        ("sagan pool_size=4", "sagan"),
        ("sagan anomaly_ratio=0.0", "sagan"),
        ("sagan anomaly_ratio=0.5", "sagan"),
        ("sagan", "sagan"),
    ]
    assert len({cell.folder for cell in runner.cells}) == len(runner.cells)


def test_rows_say_what_was_drawn(finished):
    output, _ = finished
    with open(output / "results.csv", encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    drawn = {
        (row["size"], row["share"]): (row["n_pool"], row["n_pool_abnormal"]) for row in rows if row["split"] == "1"
    }
    assert drawn["all", "0"] == ("6", "0") and drawn["all", "0.5"] == ("12", "6") and drawn["4", "0.5"] == ("4", "2")
    assert drawn["all", "as it comes"] == ("16", "10") and drawn["", "no pool"] == ("", "")
    assert {row["status"] for row in rows} == {"done"}


def test_points_are_means_over_splits(finished):
    output, _ = finished
    results = [json.loads(path.read_text()) for path in (output / "cells").glob("*/result.json")]
    points = {(point["size"], point["share"]): point for point in json.loads((output / "curve.json").read_text())}

    def aurocs(size, share):
        mine = [r for r in results if (r["rows"][0]["size"], r["rows"][0]["share"]) == (size, share)]
        by_split = sorted(mine, key=lambda r: r["rows"][0]["split"])
        return np.array([roc_auc_score(r["labels"], r["rows"][0]["scores"]) for r in by_split])

    for (size, share), point in points.items():
        assert point["auroc"] == pytest.approx(aurocs(size, share).mean())
        assert point["splits"] == pytest.approx(aurocs(size, share).tolist())
        assert point["interval"][0] < point["auroc"] < point["interval"][1]
        if share == "no pool":
            assert point["difference"] is None
        else:
            expected = (aurocs(size, share) - aurocs("", "no pool")).mean()
            assert point["difference"] == pytest.approx(expected)
            assert point["difference_interval"][0] <= expected <= point["difference_interval"][1]
    # the pool of half abnormal images is the same detector but for its strength: the difference is paired
    width = {key: point["interval"][1] - point["interval"][0] for key, point in points.items()}
    low, high = points["all", "0.5"]["difference_interval"]
    assert high - low < width["all", "0.5"]
    assert points["all", "0"]["difference"] < 0 < points["all", "0.5"]["difference"]


def test_table_and_figure(finished):
    output, _ = finished
    text = (output / "table.md").read_text()
    assert "| sagan | as it comes | all | 16 | 10 | ." in text and "| sagan | no pool |  |  |  | ." in text
    root = ElementTree.parse(output / "figure.svg").getroot()
    space = "{http://www.w3.org/2000/svg}"
    texts = ["".join(node.itertext()) for node in root.iter(f"{space}text")]
    for name in ("noise", "sagan", "as it comes", "0.5", "4", "all", "images in the pool, as it comes"):
        assert name in texts
    discs = [node for node in root.iter(f"{space}circle") if float(node.get("cy")) < 300]
    assert len(discs) == 3 + 2
    assert len([node for node in root.iter(f"{space}polyline") if "alone" in node.get("class")]) == 2
    assert "nan" not in (output / "figure.svg").read_text()


def test_it_goes_on_where_it_was_and_says_what_cannot_be_drawn(data, tmp_path, capsys):
    first = Runner()
    first.wrong = {"noise: sagan, split 1, 0.1 of all"}
    assert not go(data, tmp_path / "out", first, shares=[0.1], sizes=[None, 30], splits=2)
    assert len(first.cells) == 4
    out = capsys.readouterr().out
    assert "| noise | sagan | 0.1 | 30 | 0 | not possible | the pool has 16 images" in out or "not possible" in out
    assert "| failed | training: no room |" in out
    second = Runner()
    assert go(data, tmp_path / "out", second, shares=[0.1], sizes=[None, 30], splits=3)
    assert [cell.title for cell in second.cells] == [
        "noise: sagan, split 1, 0.1 of all",
        "noise: sagan, split 2, no pool",
        "noise: sagan, split 2, 0.1 of all",
    ]


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"bundles": ["sepiad"]}, "'sepiad' learns from no pool: its train.json has no key 'use_pool'"),
        ({"bundles": ["sagan pool_size=4"]}, "'pool_size' is what the curve sets"),
        ({"bundles": ["sagan", "sagan"]}, "two are called 'sagan'"),
    ],
)
def test_senseless_curves_cost_a_sentence(data, tmp_path, changed, message):
    with pytest.raises(ConfigError, match=message):
        go(data, tmp_path / "out", Runner(), **changed)
    assert not (tmp_path / "out").exists()


def test_another_protocol_is_refused(data, tmp_path):
    go(data, tmp_path / "out", Runner(), shares=[None], sizes=[None], splits=1)
    with pytest.raises(ConfigError, match=r"another protocol \(max_minutes 0.5, not 2.0\)"):
        go(data, tmp_path / "out", Runner(), max_minutes=2.0)


@pytest.mark.parametrize("wrong", ["--shares=0,0", "--shares=1.5", "--sizes=0", "--sizes=all,all", "--splits=0"])
def test_senseless_command_line(wrong):
    with pytest.raises(SystemExit) as error:
        main(["pool_curve", "--dataset_dir=x", "--max_minutes=1", "--output_dir=x", wrong])
    assert error.value.code == 2


def test_the_command(monkeypatch):
    def fake(**options):
        assert options == {
            "bundles": ["embedding"],
            "dataset_dir": ["a", "b"],
            "shares": [0.0, 0.25, None],
            "sizes": [50, None],
            "splits": 6,
            "max_minutes": 0.5,
            "abnormal_folders": (),
            "output_dir": "o",
        }
        return True

    monkeypatch.setattr("monai_anomaly.apps.pool_curve.run_pool_curve.run_pool_curve", fake)
    line = ["--dataset_dir", "a", "b", "--shares=0,.25,as_it_comes", "--sizes=50,all", "--max_minutes=.5"]
    assert main(["pool_curve", *line, "--output_dir=o"]) == 0
