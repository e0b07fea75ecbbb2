# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

import ast
from pathlib import Path

from monai_anomaly.apps.command.main import main


def test_the_app_is_one_import_of_a_class_that_monai_label_finds(tmp_path, capsys):
    folder = tmp_path / "new" / "app"
    assert main(["label-app", str(folder)]) == 0
    assert f"start_server --app {folder} " in capsys.readouterr().out
    assert sorted(path.name for path in folder.iterdir()) == ["README.md", "main.py", "requirements.txt"]
    (line,) = [node for node in ast.parse((folder / "main.py").read_text()).body if isinstance(node, ast.ImportFrom)]
    source = Path(__file__).parents[3] / f"{line.module.replace('.', '/')}.py"
    classes = {node.name: node for node in ast.parse(source.read_text()).body if isinstance(node, ast.ClassDef)}
    bases = [base.id for base in classes[line.names[0].name].bases]
    assert "MONAILabelApp" in bases  # the server looks for a class with a direct base of this name


def test_an_empty_folder_is_taken_and_any_other_is_left_as_it_is(tmp_path, capsys):
    (tmp_path / "empty").mkdir()
    assert main(["label-app", str(tmp_path / "empty")]) == 0
    (tmp_path / "empty" / "main.py").write_text("mine")
    assert main(["label-app", str(tmp_path / "empty")]) == 1
    assert "is not empty; name a new folder." in capsys.readouterr().err
    assert (tmp_path / "empty" / "main.py").read_text() == "mine"
    (tmp_path / "file").write_text("x")
    assert main(["label-app", str(tmp_path / "file" / "app")]) == 1
    assert "cannot be written (Not a directory)" in capsys.readouterr().err
