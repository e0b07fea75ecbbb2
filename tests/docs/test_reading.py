# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

import ast
import inspect
import re
import shutil

import pytest
from pydicom.data import get_testdata_file

from monai_anomaly.__main__ import main
from monai_anomaly.apps.inspection.inspector import RECORD_KEYS
from monai_anomaly.data.dicom.layout import SAMPLES
from monai_anomaly.data.read_limits import ReadLimits
from monai_anomaly.transforms.preprocessing import Preprocessing
from monai_anomaly.utils.identity import KEY_VARIABLE
from tests.helpers.repository import ROOT

PAGE = (ROOT / "docs" / "reading.md").read_text(encoding="utf-8")

EXAMPLE = {
    "cr/6154": "dicomdirtests/77654033/CR1/6154",
    "mixed/MR_truncated.dcm": "MR_truncated.dcm",
    "mixed/rtplan.dcm": "rtplan.dcm",
    "us/copy.dcm": "examples_rgb_color.dcm",
    "us/examples_palette.dcm": "examples_palette.dcm",
    "us/examples_rgb_color.dcm": "examples_rgb_color.dcm",
    "us/examples_ybr_color.dcm": "examples_ybr_color.dcm",
}


def section(title: str) -> str:
    return re.split(r"\n##+ ", PAGE.split(f" {title}\n")[1])[0]


def first_column(text: str) -> list[str]:
    """Return the words in back quotes in the first column of a table."""
    cells = re.findall(r"^\| (`.*?) \|", text, flags=re.MULTILINE)
    return [word for cell in cells for word in re.findall(r"`([^`]+)`", cell)]


def raised_codes() -> set[str]:
    """Return the codes of every ImageReadError that the package makes."""
    found = set()
    for path in (ROOT / "monai_anomaly").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and getattr(node.func, "id", "") == "ImageReadError" and node.args:
                code = node.args[0]
                if isinstance(code, ast.Constant):
                    found.add(code.value)
                else:  # another error's code, passed on, or one from a process that decodes
                    text = ast.unparse(code)
                    assert text.endswith((".code", "['code']")), f"{path.name}: {text}"
    return found


def test_the_table_of_codes_is_complete():
    documented = first_column(section("What is refused"))
    assert set(documented) == raised_codes()
    assert documented == sorted(set(documented))


def test_the_table_of_keys_is_complete():
    assert sorted(first_column(section("Records in JSON"))) == sorted(RECORD_KEYS)


def test_the_table_of_options_is_complete(capsys):
    with pytest.raises(SystemExit):
        main(["inspect", "--help"])
    known = set(re.findall(r"--[a-z-]+", capsys.readouterr().out)) - {"--help"}
    assert set(re.findall(r"--[a-z-]+", " ".join(first_column(section("Check an archive"))))) == known


def test_limits_and_sizes_are_those_of_the_code():
    for name, value in vars(ReadLimits()).items():
        assert re.search(rf"^\| `{name}`, .* \| {value:,} ", section("Limits"), flags=re.MULTILINE)
    size = inspect.signature(Preprocessing).parameters["min_size"].default
    assert f"what a bundle refuses, below {size} |" in PAGE


def test_the_photometric_interpretations_are_those_of_the_code():
    assert {word for word in re.findall(r"`([A-Z0-9_ ]+)`", section("What is read"))} == set(SAMPLES)


def test_the_origins_of_spacing_are_those_of_the_code():
    documented = first_column(section("Spacing"))
    source = "".join(path.read_text(encoding="utf-8") for path in (ROOT / "monai_anomaly" / "data").rglob("*.py"))
    assert documented and all(f'"{origin}"' in source for origin in documented)
    spacing = (ROOT / "monai_anomaly" / "data" / "dicom" / "spacing.py").read_text(encoding="utf-8")
    assert set(re.findall(r'"((?:pixel|imager|nominal)_\w+)"', spacing)) <= set(documented)


def test_the_example_is_what_is_printed(tmp_path, monkeypatch, capsys):
    for name, source in EXAMPLE.items():
        target = tmp_path / "archive" / name
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(str(get_testdata_file(source, download=False)), target)
    (tmp_path / "key").write_text("the key of the example")
    monkeypatch.setenv(KEY_VARIABLE, str(tmp_path / "key"))
    monkeypatch.chdir(tmp_path)
    assert main(["inspect", "archive"]) == 3
    printed = capsys.readouterr().out
    (example,) = re.findall(r"^```text\n(.*?)^```", PAGE, flags=re.MULTILINE | re.DOTALL)
    assert printed == example
