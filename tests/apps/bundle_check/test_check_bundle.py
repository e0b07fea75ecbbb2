# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

"""Bundles that would do harm, one kind each; none of it is done."""

from __future__ import annotations

import json
import os
import shutil
import stat
import zipfile
from pathlib import Path

import pytest
import torch

from monai_anomaly.apps.bundle_check.check_bundle import check_bundle
from monai_anomaly.apps.command.main import main
from monai_anomaly.networks.nets.sagan.sagan import SAGAN
from monai_anomaly.utils.checkpoint import save_checkpoint
from monai_anomaly.utils.exceptions import ConfigError
from tests.helpers.repository import ROOT

BUNDLES = ("sepiad", "ocad", "sagan", "simsid", "embedding", "consensus")

HOSTILE_CONFIGURATIONS = {
    "a target of the system": {"x": {"_target_": "os.system", "command": "touch MARK"}},
    "a target through torch": {"x": {"_target_": "torch.os.system", "command": "touch MARK"}},
    "a target that loads": {"x": {"_target_": "torch.load", "f": "x.pt", "weights_only": True}},
    "a target that downloads": {"x": {"_target_": "monai.apps.utils.download_url", "url": "http://localhost"}},
    "a target of the hub": {"x": {"_target_": "torch.hub.help", "github": "a/b", "model": "c"}},
    "a target that runs another bundle": {"x": {"_target_": "monai.bundle.run", "config_file": "x.json"}},
    "a target that runs our command": {"x": {"_target_": "monai_anomaly.apps.command.main.main"}},
    "a target that is a shell": {"x": {"_target_": "torch.utils.collect_env.run", "command": "touch MARK"}},
    "a target that runs text": {"x": {"_target_": "torch.utils.benchmark.Timer", "stmt": "open('MARK', 'w')"}},
    "a target that starts processes": {"x": {"_target_": "torch.distributed.launcher.api.launch_agent"}},
    "a target that sends": {"x": {"_target_": "ignite.handlers.clearml_logger.ClearMLLogger"}},
    "a target of Python's": {"x": {"_target_": "eval", "source": "1"}},
    "a target from the bundle": {"x": {"_target_": "scripts.evil.Evil"}},
    "a target that is an expression": {"x": {"_target_": "$'os.' + 'system'", "command": "touch MARK"}},
    "a target that is a reference": {"name": "os.system", "x": {"_target_": "@name", "command": "touch MARK"}},
    "a target that is a macro": {"name": "os.system", "x": {"_target_": "%name", "command": "touch MARK"}},
    "a private target": {"x": {"_target_": "torch._C._jit_get_operation"}},
    "a nested target": {"a": [{"b": {"_requires_": {"_target_": "subprocess.run"}}}]},
    "an import expression": {"imports": ["$import os"]},
    "an import by another name": {"imports": ["$import subprocess as torch_helpers"]},
    "an import from": {"imports": ["$from os import system"]},
    "an import from torch of os": {"imports": ["$from torch.serialization import os"]},
    "an import of an overlay": {"+imports": ["$import ctypes"]},
    "an import elsewhere": {"x": "$import torch"},
    "a module as a reference": {"imports": ["$import torch"], "x": "$@imports#0.nn"},
    "a module as an argument": {
        "imports": ["$import torch"],
        "x": {"_target_": "monai.data.Dataset", "data": "@imports#0"},
    },
    "everything as a reference": {"x": "$@['imports'][0]"},
    "a module handed on": {"x": "$(lambda t: t.nn)(torch)"},
    "a part of a module handed on": {"x": "$(lambda u: u.collect_env.run('touch MARK'))(torch.utils)"},
    "a module by another name": {"imports": ["$import torch.utils as u"], "x": "$[v.benchmark for v in [u]]"},
    "a function of Python's": {"x": "$open('MARK', 'w')"},
    "an import function": {"x": "$__import__('os').system('touch MARK')"},
    "a way round by classes": {"x": "$().__class__.__base__.__subclasses__()"},
    "a way round by globals": {"x": "$@trainer.run.__globals__['os']"},
    "a way round by format": {"x": "$'{0.__class__}'.format(@x)"},
    "a way round by getattr": {"x": "$getattr(torch, 'h' + 'ub')"},
    "a way round by quotes": {"x": "$'@or '].remove('MARK')#'"},
    "numpy": {"x": "$np.load('x.npy', allow_pickle=True)"},
    "a file that is removed": {"x": "$@folder.unlink()"},
    "a name given in an expression": {"x": "$(y := 1)"},
    "a text with values": {"x": "$f'{torch}'"},
    "no Python": {"x": "$rm -rf /"},
    "in a lambda": {"x": "$lambda batch: torch.hub.load('a/b', 'c')"},
    "in a comprehension": {"x": "$[torch.os.remove(f) for f in @files]"},
    "a debugger": {"x": {"_target_": "monai.data.Dataset", "_mode_": "debug"}},
    "a function handed on": {"x": {"_target_": "monai.data.Dataset", "_mode_": "callable"}},
    "a mode by reference": {"x": {"_target_": "monai.data.Dataset", "_mode_": "@mode"}},
    "weights that run": {"x": {"_target_": "monai.handlers.CheckpointLoader", "weights_only": False}},
    "arrays that run": {"x": {"_target_": "monai.data.NumpyReader", "allow_pickle": True}},
    "a file outside": {"x": "%../../other.json::x"},
    "a file by an absolute path": {"x": "%/etc/other.json::x"},
}


