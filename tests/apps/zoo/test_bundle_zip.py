# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

import configparser
import hashlib
import io
import json
import shutil
import zipfile
from pathlib import Path

import pytest
import requests
import torch
import yaml
from monai.bundle import get_bundle_info, get_bundle_versions
from packaging.requirements import Requirement

from monai_anomaly import __version__
from monai_anomaly.apps.command.main import main
from monai_anomaly.apps.zoo.bundle_zip import bundle_files, large_files, model_info, zip_bundle
from monai_anomaly.utils.exceptions import ConfigError
from tests.helpers.doors import calibrate, write_model
from tests.helpers.repository import ROOT

BUNDLES = sorted(path.parent.parent.name for path in (ROOT / "bundles").glob("*/configs/metadata.json"))


@pytest.fixture
def bundle(tmp_path):
    """Return a copy of a bundle in which things have been run."""
    folder = tmp_path / "work" / "ocad"
    shutil.copytree(ROOT / "bundles/ocad", folder, ignore=shutil.ignore_patterns("output", "models"))
    for name in ("models/checkpoint.pt", "models/model.previous.pt", "output/report.html", "configs/.cache", "run.sh"):
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_text("x")
    return folder


@pytest.mark.parametrize("name", BUNDLES)
def test_every_bundle_is_packed(name):
    files = bundle_files(ROOT / "bundles" / name)
    assert sum(map(len, files.values())) < 2e6
    with zipfile.ZipFile(io.BytesIO(zip_bundle(name, files))) as archive:
        assert {member: archive.read(f"{name}/{member}") for member in files} == files
        assert len(archive.namelist()) == len(files)


@pytest.mark.parametrize("name", BUNDLES)
def test_what_the_metadata_asks_for_is_what_the_package_asks_for(name):
    metadata = json.loads((ROOT / "bundles" / name / "configs/metadata.json").read_text())
    setup = configparser.ConfigParser()
    setup.read(ROOT / "setup.cfg")
    lines = setup["options"]["install_requires"].split("\n")
    needed = {need.name: need.specifier for need in map(Requirement, filter(None, lines))}
    stated = {key: metadata[f"{key}_version"] for key in ("monai", "pytorch")} | metadata["required_packages_version"]
    assert stated.pop("monai_anomaly") == __version__
    stated["torch"] = stated.pop("pytorch")
    for package, version in stated.items():
        assert version in needed[package], package
        bounds = {bound.version for bound in needed[package] if bound.operator == ">="}
        assert all(version.startswith(bound) for bound in bounds), package  # what is tested last with the oldest


def test_the_archive_holds_what_travels_and_nothing_else(bundle, tmp_path, capsys):
    model = write_model(bundle / "models", name="OCAD")
    calibrate(model)
    model.with_name("calibration_records.jsonl").write_text("{}\n")
    assert main(["bundles", "zip", str(bundle), str(tmp_path), "--url", "https://zoo/ocad_v0.1.0.zip"]) == 0
    printed = capsys.readouterr().out
    data = (tmp_path / "ocad_v0.1.0.zip").read_bytes()
    entry = {"checksum": hashlib.sha1(data).hexdigest(), "source": "https://zoo/ocad_v0.1.0.zip"}
    assert json.loads(printed[printed.index("{") :]) == {"ocad_v0.1.0": entry}
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        names = archive.namelist()
        metadata = json.loads(archive.read("ocad/configs/metadata.json"))
        assert archive.read("ocad/models/model.pt") == model.read_bytes()
    own = {path.relative_to(ROOT / "bundles").as_posix() for path in (ROOT / "bundles/ocad").rglob("*.json")}
    assert set(names) - own == {
        *("ocad/LICENSE", "ocad/configs/logging.conf", "ocad/docs/README.md"),
        *("ocad/models/model.pt", "ocad/models/calibration.json"),
    }
    tensors = metadata["network_data_format"]
    image, pred = tensors["inputs"]["image"], tensors["outputs"]["pred"]
    assert (image["num_channels"], image["spatial_shape"], pred["spatial_shape"]) == (3, [16, 16], [16, 16])


