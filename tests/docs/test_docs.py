# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

"""The documents say what is so: links lead somewhere, keys exist, defaults are the configurations', examples run."""

from __future__ import annotations

import contextlib
import functools
import inspect
import io
import json
import re
import shlex
from pathlib import Path

import numpy as np
import pytest
import torch
from monai.bundle import ConfigParser, ckpt_export, onnx_export, run
from PIL import Image

from monai_anomaly.__main__ import main
from tests.helpers.documented import PAGES
from tests.helpers.repository import ROOT

BUNDLES = sorted(folder.name for folder in (ROOT / "bundles").iterdir() if (folder / "configs").is_dir())
BUNDLE_PAGES = {name: ROOT / "bundles" / name / "docs" / "README.md" for name in BUNDLES}
USER_GUIDE = ROOT / "docs" / "user_guide.md"
NAMES = [str(p.relative_to(ROOT)) for p in PAGES]
TOOLS = {"version", "backend-store-uri", "cov", "editable", "logdir", "standalone", "nproc_per_node", "max_restarts"}
TOOLS |= {"rdzv_id"}  # of torchrun, too
"""Options of monai-anomaly itself, pytest, pip, tensorboard and torchrun."""
TOOLS |= {"head"}  # of ray start
TOOLS |= {"auc", "core_hour", "files", "images", "minutes", "phantoms", "postgres", "workers"}  # of measurements
MONAI_LABEL = {"app", "conf", "download", "host", "name", "output", "port", "studies"}
VERBS = {"run": run, "ckpt_export": ckpt_export, "onnx_export": onnx_export}
TRACKING = {"tracking"}
ZOO_ORDER = ["Model overview", "Data", "Training configuration", "Input and output", "Performance"]
ZOO_ORDER += ["MONAI bundle commands", "Evaluation", "Inference", "References", "License"]
NOT_FOR_USERS = {"imports", "_desc_", "is_not_rank0", "rank", "world_size", "backend", "spec", "network_args"}
NOT_FOR_USERS |= {"preprocessing_args", "network_def", "network", "budget", "pretrain", "train", "validate"}
NOT_FOR_USERS |= {"history"}
NOT_FOR_USERS |= {"curves", "best", "teacher", "teacher_stage", "student_stage", "preprocessing", "datalist", "dataset"}
NOT_FOR_USERS |= {
    "dataloader",
    "inferer",
    "postprocessing",
    "handlers",
    "evaluator",
    "calibrated",
    "pool",
    "held_out",
    "opened",
}
NOT_FOR_USERS |= {"trained", "detector_writer", "summary", "tracker", "lock", "settings", "earlier", "to_score"}
NOT_FOR_USERS |= {"sources", "post_transforms", "displayable_configs"}
NOT_FOR_USERS |= {"initialize", "pretraining", "training", "evaluating", "calibrate", "inferring", "finalize", "run"}
"""Keys that put a run together."""


def read(page: Path) -> str:
    return page.read_text(encoding="utf-8")