def bundle(folder: Path, config: object = None, name: str = "configs/inference.json") -> Path:
    """Write a bundle with one configuration."""
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(config if isinstance(config, str) else json.dumps(config or {"x": 1}))
    return folder


def problems(path: Path) -> list[str]:
    return [str(finding) for finding in check_bundle(path)[1]]


# ---- bundles that may be run -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", BUNDLES)
def test_our_bundles_pass(name):
    n_files, findings = check_bundle(ROOT / "bundles" / name)
    assert findings == []
    assert n_files >= 10


def test_a_bundle_with_its_weights_passes_as_a_folder_and_as_an_archive(tmp_path):
    folder = tmp_path / "ocad"
    shutil.copytree(ROOT / "bundles" / "ocad", folder, ignore=shutil.ignore_patterns("output", "models"))
    weights = SAGAN(image_size=32, generator={"channels": 4, "residual_blocks": 1}).state_dict()
    save_checkpoint(
        {"model": weights, "spec": {"a": [1, None, True]}, "n": torch.tensor(3)}, folder / "models/model.pt"
    )
    (folder / "models/calibration_records.jsonl").write_text("{}\n")
    with zipfile.ZipFile(tmp_path / "ocad.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        for path in sorted(folder.rglob("*")):
            archive.write(path, path.relative_to(tmp_path))
    assert problems(folder) == problems(tmp_path / "ocad.zip") == []


def test_what_a_model_zoo_writes_passes(tmp_path):
    config = {
        "network": {"_target_": "UNet", "spatial_dims": 2, "channels": [8, 16], "strides": [2]},
        "n": "$@m * 2 + len(@network.channels[0:1])",
        "transform": {"_target_": "monai.transforms.io.dictionary.LoadImaged", "keys": "image"},
        "optimizer": {"_target_": "torch.optim.Adam", "params": "$@network.parameters()", "lr": 0.1},
        "take": "$lambda x: [i['image'] for i in x]",
        "metric": "$monai.handlers.from_engine(['pred', 'label'])",
        "copy": "%#network",
        "other": "%train.json::network",
    }
    assert problems(bundle(tmp_path, config)) == []


# ---- configurations --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", HOSTILE_CONFIGURATIONS)
def test_hostile_configurations(kind, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    text = json.dumps(HOSTILE_CONFIGURATIONS[kind]).replace("MARK", str(tmp_path / "mark"))
    found = problems(bundle(tmp_path / "bundle", text))
    assert found
    assert all(line.startswith("configs/inference.json") for line in found)
    assert not (tmp_path / "mark").exists()


def test_the_same_in_yaml(tmp_path):
    assert "os.system" in problems(bundle(tmp_path, "x:\n  _target_: os.system\n", "configs/train.yaml"))[0]
    assert "YAML" in problems(bundle(tmp_path / "b", "x: !!python/object/apply:os.system [ls]", "configs/a.yml"))[0]


@pytest.mark.parametrize(
    ("name", "text", "word"),
    [
        ("a.json", "[" * 100_000, "JSON"),
        ("a.json", "{", "JSON"),
        ("a.json", '{"x": "' + "a" * 5_000_000 + '"}', "MiB"),
        (
            "a.yaml",
            "a: &a [1]\n"
            + "".join(f"{c}: &{c} [{','.join(9 * [f'*{p}'])}]\n" for p, c in zip("abcdefgh", "bcdefghi", strict=True)),
            "values",
        ),
        ("a.yaml", "a: &a\n  b: *a\n", "values"),
    ],
)
def test_configurations_that_cannot_be_read(name, text, word, tmp_path):
    assert any(word in line for line in problems(bundle(tmp_path, text, name)))


def test_one_name_for_two_things_in_files_that_are_merged(tmp_path):
    bundle(tmp_path, {"imports": ["$import torch as t"]}, "configs/a.json")
    bundle(tmp_path, {"imports": ["$import monai as t"]}, "configs/b.json")
    assert any("twice" in line for line in problems(tmp_path))


def test_names_are_resolved_through_the_imports_of_all_files(tmp_path):
    bundle(tmp_path, {"imports": ["$import monai_anomaly.bundle as b"]}, "configs/a.json")
    bundle(tmp_path, {"x": "$b.has_file(@y)"}, "configs/b.json")
    assert problems(tmp_path) == []
    bundle(tmp_path, {"x": "$b.os.remove(@y)"}, "configs/b.json")
    assert problems(tmp_path)


# ---- logging ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("class", "FileHandler"),
        ("class", "logging.handlers.SMTPHandler"),
        ("class", "__import__('os').system"),
        ("args", "(open('MARK', 'w'),)"),
        ("kwargs", "{'stream': __import__('os').system('touch MARK')}"),
    ],
)
def test_hostile_logging(key, value, tmp_path):
    text = (ROOT / "bundles/ocad/configs/logging.conf").read_text()
    given = {"class": "StreamHandler", "args": "(sys.stdout,)"} | {key: value}
    lines = "".join(f"{k}={v}\n" for k, v in given.items())
    before, _, after = text.partition("[handler_consoleHandler]\n")
    rest = after.partition("level=")[2]
    assert before and rest
    bundle(tmp_path)
    (tmp_path / "configs/logging.conf").write_text(
        f"{before}[handler_consoleHandler]\n{lines}level={rest.split('args=')[0]}"
    )
    assert [line for line in problems(tmp_path) if "logging.conf [handler_consoleHandler]" in line]


