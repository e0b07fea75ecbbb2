# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import pytest
import yaml

from monai_anomaly.apps.node.configuration.read_settings import read_settings
from tests.helpers.repository import ROOT

NODE = ROOT / "integrations" / "node"


def test_the_node_to_try_is_on_this_machine_alone_and_takes_the_bundle_s_detector():
    settings = read_settings(str(NODE / "try.yaml"))
    assert not settings.destinations and settings.dicom.host == settings.web.host == "127.0.0.1"
    assert settings.detector.checkpoint.resolve() == ROOT / "bundles" / "embedding" / "models" / "model.pt"
    watched = settings.watch.folder.resolve().relative_to(ROOT)
    assert f".dcm {watched}\n" in (ROOT / "Makefile").read_text()


@pytest.mark.parametrize("name", ["node.yaml", "compose/node.yaml"])
def test_the_examples_of_settings_are_read(name):
    settings = read_settings(str(NODE / name))
    assert settings.dicom is not None and settings.destinations[0].dicom is not None
    assert settings.detector.checkpoint.is_relative_to(NODE)


def test_the_page_shows_the_example_of_settings():
    shown = re.findall(r"```yaml\n(.*?)```", (ROOT / "docs" / "node.md").read_text(), re.DOTALL)
    assert yaml.safe_load(shown[0]) == yaml.safe_load((NODE / "node.yaml").read_text())


def test_the_names_in_the_compose_file_fit_together():
    compose = yaml.safe_load((NODE / "compose.yaml").read_text())
    services, settings = compose["services"], yaml.safe_load((NODE / "compose" / "node.yaml").read_text())
    for service in services.values():
        assert set(service["networks"]) <= set(compose["networks"])
        assert set(service.get("depends_on", ())) <= set(services)
        named = [volume.split(":")[0] for volume in service["volumes"] if not volume.startswith(".")]
        assert set(named) <= set(compose["volumes"])
    assert settings["destinations"][0]["dicom"]["host"] in services
    mounted = dict(volume.split(":")[:2] for volume in services["node"]["volumes"])
    assert mounted["node"] == settings["folder"]
    assert (NODE / services["node"]["build"]["context"] / services["node"]["build"]["dockerfile"]).is_file()


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="systemd is not installed")
def test_systemd_knows_every_line_of_the_unit(tmp_path):
    unit = (NODE / "monai-anomaly-node.service").read_text()
    program = re.search(r"ExecStart=(\S+)", unit).group(1)  # /opt has no such program here
    path = Path(tmp_path, "monai-anomaly-node.service")
    path.write_text(unit.replace(program, shutil.which("true")))
    run = subprocess.run(["systemd-analyze", "verify", str(path)], capture_output=True, text=True, timeout=60)
    assert (run.returncode, run.stderr) == (0, "")
