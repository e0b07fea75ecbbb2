# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

"""The documents say what is so: links lead somewhere, keys exist, defaults are the configurations', examples run."""

from __future__ import annotations

import contextlib
import inspect
import io
import json
import re
import shlex
from pathlib import Path

import pytest
from monai.bundle import ckpt_export, onnx_export, run

from monai_anomaly.__main__ import main

ROOT = Path(__file__).parents[2]
CONFIGS = ROOT / "bundles" / "sepiad" / "configs"
BUNDLE_PAGE = ROOT / "bundles" / "sepiad" / "docs" / "README.md"
ADDING = ROOT / "docs" / "adding_a_method.md"
PAGES = [p for p in (ROOT / "README.md", ROOT / "CHANGELOG.md", *sorted((ROOT / "docs").glob("*.md")), BUNDLE_PAGE)]
NAMES = [str(p.relative_to(ROOT)) for p in PAGES]
TOOLS = {"editable", "logdir", "standalone", "nproc_per_node"}
"""Options of pip, tensorboard and torchrun."""
VERBS = {"run": run, "ckpt_export": ckpt_export, "onnx_export": onnx_export}
TRACKING = {"tracking"}


def read(page: Path) -> str:
    return page.read_text(encoding="utf-8")


def blocks(page: Path, language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```", read(page), flags=re.MULTILINE | re.DOTALL)


def options(text: str) -> list[str]:
    return re.findall(r"(?<![\w-])--([A-Za-z_][\w-]*)", text)


def verb_options() -> set[str]:
    """The options of the verbs of ``python -m monai_anomaly``, from its help texts."""
    found: set[str] = set()
    for verb in ("inspect", "benchmark", "timings"):
        printed = io.StringIO()
        with contextlib.redirect_stdout(printed), pytest.raises(SystemExit):
            main([verb, "--help"])
        found |= set(options(printed.getvalue()))
    return found


def configuration(*names: str) -> dict:
    return {k: v for name in names for k, v in json.loads((CONFIGS / name).read_text()).items()}


def commands() -> list[str]:
    """Every command line of the pages that calls monai.bundle."""
    lines = [line for page in PAGES for block in blocks(page, "bash") for line in block.splitlines()]
    return sorted({line for line in lines if "monai.bundle " in line})


def anchors(page: Path) -> set[str]:
    """The anchors that GitHub gives to the headings."""
    headings = re.findall(r"^#+ (.+)$", re.sub(r"^```.*?^```", "", read(page), flags=re.M | re.S), flags=re.M)
    return {re.sub(r"[^\w\- ]", "", h.strip().lower()).replace(" ", "-") for h in headings}


@pytest.mark.parametrize("page", PAGES, ids=NAMES)
def test_relative_links_lead_somewhere(page):
    for target in re.findall(r"\]\(([^)\s]+)\)", read(page)):
        if re.match(r"[a-z]+:", target):
            continue
        path, _, anchor = target.partition("#")
        file = (page.parent / path).resolve() if path else page
        assert file.exists(), f"{page.name}: {target}"
        assert file.is_relative_to(ROOT), f"{page.name}: {target} leaves the repository"
        assert not anchor or anchor in anchors(file), f"{page.name}: {target}"


@pytest.mark.parametrize("page", PAGES, ids=NAMES)
def test_every_option_exists(page):
    known = (
        {key for file in CONFIGS.glob("*.json") for key in configuration(file.name)} | TOOLS | TRACKING | verb_options()
    )
    known |= {name for verb in VERBS.values() for name in inspect.signature(verb).parameters}
    mistyped = {"max_epoch"}  # the example of a mistake in the user guide
    assert set(options(read(page))) - known - (mistyped if page.name == "user_guide.md" else set()) == set()


def test_there_are_commands():
    assert len(commands()) >= 8


@pytest.mark.parametrize("command", commands())
def test_commands_name_files_and_keys_that_belong_together(command):
    words = shlex.split(command)
    verb = words[words.index("monai.bundle") + 1]
    files = re.findall(r"[\w./]+\.json", words[words.index("--config_file") + 1])
    assert files and all((ROOT / file).is_file() for file in files)
    known = set(configuration(*(Path(file).name for file in files))) | TRACKING | TOOLS
    known |= set(inspect.signature(VERBS[verb]).parameters)
    assert set(options(command)) <= known
    if "--meta_file" in words:
        assert (ROOT / words[words.index("--meta_file") + 1]).is_file()


def rows() -> list[tuple[str, str, str]]:
    """Key, where and default of the bundle page's table of keys."""
    section = read(BUNDLE_PAGE).split("\n## Keys\n")[1].split("\n## ")[0]
    return re.findall(r"^\| `(\w+)` \| ([\w, ]+) \| (.+?) \| .+ \|$", section, flags=re.MULTILINE)


def test_the_table_of_keys_is_complete():
    documented = {key for key, _, _ in rows()}
    not_for_users = {"imports", "is_not_rank0", "rank", "world_size", "spec", "network_args", "preprocessing_args"}
    not_for_users |= {"network_def", "network", "budget", "pretrain", "train", "validate", "history", "initialize"}
    not_for_users |= {"pretraining", "training", "run"}
    assert documented >= configuration("train.json").keys() - not_for_users - {"checkpoint"}
    assert {"checkpoint", "section", "gallery"} <= documented


@pytest.mark.parametrize(("key", "where", "default"), rows(), ids=[row[0] for row in rows()])
def test_the_table_of_keys_is_right(key, where, default):
    places = ("train", "evaluate", "inference") if where == "all" else where.split(", ")
    values = [configuration(f"{place}.json")[key] for place in places]  # the key is where the table says
    stated = re.fullmatch(r"`([^`]+)`", default)
    for value in values:
        if isinstance(value, str) and value.startswith(("$", "@")):  # computed: the table has words for it
            assert stated is None
        elif isinstance(value, dict):
            assert stated is not None and value["_target_"].endswith(f".{stated[1]}")
        elif stated is not None:
            assert json.loads(stated[1]) == value
        else:  # words for values that differ by configuration, or are long
            assert len(places) > 1


def test_the_example_of_a_method_runs():
    code = "\n".join(blocks(ADDING, "python"))
    assert "trainer.run()" in code
    exec(compile("from __future__ import annotations\n" + code, str(ADDING), "exec"), {"__name__": "adding_a_method"})


def test_the_example_of_a_bundle_names_keys_of_a_bundle():
    (example,) = (json.loads(block) for block in blocks(ADDING, "json"))
    train = configuration("train.json")
    assert example.keys() <= train.keys() and example["train"].keys() <= train["train"].keys()


def test_the_example_of_a_data_list_is_read(tmp_path):
    from monai_anomaly.data.datalist import load_datalist

    (text,) = blocks(BUNDLE_PAGE, "json")
    for entry in (entry for section in json.loads(text).values() for entry in section):
        for file in (entry["image"], entry.get("mask")):
            if file:
                (tmp_path / file).parent.mkdir(exist_ok=True)
                (tmp_path / file).touch()
    (tmp_path / "dataset.json").write_text(text)
    assert [len(load_datalist(tmp_path, s)) for s in ("training", "validation", "test")] == [1, 1, 3]


@pytest.mark.parametrize("page", PAGES, ids=NAMES)
def test_lines_are_short(page):
    text = re.sub(r"^```.*?^```", "", read(page), flags=re.MULTILINE | re.DOTALL)
    long = [line for line in text.splitlines() if len(line) > 125 and not line.startswith(("|", "!", "["))]
    assert not long
