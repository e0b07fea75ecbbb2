# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

import importlib
import json
import subprocess

import pytest

from measurements.benchmark import __main__ as benchmark
from measurements.benchmark.history import Entry, new_entry, read_history, write_history
from measurements.benchmark.page import compare_entries, draw_page
from measurements.benchmark.parts import PARTS, Figure, Part, run_part

FIGURES = [Figure("sepiad: scoring", 1.25, bar=1.4), Figure("memory", 20.0, "MiB")]


def entry(commit="abc", figures=FIGURES):
    return Entry(commit, "2026-01-02", "2 cores", list(figures))


class TestHistory:
    def test_what_is_written_is_read(self, tmp_path):
        entries = [entry(), entry("def", FIGURES[:1])]
        write_history(entries, tmp_path / "history.json")
        assert read_history(tmp_path / "history.json") == entries
        assert read_history(tmp_path / "none.json") == []

    def test_four_places_are_kept(self, tmp_path):
        write_history([entry(figures=[Figure("a", 1.23456)])], tmp_path / "history.json")
        assert read_history(tmp_path / "history.json")[0].figures == [Figure("a", 1.235)]

    def test_an_entry_names_commit_and_machine(self, monkeypatch):
        asked = {"rev-parse": "abc", "status": " M file"}
        monkeypatch.setattr("measurements.benchmark.history._git", lambda word, *_, root: asked[word])
        made = new_entry(FIGURES)
        assert (made.commit, made.figures) == ("abc+", FIGURES) and "torch" in made.machine

    def test_no_git(self, monkeypatch):
        def fail(*_, **__):
            raise FileNotFoundError

        monkeypatch.setattr(subprocess, "run", fail)
        assert new_entry([]).commit == "unknown"


class TestPage:
    def test_the_table_divides_by_the_earlier_commit(self):
        table = compare_entries(entry("new", [Figure("memory", 30.0, "MiB"), Figure("other", 2.0, bar=3.0)]), entry())
        rows = [[cell.strip() for cell in line.split("|")[1:-1]] for line in table.splitlines()]
        assert rows[0] == ["", "new", "abc of 2026-01-02", "now / then", "bar"]
        assert rows[2:] == [["memory", "30 MiB", "20 MiB", "1.50", ""], ["other", "2", "-", "-", "<= 3"]]

    def test_nothing_earlier(self):
        assert "nothing earlier" in compare_entries(entry(), None)

    def test_the_page_has_all_figures_and_needs_nothing(self):
        page = draw_page([entry("one"), entry("two", [*FIGURES, Figure("new <b>", 1.0)])])
        assert all(word in page for word in ("one", "two", "sepiad: scoring", "20 MiB", "new &lt;b&gt;"))
        assert "from 1.25 to 1.25 over 2 commits" in page and "http" not in page.replace("http-equiv", "")
        # a figure that the last commit has no longer
        assert "memory" in draw_page([entry("one"), entry("two", FIGURES[:1])])


