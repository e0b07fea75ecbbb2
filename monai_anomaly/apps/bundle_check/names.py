# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

"""Which classes and functions a configuration may name."""

from __future__ import annotations

import re
from functools import cache
from importlib.util import find_spec
from pathlib import Path

__all__ = ["PACKAGES", "attribute_problem", "is_module", "name_problem"]

PACKAGES = ("monai", "torch", "ignite", "monai_anomaly")
"""What a bundle may be made of."""

_SHELVES = {
    "torch": "amp backends cuda distributed distributions fft linalg nn optim special utils.data",
    "monai": "apps data engines handlers inferers losses metrics networks optimizers transforms utils visualize",
    "ignite": "distributed engine handlers metrics utils",
    "monai_anomaly": "bundle calibration data engines guard handlers losses metrics networks phantom report scoring "
    "transforms utils",
}
"""The parts of the packages that train, score and report. What is left out downloads, compiles, measures, starts
processes or runs text: ``torch.utils.collect_env.run`` is a shell."""

_CLOSED = (
    "monai.apps.auto3dseg.",
    "monai.apps.mmars.",
    "monai.apps.nnunet.",
    "torch.distributed.",
    "torch.utils.data.",
)
"""Shelves below which only names are allowed, or nothing."""

_MODULES = frozenset(
    "builtins cffi code codecs codeop ctypes dill fileinput ftplib gc glob http hub importlib inspect joblib linecache "
    "marshal multiprocessing os pathlib pickle pip pkgutil posix pty pydoc requests runpy shelve shutil smtplib socket "
    "ssl subprocess sys tarfile tempfile threading urllib webbrowser zipfile".split()
)
"""Modules that packages import, and through which ``torch.os.system`` would be a name in torch."""

_NAMES = frozenset(
    "ClearMLLogger DecathlonDataset FileIO MLflowLogger MedNISTDataset NeptuneLogger PolyaxonLogger Popen "
    "TciaDataset VisdomLogger WandBLogger breakpoint call check_call check_output chmod compile connect copyfile "
    "copytree delattr download download_and_extract download_mmar download_url dump dumps eval exec extractall "
    "fork format format_map from_file fromfile getattr getoutput globals import_module input instantiate kill "
    "load load_from_mmar load_library load_module load_state_dict_from_url load_submodules load_url loads locals "
    "locate makedirs memmap mkdir open optional_import pickle_operations popen putenv reload remove removedirs "
    "rename rmdir rmtree run_cmd run_debug run_eval run_path save savez savez_compressed send setattr spawn "
    "start_processes symlink system tofile touch truncate unlink unsafe_load urlopen urlretrieve vars write "
    "write_bytes write_text".split()
)
"""Names of what reads code, writes files, downloads or starts programs, on whatever they are called."""

_FAMILIES = re.compile(r"(exec|spawn|popen)[lv]?[pe]*")
_DOTTED = re.compile(r"[A-Za-z]\w*(\.\w+)*", re.ASCII)


def name_problem(name: str) -> str:
    """Say why a dotted name of a class, function or module may not be used; empty where it may.

    Nothing is imported. A name without a dot is that of one of MONAI's classes; Python's functions are small.

    Args:
        name: such as ``monai.inferers.SimpleInferer``.
    """
    if not _DOTTED.fullmatch(name):
        return "is no plain name"
    first, *others = name.split(".")
    if not others:
        return "" if re.fullmatch(r"[A-Z][A-Za-z0-9]+", name) else "is no class of MONAI's"
    if first not in PACKAGES:
        return f"is none of {', '.join(PACKAGES[:-1])} and {PACKAGES[-1]}"
    if len(others) > 1 and not _is_on_a_shelf(first, others):
        return "is of a part that downloads, loads or runs other code, or was not looked at"
    return next((problem for part in others if (problem := attribute_problem(part))), "")


def _is_on_a_shelf(package: str, others: list[str]) -> bool:
    inner = ".".join(others)
    shelf = next((s for s in _SHELVES[package].split() if inner.startswith(f"{s}.")), None)
    if shelf is None:
        return False
    closed = next((c for c in _CLOSED if f"{package}.{inner}".startswith(c)), None)
    return closed is None or (package == "torch" and "." not in f"{package}.{inner}"[len(closed) :])


@cache
def is_module(name: str) -> bool:
    """Return whether a dotted name is one of the packages' modules; none is imported to find out."""
    first, *others = name.split(".")
    spec = find_spec(first) if first in PACKAGES else None
    for folder in (spec.submodule_search_locations or ()) if spec else ():
        path = Path(folder, *others)
        if path.is_dir() or path.with_name(f"{path.name}.py").is_file():
            return True
    return False


def attribute_problem(name: str) -> str:
    """Say why an attribute may not be asked for, of whatever; empty where it may."""
    if name.startswith("_"):
        return f"reaches the private '{name}'"
    if name in _MODULES:
        return f"reaches the module '{name}'"
    if name in _NAMES or _FAMILIES.fullmatch(name):
        return f"reaches '{name}', which may read code, write files, download or start programs"
    return ""