# ---- weights ---------------------------------------------------------------------------------------------------------


class Evil:
    """Makes a file when it is unpickled."""

    def __init__(self, mark: Path) -> None:
        self.mark = mark

    def __reduce__(self):
        return os.mkdir, (str(self.mark),)


@pytest.mark.parametrize("as_zip", [True, False])
def test_hostile_weights(as_zip, tmp_path):
    bundle(tmp_path / "b")
    torch.save({"model": Evil(tmp_path / "mark")}, tmp_path / "b" / "model.pt", _use_new_zipfile_serialization=as_zip)
    found = problems(tmp_path / "b")
    assert len(found) == 1
    assert ("mkdir" if as_zip else "bare pickle") in found[0]
    assert not (tmp_path / "mark").exists()


def test_a_pickle_that_names_its_function_on_the_stack(tmp_path):
    bundle(tmp_path)
    with zipfile.ZipFile(tmp_path / "model.pt", "w") as archive:
        archive.writestr("m/data.pkl", b"\x80\x04\x8c\x05posix\x8c\x06system\x93\x8c\x02ls\x85R.")
    assert "STACK_GLOBAL" in problems(tmp_path)[0]


def test_weights_inside_of_weights(tmp_path):
    bundle(tmp_path / "b")
    torch.save({"model": Evil(tmp_path / "mark")}, tmp_path / "inner.pt")
    with zipfile.ZipFile(tmp_path / "b" / "model.pt2", "w") as archive:
        archive.write(tmp_path / "inner.pt", "m/data/sample_inputs/model.pt")
    assert "mkdir" in problems(tmp_path / "b")[0]