def test_equal_bundles_make_equal_bytes(bundle, tmp_path):
    assert main(["bundles", "zip", str(bundle), str(tmp_path), "--untrained"]) == 0
    for path in bundle.rglob("*"):
        path.touch()
    copy = shutil.copytree(bundle, tmp_path / "elsewhere" / "ocad")
    (tmp_path / "again").mkdir()
    assert main(["bundles", "zip", str(copy), str(tmp_path / "again"), "--untrained"]) == 0
    first, second = (folder / "ocad_v0.1.0.zip" for folder in (tmp_path, tmp_path / "again"))
    assert first.read_bytes() == second.read_bytes()
    assert "ocad/models/model.pt" not in zipfile.ZipFile(first).namelist()


def refusal(capsys, *words: str) -> str:
    """Return the sentence that ends the command."""
    assert main(["bundles", "zip", *words]) == 1
    said = capsys.readouterr().err
    assert said.count("\n") == 1
    return said


def test_a_bundle_that_is_refused_is_not_written(bundle, tmp_path, capsys):
    words = (str(bundle), str(tmp_path))
    assert "there is no trained detector" in refusal(capsys, *words)
    assert "give it alone" in refusal(capsys, *words, "--untrained", "--checkpoint", "a.pt")
    assert "there is no folder" in refusal(capsys, str(bundle), str(tmp_path / "none"), "--untrained")
    card = bundle / "docs/README.md"
    card.write_text(card.read_text() + f"\nSee {bundle}/output.\n")
    assert "docs/README.md: it names a folder of this machine" in refusal(capsys, *words, "--untrained")
    (bundle / "configs/scripts.py").write_text("x = 1\n")
    assert "(and 1 more)" in refusal(capsys, *words, "--untrained")
    (bundle / "configs/metadata.json").write_text("{")
    assert "it is missing or no JSON object" in refusal(capsys, *words, "--untrained")
    assert not list(tmp_path.glob("*.zip"))


def test_weights_of_something_else_are_refused(bundle, tmp_path, capsys):
    (tmp_path / "other").mkdir()
    model = write_model(tmp_path / "other", name="SEPIAD")
    words = (str(bundle), str(tmp_path), "--checkpoint")
    assert "is of a SEPIAD and the bundle 'ocad' makes OCAD" in refusal(capsys, *words, str(model))
    own = write_model(bundle / "models", name="OCAD")
    shutil.copy(own, calibrate(model) and tmp_path / "model.pt")
    more = ("--calibration", str(model.with_name("calibration.json")))
    assert "the weights are others" in refusal(capsys, *words, str(own), *more)
    assert "there is no calibration" in refusal(capsys, *words, str(own), "--calibration", str(tmp_path / "none.json"))
    content = torch.load(own, weights_only=True)
    torch.save({**content, "data": {"folder": str(bundle)}}, tmp_path / "model.pt")
    assert "models/model.pt: it names a folder of this" in refusal(capsys, *words, str(tmp_path / "model.pt"))


def test_large_weights_are_named_for_a_pull_request():
    data = bytes(26 * 10**6)
    (entry,) = yaml.safe_load(large_files({"models/model.pt": data, "LICENSE": b""}))["large_files"]
    assert entry["path"] == "models/model.pt" and entry["hash_val"] == hashlib.sha256(data).hexdigest()
    assert entry["hash_type"] == "sha256" and not large_files({"LICENSE": b""})


def test_monai_reads_the_entry_as_the_zoo_s(monkeypatch):
    info = {**model_info("ocad", "0.1.0", b"a", "https://a"), **model_info("ocad", "0.2.0", b"b", "https://b")}
    answer = requests.Response()
    answer.status_code, answer._content = 200, json.dumps(info).encode()
    monkeypatch.setattr(requests, "get", lambda *_, **__: answer)
    assert get_bundle_versions("ocad") == {"latest_version": "0.2.0", "all_versions": ["0.1.0", "0.2.0"]}
    assert get_bundle_info("ocad", "0.1.0") == {"name": "ocad_v0.1.0", "browser_download_url": "https://a"}


def test_a_finding_is_said_by_the_function_too():
    with pytest.raises(ConfigError, match=r"'ocad' is not packed: LICENSE: the zoo needs it and it is missing\."):
        zip_bundle("ocad", {k: v for k, v in bundle_files(Path(ROOT, "bundles/ocad")).items() if k != "LICENSE"})
