# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

"""What the repository tells contributors is what its tools do."""

from __future__ import annotations

import re

import pytest
import yaml

from monai_anomaly import __version__
from tests.helpers.repository import ROOT

BUNDLES = sorted(folder.name for folder in (ROOT / "bundles").iterdir() if (folder / "configs").is_dir())
FORMS = sorted(path for path in (ROOT / ".github" / "ISSUE_TEMPLATE").glob("*.yml") if path.name != "config.yml")


def read(name: str) -> str:
    return (ROOT / name).read_text(encoding="utf-8")


def test_the_order_of_imports_on_the_page_is_the_one_that_is_checked():
    tomllib = pytest.importorskip("tomllib")
    (layers,) = (
        contract["layers"]
        for contract in tomllib.loads(read("pyproject.toml"))["tool"]["importlinter"]["contracts"]
        if contract["id"] == "layers"
    )
    (shelves,) = re.findall(r"\n## Shelves\n.*?```\n(.*?)```", read("docs/architecture.md"), flags=re.DOTALL)
    assert re.findall(r"^(\S+(?: \| \S+)?)  ", shelves, flags=re.MULTILINE) == layers


def test_commits_are_checked_as_make_does():
    (recipe,) = re.findall(r"^style:.*\n((?:\t.*\n)+)", read("Makefile"), flags=re.MULTILINE)
    tool = re.compile(r"\$\(PY\) -m |\$\(VENV\)/bin/| --check \.| \.$")
    commands = [tool.sub("", line.strip()) for line in recipe.splitlines()]
    (local,) = yaml.safe_load(read(".pre-commit-config.yaml"))["repos"]
    assert [hook["entry"].removesuffix(" --fix") for hook in local["hooks"]] == commands


def test_the_citation_is_of_this_version_and_has_a_paper_for_each_bundle():
    citation = yaml.safe_load(read("CITATION.cff"))
    assert citation["version"] == __version__
    notes = [reference["notes"] for reference in citation["references"]]
    assert [bundle for bundle in BUNDLES if f"the bundle {bundle}" not in notes] == []


@pytest.mark.parametrize("form", FORMS, ids=[form.stem for form in FORMS])
def test_an_issue_asks_for_versions_and_for_anonymized_data(form):
    body = yaml.safe_load(form.read_text(encoding="utf-8"))["body"]
    fields = {field["id"]: field for field in body if "id" in field}
    assert "python -m monai_anomaly.utils.environment" in fields["versions"]["attributes"]["description"]
    assert all(option["required"] for option in fields["anonymous"]["attributes"]["options"])
