# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

"""``bundles``: what there is, a copy to edit, whether a stranger's may be run, and the archive for a model zoo."""

from __future__ import annotations

import json
import shutil
from dataclasses import asdict
from pathlib import Path
from typing import Any

from monai_anomaly.apps.command.completion import suggest
from monai_anomaly.apps.command.verbs.zip_action import add_zip
from monai_anomaly.utils.bundle_folders import Bundle, find_bundle, known_bundles
from monai_anomaly.utils.exceptions import ConfigError

__all__ = ["add_bundles", "copy_bundle", "copy_parts", "list_bundles", "run_check"]


def add_bundles(verbs: Any) -> None:
    """Add the verb to the parser."""
    text = "list the bundles, copy one out to edit, check one that somebody sent, or pack one for a model zoo"
    parser = verbs.add_parser("bundles", help=text, description=f"{text.capitalize()}.")
    parser.set_defaults(verb=list_bundles)
    actions = parser.add_subparsers(metavar="{copy,check,zip}")
    copy = actions.add_parser("copy", help="copy a bundle's configurations and card into a new folder")
    known = known_bundles()
    suggest(copy.add_argument("name", metavar="NAME", help=f"one of {', '.join(known)}, or a bundle's folder"), known)
    copy.add_argument("folder", metavar="DIR", help="the new folder, which must not exist")
    copy.set_defaults(verb=copy_bundle)
    text = "say what speaks against running a bundle; nothing of it is run"
    check = actions.add_parser("check", help=text, description=f"{text.capitalize()}.", epilog=_CODES)
    check.add_argument("path", metavar="DIR_OR_ZIP", help="the bundle's folder, or a zip archive of it")
    check.add_argument("--json", action="store_true", dest="as_json", help="print one JSON object")
    check.set_defaults(verb=run_check)
    add_zip(actions, known)


_CODES = "Exit codes: 0 nothing found, 3 something found, 1 there is no such bundle, 2 the command line makes no sense."


def list_bundles() -> int:
    """Print name, folder and description of each bundle."""
    for name in known_bundles():
        bundle = find_bundle(name)
        facts = json.loads(bundle.config("metadata").read_text(encoding="utf-8"))
        overlays = ", ".join(bundle.overlays())
        print(f"{name}  {facts.get('version', '')}  {bundle.folder}\n    {facts.get('description', '')}")
        print(f"    overlays: {overlays}")
    return 0


def copy_bundle(name: str, folder: str) -> int:
    """Copy a bundle, without what its runs made.

    Raises:
        ConfigError: when the folder exists or cannot be made.
    """
    bundle, target = find_bundle(name), Path(folder).expanduser()
    if target.exists():
        raise ConfigError(f"'{folder}' exists already; name a folder that does not.")
    copy_parts(bundle, target)
    own = target.as_posix() if len(target.parts) > 1 else f"./{target.as_posix()}"
    print(f"copied to {folder}; train it with 'monai-anomaly train {own}'")
    return 0


def copy_parts(bundle: Bundle, target: Path) -> None:
    """Copy a bundle's configurations, card and license.

    Raises:
        ConfigError: when the folder cannot be written.
    """
    try:
        for part in ("configs", "docs", "LICENSE"):
            _copy(bundle.folder / part, target / part)
    except OSError as error:
        raise ConfigError(f"'{target}' cannot be written ({error.strerror}); name another folder.") from None


def run_check(path: str, as_json: bool = False) -> int:
    """Print what speaks against running a bundle, and return 3 where something does.

    Raises:
        ConfigError: when there is none.
    """
    from monai_anomaly.apps.bundle_check.check_bundle import check_bundle  # reads YAML and zip archives

    n_files, findings = check_bundle(path)
    if as_json:
        print(json.dumps({"files": n_files, "findings": [asdict(finding) for finding in findings]}))
    else:
        for finding in findings:
            print(finding)
        found = f"{len(findings)} findings: do not run it before somebody has read them" if findings else "no finding"
        print(f"{n_files} files were looked at: {found}")
    return 3 if findings else 0


def _copy(source: Path, target: Path) -> None:
    if source.is_dir():
        shutil.copytree(source, target)
    elif source.is_file():
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(source, target)
