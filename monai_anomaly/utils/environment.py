# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

"""``python -m monai_anomaly.utils.environment``: what a report of a bug must say of the machine.

It names no user, host, folder or file, so it can be sent anywhere. Versions are read from the packages' metadata, which
takes no time; importing the packages would take many seconds, or fail, which may be the bug.
"""

from __future__ import annotations

import os
import platform
import runpy
import shutil
import subprocess
from collections.abc import Iterable
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec
from pathlib import Path

from monai_anomaly import __version__

__all__ = ["describe_environment", "installed_versions", "main", "package_versions"]

_PACKAGES = (
    *("monai", "torch", "torchvision", "pytorch-ignite", "numpy", "scipy", "scikit-learn"),
    *("scikit-image", "pillow", "pydicom", "nibabel", "itk", "tifffile"),
)
_DECODERS = (
    "python-gdcm",
    "pylibjpeg",
    "pylibjpeg-libjpeg",
    "pylibjpeg-openjpeg",
    "pylibjpeg-rle",
    "pyjpegls",
    "simplejpeg",
)
_THREADS = ("OMP_NUM_THREADS", "GOMP_SPINCOUNT", "OMP_WAIT_POLICY")
_EXTRAS = ("highdicom", "mlflow", "onnx", "onnxruntime", "pyarrow", "ray")


def package_versions(names: Iterable[str]) -> dict[str, str]:
    """Return the versions of installed packages, by name.

    Raises:
        PackageNotFoundError: when one is not installed.
    """
    return {name: version(name) for name in names}


def installed_versions() -> dict[str, str]:
    """Return the versions of all that computes and decodes, by name; ``not installed`` where it is not."""
    return {"monai_anomaly": __version__, **{name: _installed_version(name) for name in (*_PACKAGES, *_DECODERS)}}


def describe_environment() -> dict[str, str]:
    """Return what the report says, by what it is about, in its order."""
    return {
        "monai_anomaly": __version__,
        "Python": platform.python_version(),
        "platform": f"{platform.system()} {platform.release()} {platform.machine()}",
        "CPU threads": _describe_threads(),
        "CUDA of torch": _describe_cuda(),
        "CUDA devices": _describe_devices(),
        **{name: _installed_version(name) for name in (*_PACKAGES, *_DECODERS, *_EXTRAS)},
    }


def main() -> None:
    """Print the report."""
    facts = describe_environment()
    width = max(map(len, facts))
    for name, value in facts.items():
        print(f"{name:{width}}  {value}")


def _installed_version(name: str) -> str:
    try:
        return version(name)
    except PackageNotFoundError:
        return "not installed"


def _describe_threads() -> str:
    usable = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    chosen = ", ".join(f"{name} {os.environ[name]}" for name in _THREADS if name in os.environ)
    return f"{usable} of {os.cpu_count()}; {chosen or 'no settings'}"


def _describe_cuda() -> str:
    """Return the version of CUDA that PyTorch was built for, from the one file of it that says so."""
    torch = find_spec("torch")
    if torch is None or torch.origin is None:
        return "torch is not installed"
    try:
        facts = runpy.run_path(str(Path(torch.origin).with_name("version.py")))
    except OSError:
        return "unknown"
    return facts.get("cuda") or "none, built for CPUs"


def _describe_devices() -> str:
    """Ask the driver, which needs no PyTorch: name and memory of each device, and the driver's version."""
    program = shutil.which("nvidia-smi")
    if program is None:
        return "no NVIDIA driver"
    query = [program, "--query-gpu=name,memory.total,driver_version", "--format=csv,noheader"]
    try:
        listed = subprocess.run(query, capture_output=True, text=True, check=True, timeout=20).stdout
    except (OSError, subprocess.SubprocessError) as error:
        return f"the driver does not answer ({type(error).__name__})"
    devices = [line.split(", ") for line in listed.strip().splitlines()]
    return "; ".join(f"{name}, {memory}, driver {driver}" for name, memory, driver in devices) or "none"


if __name__ == "__main__":
    main()
