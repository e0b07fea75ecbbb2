# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

import getpass
import os
import platform
import socket
import subprocess
import sys
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch

from monai_anomaly.utils import environment
from monai_anomaly.utils.environment import describe_environment, package_versions


@pytest.fixture
def driver(tmp_path, monkeypatch):
    """Return a function that puts a program called ``nvidia-smi`` on the path."""

    def put(script: str) -> None:
        program = tmp_path / "nvidia-smi"
        program.write_text(f"#!{sys.executable}\n{script}\n")
        program.chmod(0o755)
        monkeypatch.setenv("PATH", str(tmp_path))

    return put


def test_the_report_names_versions_and_imports_none_of_the_packages():
    script = (
        "import runpy, sys; runpy.run_module('monai_anomaly.utils.environment', run_name='__main__'); "
        "print({'torch', 'monai', 'numpy', 'pydicom', 'itk'} & set(sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True, timeout=60)
    *lines, imported = done.stdout.splitlines()
    assert imported == "set()"
    facts = {name: value.strip() for name, _, value in (line.partition("  ") for line in lines)}
    for name in ("monai", "torch", "torchvision", "pytorch-ignite", "pydicom", "nibabel", "itk", "numpy"):
        assert facts[name] == version(name)
    assert facts["python-gdcm"] == version("python-gdcm") and facts["pyjpegls"] == version("pyjpegls")
    assert facts["CUDA of torch"] == (torch.version.cuda or "none, built for CPUs")
    assert facts["Python"] == platform.python_version()
    assert platform.machine() in facts["platform"]


def test_it_names_no_user_host_or_folder(monkeypatch):
    monkeypatch.setenv("HOME", "/home/somebody")
    text = "\n".join(f"{name} {value}" for name, value in describe_environment().items())
    assert "/" not in text and "somebody" not in text
    words = text.split()
    assert socket.gethostname() not in words and platform.node() not in words
    assert getpass.getuser() not in words and Path.cwd().name not in words


def test_what_is_not_installed_is_said(monkeypatch):
    monkeypatch.setattr(environment, "_EXTRAS", ("no-such-package-anywhere",))
    assert describe_environment()["no-such-package-anywhere"] == "not installed"


def test_threads_are_those_of_the_machine_and_the_setting(monkeypatch):
    for name in ("OMP_NUM_THREADS", "GOMP_SPINCOUNT", "OMP_WAIT_POLICY"):
        monkeypatch.delenv(name, raising=False)
    assert describe_environment()["CPU threads"].endswith(f" of {os.cpu_count()}; no settings")
    monkeypatch.setenv("OMP_NUM_THREADS", "3")
    monkeypatch.setenv("GOMP_SPINCOUNT", "7")
    assert describe_environment()["CPU threads"].endswith(f" of {os.cpu_count()}; OMP_NUM_THREADS 3, GOMP_SPINCOUNT 7")


def test_devices_are_the_driver_s(driver):
    driver("print('NVIDIA H200, 143771 MiB, 580.10')\nprint('NVIDIA T4, 15360 MiB, 580.10')")
    assert describe_environment()["CUDA devices"] == (
        "NVIDIA H200, 143771 MiB, driver 580.10; NVIDIA T4, 15360 MiB, driver 580.10"
    )


def test_a_driver_that_fails_or_is_missing_is_said(driver):
    driver("raise SystemExit(9)")
    assert describe_environment()["CUDA devices"] == "the driver does not answer (CalledProcessError)"


def test_no_driver_is_said(tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    assert describe_environment()["CUDA devices"] == "no NVIDIA driver"


def test_versions_by_name():
    assert package_versions(("torch", "monai")) == {"torch": version("torch"), "monai": version("monai")}
    with pytest.raises(PackageNotFoundError):
        package_versions(("no-such-package-anywhere",))


def test_the_report_is_printed_in_two_columns(capsys, monkeypatch):
    monkeypatch.setattr(environment, "find_spec", lambda name: None)
    environment.main()
    lines = capsys.readouterr().out.splitlines()
    assert len({line[: line.index("  ")] for line in lines}) == len(lines) == len(describe_environment())
    assert next(line for line in lines if line.startswith("CUDA of torch")).endswith("torch is not installed")
    versions = environment.installed_versions()
    assert versions["torch"] == version("torch") and "monai_anomaly" in versions


def test_a_torch_that_does_not_say_its_cuda_is_unknown(tmp_path, monkeypatch):
    monkeypatch.setattr(environment, "find_spec", lambda name: SimpleNamespace(origin=str(tmp_path / "__init__.py")))
    assert describe_environment()["CUDA of torch"] == "unknown"
