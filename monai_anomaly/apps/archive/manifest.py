# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

"""What an archive's results are of, so that a run goes on with its own only."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from monai_anomaly.apps.archive.inputs import digest_of_names
from monai_anomaly.apps.archive.place import ResultPlace
from monai_anomaly.apps.archive.record_table import FOLDER
from monai_anomaly.utils.differences import differences
from monai_anomaly.utils.exceptions import ConfigError

__all__ = ["MANIFEST", "begin_or_go_on", "make_manifest"]

MANIFEST = "manifest.json"


def make_manifest(items: Sequence[dict[str, Any]], shard_size: int, settings: dict[str, Any]) -> dict[str, Any]:
    """Return what results are of, as plain values.

    Args:
        items: the files.
        shard_size: files of a shard.
        settings: of :func:`~monai_anomaly.apps.archive.settings.archive_settings`.
    """
    return {
        "files": len(items),
        "names of the files": digest_of_names(items),
        "shard_size": shard_size,
        **settings,
    }


def begin_or_go_on(place: ResultPlace, manifest: dict[str, Any], *, resume: bool) -> None:
    """Write the manifest, or see that what is there is of the same run.

    Args:
        place: of the results.
        manifest: of this run.
        resume: whether it may go on with what is there.

    Raises:
        ConfigError: when there are results already, and they are not to be gone on with, or of something else.
    """
    content = place.read(MANIFEST)
    if content is None:
        if place.names(FOLDER):
            raise ConfigError("the place of the results has records and no manifest.json; name an empty place.")
        place.write(MANIFEST, (json.dumps(manifest, indent=2) + "\n").encode())
        return
    if not resume:
        raise ConfigError(
            "the place of the results has those of another run: go on with --resume, or name an empty place."
        )
    try:
        there = json.loads(content)
    except ValueError:
        raise ConfigError("manifest.json of the results is damaged; name an empty place.") from None
    changed = differences(there, json.loads(json.dumps(manifest)))
    if changed:
        raise ConfigError(
            f"the results are of another run ({'; '.join(changed)}): take its files and settings, or name an empty "
            "place."
        )
