# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

"""What a training left in one file, and all that follows from it."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Callable, Mapping
from functools import cached_property
from pathlib import Path
from typing import Any

from monai.bundle import ConfigParser
from torch import Tensor

from monai_anomaly.bundle.deliverable.exported_detector import ExportedDetector, Program
from monai_anomaly.bundle.deliverable.opening import read_deliverable
from monai_anomaly.engines.consensus_inferer import ConsensusInferer
from monai_anomaly.engines.image_inferer import ImageInferer
from monai_anomaly.guard.input_guard import InputGuard
from monai_anomaly.guard.member_guards import JointGuard, MemberGuards
from monai_anomaly.handlers.scoring.calibration_writer import DetectorIdentity
from monai_anomaly.networks.nets.detector import Detector
from monai_anomaly.networks.nets.registry import make_detector
from monai_anomaly.transforms.preprocessing import Preprocessing
from monai_anomaly.utils.checkpoint import load_hashed_checkpoint, require_checkpoint
from monai_anomaly.utils.exceptions import CheckpointError
from monai_anomaly.utils.exported.card_entry import is_deliverable

__all__ = ["TrainedDetector", "open_detector"]


class TrainedDetector:
    """A detector as its training left it in a ``model.pt``, which is opened once and hashed once.

    Args:
        path: the file, for messages.
        content: what :func:`monai_anomaly.utils.checkpoint.load_checkpoint` returns.
        model_hash: SHA-256 of the file; empty before any training, when `content` has a spec and no weights. Of an
            export it is that of the checkpoint which it was made of: a calibration is of both.
        program: makes the program of an export, which `content` has no weights for; None for a checkpoint.

    Attributes:
        is_trained: whether there are weights.
        is_exported: whether the file is an export.

    Example:
        >>> import torch
        >>> from monai_anomaly.networks.nets.sagan.sagan import SAGAN
        >>> network = {"image_size": 32, "generator": {"channels": 4, "residual_blocks": 1}}
        >>> spec = {"detector": "SAGAN", "network": network, "preprocessing": {"image_size": 32}}
        >>> trained = TrainedDetector("model.pt", {"spec": spec, "model": SAGAN(**network).state_dict()}, "0" * 64)
        >>> trained.preprocessing.image_shape
        (1, 32, 32)
        >>> trained.detector(torch.rand(2, 1, 32, 32)).shape
        torch.Size([2, 1, 32, 32])
    """

    def __init__(
        self,
        path: str | os.PathLike[str],
        content: Mapping[str, Any],
        model_hash: str,
        program: Callable[[], Program] | None = None,
    ) -> None:
        self.path = os.fspath(path)
        self.model_hash = model_hash
        self.is_exported = program is not None
        self.is_trained = "model" in content or self.is_exported
        self._content = dict(content)
        self._program = program

    @classmethod
    def read(cls, path: str | os.PathLike[str]) -> TrainedDetector:
        """Read a detector's file.

        Args:
            path: a ``model.pt``, or a ``checkpoint.pt``, which has weights and spec only; or an export: ``.pt2``,
                ``.ts`` or ``.onnx``.

        Raises:
            CheckpointError: when there is none, it is damaged, or something else made it.
        """
        path = os.path.expanduser(path)
        if is_deliverable(path):
            card, program = read_deliverable(path)
            return cls(path, card, card["model_hash"], program)
        return cls(path, *load_hashed_checkpoint(path))

    # ---- what the file says ------------------------------------------------------------------------------------------

    @property
    def spec(self) -> dict[str, Any]:
        """``detector`` (class name), ``network`` and ``preprocessing`` (arguments), ``data`` and ``training``."""
        return dict(self._content["spec"])

    @property
    def map_range(self) -> tuple[float, float]:
        """The map values of the first and the last color of all its heat maps; ``(0, 1)`` where nobody knows."""
        low, high = self._content.get("map_range", (0.0, 1.0))
        return float(low), float(high)

    @property
    def fingerprints(self) -> Tensor | None:
        """Of the images it was trained on, as :func:`monai_anomaly.data.sets.duplicates.fingerprint` gives them."""
        return self._content.get("fingerprints")

    @property
    def data(self) -> dict[str, Any]:
        """What is to be said of its training data, numbers and texts by name."""
        return dict(self._content.get("data", {}))

    @property
    def chosen_by(self) -> str:
        """How the weights were chosen among epochs; empty for those of the last iteration."""
        rule = str(self.data.get("checkpoint rule", ""))
        return rule if rule.startswith("epoch") else ""  # as BestWeights says it; "the last iteration" chose nothing

    @property
    def unfinished(self) -> str:
        """What a time budget cut short, such as ``30 of 300 iterations of the training``; empty when it cut nothing."""
        return str(self.data.get("unfinished", ""))

    @property
    def pool_warning(self) -> str:
        """What the pool that it learned from differed in from the normals; empty where little or nothing was found."""
        return str(self.data.get("pool warning", ""))

    @cached_property
    def spec_hash(self) -> str:
        """SHA-256 of how detector and preprocessing are made."""
        used = {key: self.spec.get(key) for key in ("detector", "network", "preprocessing")}
        return hashlib.sha256(json.dumps(used, sort_keys=True, default=str).encode()).hexdigest()

    # ---- what is made of it ------------------------------------------------------------------------------------------

    @cached_property
    def guard(self) -> InputGuard | JointGuard | None:
        """Says which images it was never shown; None where the training fitted none."""
        own, members = self.own_guard, self.member_guards
        return own if own is None or members is None else JointGuard(own, members)

    @cached_property
    def own_guard(self) -> InputGuard | None:
        """The guard that its training fitted, without those of the members of a consensus."""
        state = self._content.get("guard")
        return None if state is None else InputGuard.from_state(state)

    @cached_property
    def member_guards(self) -> MemberGuards | None:
        """Says which members of a consensus were never shown the like of an image; None of another detector."""
        if self.spec["detector"] != "Consensus":
            return None
        return MemberGuards(self.spec["network"], self._content.get("member_guards"))

    @cached_property
    def inferer(self) -> ImageInferer:
        """Makes maps of images with the detector."""
        return self.inferer_in("float32")

    def inferer_in(self, precision: str) -> ImageInferer:
        """Return what makes maps of images with the detector.

        Args:
            precision: as :class:`~monai_anomaly.engines.image_inferer.ImageInferer` takes it.

        Raises:
            ConfigError: when a consensus is to score in another precision than float32.
            ValueError: for an unknown precision.
        """
        if self.member_guards is None:
            return ImageInferer(precision)
        return ConsensusInferer(self.member_guards, precision=precision)

    @cached_property
    def preprocessing(self) -> Preprocessing:
        """From a file to what the detector sees."""
        return self.preprocessing_within(None)

    def preprocessing_within(self, decode_limit: float | None) -> Preprocessing:
        """Return the preprocessing for files that nobody vouches for.

        Args:
            decode_limit: seconds of computing for a file, in a process of its own; None is without.

        Raises:
            CheckpointError: for settings that this version does not take.
        """
        settings = self.spec["preprocessing"]
        try:
            preprocessing = Preprocessing(**settings)
        except (TypeError, ValueError) as error:
            raise CheckpointError(
                f"the preprocessing of the checkpoint '{self.path}' cannot be made ({error}): name a checkpoint that "
                "this version trained."
            ) from error
        return preprocessing if decode_limit is None else Preprocessing(**settings, decode_limit=decode_limit)

    @cached_property
    def detector(self) -> Detector:
        """The detector with its weights, in evaluation mode, on the CPU; before any training with initial ones."""
        if self._program is not None:
            channels, size, _ = self._content["image_shape"]
            return ExportedDetector(size, channels, self._program()).eval()
        detector = make_detector(self.spec)
        if self.is_trained:
            self._load_into(detector)
        return detector.eval()

    def _load_into(self, detector: Detector) -> None:
        """Hand the weights over, wholly or not at all; the detector holds them from then on."""
        try:
            detector.load_state_dict(self._content["model"])
        except (AttributeError, KeyError, RuntimeError, TypeError) as error:  # also of what holds no tensors
            reason = (str(error).splitlines() or [""])[-1].strip()[:200]
            raise CheckpointError(
                f"the checkpoint '{self.path}' is of another architecture than its own settings say ({reason}): train "
                "again with this version."
            ) from error
        del self._content["model"]

    @property
    def score_statistics(self) -> dict[str, Tensor]:
        """Mean and deviation of the normals' raw scores, ``(R,)`` each; empty where the score is not standardized."""
        if self.is_exported:
            return dict(self._content["score_statistics"])
        names = ("score_mean", "score_std")
        return {name: value for name, value in self.detector.named_buffers() if name in names}

    @property
    def description(self) -> dict[str, Any]:
        """What is to be said of its network: where weights come from that the training took over, and their number."""
        if self.is_exported:
            return {**self._content["description"], "program": f"an export, {Path(self.path).suffix}"}
        parts = {name: getattr(module, "origin", None) for name, module in self.detector.named_modules()}
        origins = {name: origin for name, origin in parts.items() if isinstance(origin, str)}
        return {**origins, "parameters": sum(p.numel() for p in self.detector.parameters())}

    def identity(self) -> DetectorIdentity:
        """Say which detector this is, for a calibration.

        Raises:
            CheckpointError: before any training.
        """
        self.require_trained()
        return DetectorIdentity(self.model_hash, self.spec_hash, self.fingerprints, self.chosen_by)

    def require_data(self) -> None:
        """Refuse a checkpoint that does not say how its data were read and split.

        Raises:
            CheckpointError: naming what is missing.
        """
        missing = [key for key in ("frames", "split_seed", "split_shares") if key not in self.spec.get("data", {})]
        if missing:
            raise CheckpointError(
                f"the checkpoint '{self.path}' does not say what its data were (it has no {', '.join(missing)}): "
                "name a checkpoint that a bundle trained."
            )

    def require_trained(self) -> None:
        """Refuse to go on without weights.

        Raises:
            CheckpointError: before any training.
        """
        if not self.is_trained:
            require_checkpoint(self.path)


