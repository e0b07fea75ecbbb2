# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from tests.helpers.repository import ROOT

SCRIPT = "import sys; from monai_anomaly.__main__ import main; sys.argv = ['monai-anomaly']; main()"


@pytest.mark.parametrize(
    ("line", "offered", "others"),
    [
        ("monai-anomaly ", {"train", "predict", "bundles"}, {"sepiad"}),
        ("monai-anomaly ev", {"evaluate"}, {"train"}),
        ("monai-anomaly train s", {"sepiad", "simsid", "sagan"}, {"ocad"}),
        ("monai-anomaly train sepiad few", {"few_normals"}, {"paper"}),
        ("monai-anomaly train sepiad --max_e", {"--max_epochs"}, {"--seed"}),
        ("monai-anomaly evaluate ocad --gal", {"--gallery"}, set()),
        ("monai-anomaly predict --bundle si", {"simsid"}, {"sepiad"}),
        ("monai-anomaly predict docs --bundle sepiad --false", {"--false_alarm_rate"}, set()),
        ("monai-anomaly train sepiat --max_e", set(), {"--max_epochs"}),
    ],
)
def test_a_shell_is_told_what_can_follow(line, offered, others, tmp_path):
    answer = tmp_path / "answer"
    asked = {"_ARGCOMPLETE": "1", "COMP_LINE": line, "COMP_POINT": str(len(line)), "_ARGCOMPLETE_IFS": "\n"}
    environment = {**os.environ, **asked, "_ARGCOMPLETE_STDOUT_FILENAME": str(answer)}
    subprocess.run([sys.executable, "-c", SCRIPT], env=environment, cwd=ROOT, timeout=60, check=False)
    words = {word.strip() for word in answer.read_text().split("\n")}
    assert offered <= words and not others & words