class TestParts:
    def test_each_part_is_a_measurement_that_writes_json(self, capsys):
        for part in PARTS:
            module = importlib.import_module(f"measurements.{part.name}")
            with pytest.raises(SystemExit):
                module.main(["--help"])
            text = capsys.readouterr().out
            asked = [word for word in (*part.words, *part.short) if word.startswith("--")]
            assert all(word in text for word in (*asked, "--json"))

    def test_names_are_of_one_figure_each(self):
        timings = {key: {"cpu_ratio_median": 1.1, "bar": None} for key in ("training", "scoring", "scoring_files")}
        names = [figure.name for part in PARTS if part.name == "timings" for figure in part.pick(timings)]
        assert len(set(names)) == len(names) == 15

    def test_a_method_that_does_not_descend_has_no_iteration(self):
        timings = {"training": None} | {
            key: {"cpu_ratio_median": 1.1, "bar": 1.5} for key in ("scoring", "scoring_files")
        }
        assert [figure.bar for figure in PARTS[0].pick(timings)] == [1.5, 1.5]

    def test_a_part_is_run_with_its_words(self, tmp_path, monkeypatch):
        asked = []

        def run(words, **options):
            asked.append((words, options["env"]["OMP_NUM_THREADS"]))
            if "--json" in words:
                (tmp_path / "numbers.json").write_text(json.dumps({"value": 3.0}))

        monkeypatch.setattr(subprocess, "run", run)
        part = Part("some", lambda numbers: [Figure("a", numbers["value"])], ("--x",), ("--y",), folder=True)
        assert run_part(part, tmp_path, short=True) == [Figure("a", 3.0)]
        run_part(part, tmp_path, short=False)
        ends = [words[2:] for words, _ in asked]
        numbers = ["--json", str(tmp_path / "numbers.json")]
        assert ends[0] == ["measurements.some", str(tmp_path), "--x", "--y", *numbers]
        assert ends[1] == ["measurements.some", str(tmp_path), "--x", *numbers]
        assert {threads for _, threads in asked} == {"1"}
        asked.clear()
        run_part(Part("some", lambda numbers: [], model=True), tmp_path, short=False)
        made, used = (words[2:] for words, _ in asked)
        assert made[:3] == ["monai_anomaly", "train", "embedding"] and str(tmp_path / "models") in made
        assert used[:2] == ["measurements.some", str(tmp_path / "models" / "model.pt")]

    def test_two_processes_and_starts(self):
        picked = {part.name: part.pick for part in PARTS}
        assert picked["processes"]({"1": [10.0], "ratio": [1.5, 2.0, 1.6]})[0].value == 1 / 1.6
        starts = picked["start"]({"import torch": [1.0, 3.0, 2.0], "predict PNG": [5.0]})
        assert starts == [Figure("start: import torch", 2.0, "s"), Figure("start: predict PNG", 5.0, "s", 6.0)]


class TestCommand:
    @pytest.fixture
    def files(self, tmp_path, monkeypatch):
        monkeypatch.setattr(benchmark, "run_part", lambda part, folder, short: [Figure(f"{part}", 2.0)])
        monkeypatch.setattr(benchmark, "new_entry", lambda figures: entry("new", figures))
        history = tmp_path / "history.json"
        write_history([entry("old"), entry("new")], history)
        return history, tmp_path / "pages" / "index.html"

    def test_a_commit_measured_again_replaces_itself(self, files, capsys):
        history, page = files
        assert benchmark.main([f"--history={history}", f"--page={page}"]) == 0
        assert [made.commit for made in read_history(history)] == ["old", "new"]
        assert len(read_history(history)[-1].figures) == len(PARTS) and "exports" in page.read_text()
        assert "old of" in capsys.readouterr().out

    def test_the_short_form_leaves_out_what_needs_idle_cores(self, files, capsys):
        history, page = files
        assert benchmark.main([f"--history={history}", f"--page={page}", "--short"]) == 0
        assert "processes" not in capsys.readouterr().out

    @pytest.mark.parametrize("words", [["--short"], ["--parts", "exports"]])
    def test_a_part_of_it_is_not_kept(self, files, words, capsys):
        history, page = files
        before = history.read_bytes()
        assert benchmark.main([f"--history={history}", f"--page={page}", *words]) == 0
        assert history.read_bytes() == before and not page.exists()
        assert "| exports | 2 |" in capsys.readouterr().out

    def test_a_part_that_fails_leaves_the_others(self, files, monkeypatch, capsys):
        history, page = files
        before = history.read_bytes()

        def run(part, folder, short):
            if part.name == "exports":
                raise subprocess.CalledProcessError(1, "exports")
            return [Figure(f"{part}", 2.0)]

        monkeypatch.setattr(benchmark, "run_part", run)
        assert benchmark.main([f"--history={history}", f"--page={page}"]) == 1
        told = capsys.readouterr()
        assert "failed, and not in the table: exports" in told.err and "large_training_set" in told.out
        assert history.read_bytes() == before