def open_detector(checkpoint: str | os.PathLike[str], bundle_root: str | os.PathLike[str]) -> TrainedDetector:
    """Read the detector that a bundle trained; before any training, give its settings, so that they can be looked at.

    Evaluation, calibration and inference build the network and its preprocessing from it, so neither can differ from
    the training's. Without weights a run ends when it starts.

    Args:
        checkpoint: a ``model.pt`` or ``checkpoint.pt``, which need not exist.
        bundle_root: the bundle's folder, whose ``train.json`` has the settings.

    Raises:
        CheckpointError: when the checkpoint is damaged, not of this package, or of another bundle's detector.
    """
    parser = ConfigParser()
    checkpoint = os.path.expanduser(checkpoint)
    config = Path(bundle_root).expanduser() / "configs" / "train.json"
    if not os.path.isfile(checkpoint):
        if not config.is_file():  # nothing says how the detector would be made
            require_checkpoint(checkpoint)
        parser.read_config(config)
        parser["bundle_root"] = os.fspath(bundle_root)
        return TrainedDetector(checkpoint, {"spec": parser.get_parsed_content("spec")}, "")
    trained = TrainedDetector.read(checkpoint)
    if config.is_file():
        expected, there = ConfigParser.load_config_file(config)["spec"]["detector"], trained.spec.get("detector")
        if there != expected:
            raise CheckpointError(
                f"the checkpoint '{trained.path}' is of a {there} and this bundle's network is a {expected}: name a "
                "checkpoint that this bundle made."
            )
    trained.require_data()
    return trained