def test_the_configuration_inside_of_a_script(tmp_path):
    bundle(tmp_path)
    script = torch.jit.script(torch.nn.Linear(2, 2))
    torch.jit.save(script, str(tmp_path / "model.ts"), _extra_files={"inference.json": '{"x": 1}'})
    assert problems(tmp_path) == []
    torch.jit.save(script, str(tmp_path / "model.ts"), _extra_files={"inference.json": '{"x": "$exec(1)"}'})
    assert "exec" in problems(tmp_path)[0]


# ---- files and archives ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "name", ["scripts/net.py", "run.sh", "lib.so", "a.pkl", "large_files.yml", "Makefile", "inner.zip"]
)
def test_files_that_no_bundle_needs(name, tmp_path):
    bundle(tmp_path)
    bundle(tmp_path, "x: 1", name)
    assert [line.split(":")[0] for line in problems(tmp_path)] == [name]


def test_links_are_not_followed(tmp_path):
    bundle(tmp_path / "b")
    bundle(tmp_path / "other", {"x": "$exec('')"})
    (tmp_path / "b" / "link").symlink_to(tmp_path / "other")
    assert problems(tmp_path / "b") == ["link: it is a link or a device"]


def archive_of(path: Path, *members: tuple[zipfile.ZipInfo | str, bytes]) -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("b/configs/inference.json", "{}")
        for member, data in members:
            archive.writestr(member, data)
    return path


@pytest.mark.parametrize(
    "name", ["../evil.json", "b/../../evil.json", "/evil.json", "C:/evil.json", "..\\evil.json", "b/\x1b[2J.json"]
)
def test_names_that_lead_out_of_an_archive(name, tmp_path):
    inner = tmp_path / "inner"
    inner.mkdir()
    assert len(problems(archive_of(inner / "b.zip", (zipfile.ZipInfo(name), b"{}")))) == 1
    assert list(tmp_path.iterdir()) == [inner]
    assert list(inner.iterdir()) == [inner / "b.zip"]


def test_links_bombs_and_twins_in_an_archive(tmp_path):
    link = zipfile.ZipInfo("b/link")
    link.external_attr = (stat.S_IFLNK | 0o777) << 16
    found = problems(
        archive_of(tmp_path / "b.zip", (link, b"/etc"), ("b/x.txt", bytes(20_000_000)), ("b/Y", b""), ("b/y", b""))
    )
    assert [line.split(":")[0] for line in found] == ["b/link", "b/x.txt", "b/Y", "b/y"]


def test_a_damaged_archive(tmp_path):
    (tmp_path / "b.zip").write_bytes(b"PK\x03\x04 and no more")
    assert "damaged" in problems(tmp_path / "b.zip")[0]


def test_a_folder_that_is_no_bundle(tmp_path):
    assert "no configuration" in problems(tmp_path)[0]
    with pytest.raises(ConfigError, match="no bundle"):
        check_bundle(tmp_path / "nowhere")


# ---- the command -----------------------------------------------------------------------------------------------------


def test_the_command_says_what_it_found(tmp_path, capsys):
    assert main(["bundles", "check", str(ROOT / "bundles/sagan")]) == 0
    assert capsys.readouterr().out.endswith("no finding\n")
    bundle(tmp_path, {"\x1b]0;x": "$\x1b[2J"})
    assert main(["bundles", "check", str(tmp_path)]) == 3
    assert "\x1b" not in capsys.readouterr().out
    assert main(["bundles", "check", str(tmp_path), "--json"]) == 3
    printed = json.loads(capsys.readouterr().out)
    assert printed["files"] == 1
    assert set(printed["findings"][0]) == {"file", "place", "problem"}
    assert main(["bundles", "check", str(tmp_path / "nowhere")]) == 1
