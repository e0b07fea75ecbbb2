# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

"""Trained detectors that are to become one."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Sequence
from functools import cached_property
from typing import Any

from monai_anomaly.bundle.trained_detector import TrainedDetector
from monai_anomaly.networks.nets.consensus.consensus import Consensus
from monai_anomaly.utils.exceptions import ConfigError

__all__ = ["Members"]

OWN = ("image_size", "channels", "intensity")
"""Arguments of a preprocessing in which members may differ: their part of the consensus sees to it."""
VERSION = "version"
"""Members may differ in it, too: what the lowest reads has all pixels that the others need."""
OF_DATA = ("frames", "split_seed", "split_shares", "abnormal_folders")


class Members:
    """The members of a consensus, read and compared when they are asked for first.

    Args:
        paths: their ``model.pt``, 2 or more.

    Raises:
        ConfigError: while they are compared, for fewer than 2, for one that is named twice, or for members that do not
            read their images alike; names the key and the members.
        CheckpointError: for a file that is not there, is damaged, or that no training of a bundle wrote.
    """

    def __init__(self, paths: Sequence[str | os.PathLike[str]] | str | os.PathLike[str]) -> None:
        self.paths = [paths] if isinstance(paths, (str, os.PathLike)) else list(paths)

    @cached_property
    def trained(self) -> list[TrainedDetector]:
        """What their trainings left."""
        if len(self.paths) < 2:
            raise ConfigError(
                f"a consensus joins 2 trained detectors or more, and members names {len(self.paths)}: give their "
                "model.pt, such as --members \"['sepiad/models/model.pt','ocad/models/model.pt']\"."
            )
        found = [TrainedDetector.read(path) for path in self.paths]
        for member in found:
            member.require_trained()
            member.require_data()
        hashes = [member.model_hash for member in found]
        twice = next((member for member in found if hashes.count(member.model_hash) > 1), None)
        if twice is not None:
            raise ConfigError(f"'{twice.path}' is among the members twice; name each detector once.")
        return found

    @cached_property
    def names(self) -> list[str]:
        """What they are called: their detectors, with a number where there are several of one."""
        kinds = [str(member.spec["detector"]).lower() for member in self.trained]
        several, seen = Counter(kinds), Counter[str]()
        names = []
        for kind in kinds:
            seen[kind] += 1
            names.append(f"{kind}_{seen[kind]}" if several[kind] > 1 else kind)
        return names

    @cached_property
    def preprocessing_args(self) -> dict[str, Any]:
        """Arguments of the one preprocessing: the largest size, the most channels, pixels as they were read."""
        each = [member.preprocessing.spec for member in self.trained]
        shared = {key: self._shared(key, [spec[key] for spec in each]) for key in each[0] if key not in (*OWN, VERSION)}
        size = max(spec["image_size"] for spec in each)
        if shared["sharpness"] is not None:
            self._shared("image_size", [spec["image_size"] for spec in each], " where sharpness is set")
        channels = max(spec["channels"] for spec in each)
        version = min(spec[VERSION] for spec in each)
        return {"image_size": size, "channels": channels, "intensity": "none", **shared, VERSION: version}

    @cached_property
    def data(self) -> dict[str, Any]:
        """How their data were read and split."""
        each = [member.spec["data"] for member in self.trained]
        return {key: self._shared(key, [data.get(key, []) for data in each]) for key in OF_DATA}

    @cached_property
    def network_args(self) -> list[dict[str, Any]]:
        """Of each member, what :class:`.Consensus` makes it from."""
        return [
            {
                "name": name,
                "detector": member.spec["detector"],
                "network": member.spec["network"],
                "intensity": member.preprocessing.spec["intensity"],
            }
            for name, member in zip(self.names, self.trained, strict=True)
        ]

    @property
    def hashes(self) -> dict[str, str]:
        """SHA-256 of each member's file, by its name."""
        return {name: member.model_hash for name, member in zip(self.names, self.trained, strict=True)}

    @property
    def guard_states(self) -> dict[str, dict[str, Any] | None]:
        """State of each member's own input guard, by its name; None where its training fitted none."""
        guards = {name: member.own_guard for name, member in zip(self.names, self.trained, strict=True)}
        return {name: None if guard is None else guard.state() for name, guard in guards.items()}

    def load_into(self, network: Consensus) -> Consensus:
        """Give a consensus the weights of its members."""
        for own, member in zip(network.detectors, self.trained, strict=True):
            own.load_state_dict(member.detector.state_dict())
        return network

    def _shared(self, key: str, values: Sequence[Any], why: str = "") -> Any:
        """Return the one value that all have."""
        values = [list(value) if isinstance(value, tuple) else value for value in values]
        if any(value != values[0] for value in values):
            each = ", ".join(f"{value!r} of {name}" for name, value in zip(self.names, values, strict=True))
            raise ConfigError(
                f"members must have the same {key}{why}, since they see one picture, and have {each}: train them "
                "alike, or leave one out."
            )
        return values[0]