def blocks(page: Path, language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```", read(page), flags=re.MULTILINE | re.DOTALL)


def options(text: str) -> list[str]:
    return re.findall(r"(?<![\w-])--([A-Za-z_][\w-]*)", text)


def verb_options() -> set[str]:
    """Return the options of the verbs of ``python -m monai_anomaly``, from its help texts."""
    found: set[str] = set()
    verbs = (
        "train",
        "predict",
        "report",
        "export",
        "bundles zip",
        "inspect",
        "accept",
        "audit verify",
        "drift",
        "benchmark",
        "pool_curve",
        "consensus",
        "serve",
        "queue",
    )
    for verb in verbs:
        printed = io.StringIO()
        with contextlib.redirect_stdout(printed), pytest.raises(SystemExit):
            main([*verb.split(), "--help"])
        found |= set(options(printed.getvalue()))
    return found


def configs(bundle: str) -> list[Path]:
    files = (ROOT / "bundles" / bundle / "configs").glob("*.json")
    return sorted(file for file in files if file.name != "metadata.json")


def configuration(bundle: str, *names: str) -> dict:
    """Return what configurations of a bundle hold, the later over the earlier; keys inside another one are left out."""
    folder = ROOT / "bundles" / bundle / "configs"
    merged = {k: v for name in names for k, v in json.loads((folder / f"{name}.json").read_text()).items()}
    return {k: v for k, v in merged.items() if re.fullmatch(r"\w+", k)}


def commands() -> list[str]:
    """Every command line of the pages that calls monai.bundle."""
    lines = [line for page in PAGES for block in blocks(page, "bash") for line in block.splitlines()]
    return sorted({line for line in lines if "monai.bundle " in line})


def anchors(page: Path) -> set[str]:
    """Return the anchors that GitHub gives to the headings."""
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
    known = {key for bundle in BUNDLES for file in configs(bundle) for key in configuration(bundle, file.stem)}
    known |= TOOLS | TRACKING | verb_options()
    known |= {name for verb in VERBS.values() for name in inspect.signature(verb).parameters}
    known |= MONAI_LABEL if page.name == "monai_label.md" else set()
    mistyped = {"max_epoch"}  # the example of a mistake in the user guide
    assert set(options(read(page))) - known - (mistyped if page.name == "user_guide.md" else set()) == set()


def test_there_are_commands():
    assert all(sum(f"bundles/{bundle}/" in command for command in commands()) >= 8 for bundle in BUNDLES)


@pytest.mark.parametrize("command", commands())
def test_commands_name_files_and_keys_that_belong_together(command):
    words = shlex.split(command)
    verb = words[words.index("monai.bundle") + 1]
    files = re.findall(r"[\w./]+\.json", words[words.index("--config_file") + 1])
    assert files and all((ROOT / file).is_file() for file in files)
    (bundle,) = {Path(file).parts[1] for file in files}
    known = set(configuration(bundle, *(Path(file).stem for file in files))) | TRACKING | TOOLS
    known |= set(inspect.signature(VERBS[verb]).parameters)
    assert set(options(command)) <= known
    if "--meta_file" in words:
        assert (ROOT / words[words.index("--meta_file") + 1]).is_file()


def rows(bundle: str) -> list[tuple[str, str, str]]:
    """Key, where and default of the table of keys of a bundle's page."""
    section = read(BUNDLE_PAGES[bundle]).split("\n## Keys\n")[1].split("\n## ")[0]
    return re.findall(r"^\| `(\w+)` \| ([\w, ]+) \| (.+?) \| .+ \|$", section, flags=re.MULTILINE)


@pytest.mark.parametrize("bundle", BUNDLES)
def test_the_table_of_keys_is_complete(bundle):
    keys = {key for file in configs(bundle) for key in configuration(bundle, file.stem)}
    documented = [key for key, _, _ in rows(bundle)]
    assert set(documented) == keys - NOT_FOR_USERS
    assert len(documented) == len(set(documented))


ROWS = [(bundle, *row) for bundle in BUNDLES for row in rows(bundle)]


@pytest.mark.parametrize(("bundle", "key", "where", "default"), ROWS, ids=[f"{row[0]}-{row[1]}" for row in ROWS])
def test_the_table_of_keys_is_right(bundle, key, where, default):
    places = ("train", "evaluate", "inference") if where == "all" else where.split(", ")
    values = [configuration(bundle, place)[key] for place in places]  # the key is where the table says
    stated = re.fullmatch(r"`([^`]+)`", default)
    for value in values:
        if isinstance(value, str) and value.startswith(("$", "@")):  # computed: the table has words for it
            assert stated is None
        elif isinstance(value, dict) and "_target_" in value:
            assert stated is not None and value["_target_"].endswith(f".{stated[1]}")
        elif stated is not None:
            assert json.loads(stated[1]) == value
        else:  # words for values that differ by configuration, or are long
            assert len(places) > 1 or isinstance(value, dict) or isinstance(value[0], dict)


@pytest.mark.parametrize("bundle", BUNDLES)
def test_a_page_has_the_order_of_the_model_zoo_s(bundle):
    text = re.sub(r"^```.*?^```", "", read(BUNDLE_PAGES[bundle]), flags=re.MULTILINE | re.DOTALL)
    headings = re.findall(r"^##+ (.+)$", text, flags=re.MULTILINE)
    assert [heading for heading in headings if heading in ZOO_ORDER] == ZOO_ORDER


@pytest.mark.parametrize("bundle", BUNDLES)
def test_every_configuration_is_on_the_page(bundle):
    page = read(BUNDLE_PAGES[bundle])
    assert [file.name for file in configs(bundle) if file.name not in page] == []


def recipes(bundle: str) -> list[tuple[str, str, str, str]]:
    """Bundle, recipe, key and value of the table of what the bundle's recipes set."""
    section = read(BUNDLE_PAGES[bundle]).split("What the recipes set")[1].split("\n#")[0]
    header, _, *lines = re.findall(r"^\| (?:key|---|`[\w:]+`).*\|$", section, flags=re.MULTILINE)
    names = re.findall(r"`(\w+)\.json`", header)
    cells = [[cell.strip(" `") for cell in line.strip("|").split("|")] for line in lines]
    return [(bundle, name, key, value) for key, *values in cells for name, value in zip(names, values, strict=True)]


@functools.cache
def recipe_parser(bundle: str, recipe: str) -> ConfigParser:
    """Return a recipe as MONAI merges it: an overlay may also change a key inside another one."""
    files = [str(ROOT / "bundles" / bundle / "configs" / f"{name}.json") for name in ("train", recipe)]
    return ConfigParser(ConfigParser.load_config_files(files))


RECIPES = [row for bundle in ("ocad", "sagan", "simsid") for row in recipes(bundle)]


@pytest.mark.parametrize(("bundle", "recipe", "key", "value"), RECIPES, ids=[f"{r[0]}-{r[1]}-{r[2]}" for r in RECIPES])
def test_the_table_of_recipes_is_right(bundle, recipe, key, value):
    stated = None if value == "-" else json.loads(value)
    assert recipe_parser(bundle, recipe).get(key) == stated


def test_the_example_of_an_overlay_fits(tmp_path):
    from monai_anomaly.networks.nets.simsid.simsid import SimSID

    (example,) = blocks(BUNDLE_PAGES["simsid"], "json")
    (tmp_path / "own.json").write_text(example)
    train = str(ROOT / "bundles" / "simsid" / "configs" / "train.json")
    parser = ConfigParser(ConfigParser.load_config_files([train, str(tmp_path / "own.json")]))
    SimSID(**parser.get_parsed_content("network_args"))
    for key, value in json.loads(example).items():
        assert parser[key] == value


def test_the_example_of_other_pseudo_anomalies_makes_them(tmp_path):
    (example,) = [block for block in blocks(BUNDLE_PAGES["sagan"], "json") if "corrupt" in block]
    (tmp_path / "own.json").write_text(example)
    train = str(ROOT / "bundles" / "sagan" / "configs" / "train.json")
    parser = ConfigParser(ConfigParser.load_config_files([train, str(tmp_path / "own.json")]))
    image = torch.rand(2, 1, 16, 16)
    changed, mask = parser.get_parsed_content("corrupt")(image)
    assert changed.shape == image.shape and mask.any()
    assert (changed != image).any()


@pytest.mark.parametrize(
    ("bundle", "expected"),
    [
        ("sepiad", {"training": 1, "validation": 1, "test": 3, "unlabeled": 0}),
        ("sagan", {"training": 1, "validation": 1, "unlabeled": 2}),
    ],
)
def test_the_example_of_a_data_list_is_read(bundle, expected, tmp_path):
    from monai_anomaly.data.lists.datalist import load_datalist

    (text,) = [block for block in blocks(BUNDLE_PAGES[bundle], "json") if "training" in block]
    for entry in (entry for section in json.loads(text).values() for entry in section):
        for file in (entry["image"], entry.get("mask")):
            if file:
                (tmp_path / file).parent.mkdir(exist_ok=True)
                (tmp_path / file).touch()
    (tmp_path / "dataset.json").write_text(text)
    assert {section: len(load_datalist(tmp_path, section)) for section in expected} == expected


def test_the_example_of_sharpness_runs(tmp_path, capsys):
    noise = np.random.default_rng(0).integers(0, 256, (12, 64, 64), dtype=np.uint8)
    for i, pixels in enumerate(noise):
        folder = tmp_path / ("train" if i < 10 else "test") / ("abnormal" if i == 11 else "normal") / f"patient-{i}"
        folder.mkdir(parents=True)
        Image.fromarray(pixels).save(folder / "image.png")
    (example,) = [block for block in blocks(USER_GUIDE, "python") if "sharpness" in block]
    exec(example.replace('"DIR"', repr(str(tmp_path))), {})
    expected = [np.hypot(*_differences(pixels / 255)).mean() / (pixels / 255).std() for pixels in noise]
    assert float(re.findall(r"[\d.]+", capsys.readouterr().out)[0]) == pytest.approx(
        np.quantile(expected, 0.01), abs=1e-3
    )


def _differences(image: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    right, down = np.zeros_like(image), np.zeros_like(image)
    right[:, :-1], down[:-1] = np.diff(image, axis=1), np.diff(image, axis=0)
    return right, down


@pytest.mark.parametrize("page", PAGES, ids=NAMES)
def test_lines_are_short(page):
    text = re.sub(r"^```.*?^```", "", read(page), flags=re.MULTILINE | re.DOTALL)
    long = [line for line in text.splitlines() if len(line) > 125 and not line.startswith(("|", "!", "["))]
    assert not long
