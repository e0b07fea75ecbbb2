# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

"""The frames of a study, put together again after they were scored one by one."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Any

import torch

from monai_anomaly.data.lists.frame_items import FRAMES_OF_STUDY
from monai_anomaly.data.sets.input_digest import INPUT_DIGEST
from monai_anomaly.engines.evaluator import FORWARD_ERROR
from monai_anomaly.metrics.study_score import aggregate

__all__ = ["Frame", "Study", "StudyCollector"]


@dataclass(frozen=True)
class Frame:
    """What became of one frame: its index in the file (-1 if unknown), its score, and why there is none."""

    index: int
    score: float
    status: str
    code: str = ""
    reason: str = ""


@dataclass
class Study:
    """One file of the data list and its frames in order; a still image has one.

    ``top`` is the item of the frame with the highest score, the only one whose pixels are kept; ``refusal`` is what the
    input guard says of the first frame that it refuses.
    """

    size: int
    top: dict[str, Any]
    frames: list[Frame] = field(default_factory=list)
    refusal: str = ""

    @property
    def name(self) -> str:
        """Name of the file in results."""
        return str(self.top["name"])

    @property
    def problem(self) -> Frame | None:
        """The first frame without a score: a study of which one frame is missing has no score either."""
        for status in ("rejected", "failed"):
            for frame in self.frames:
                if frame.status == status:
                    return frame
        return None

    @property
    def reason(self) -> str:
        """Why there is no score, with the frame where there are several."""
        problem = self.problem
        if problem is None:
            return ""
        where = f"frame {problem.index}: " if self.size > 1 and problem.index >= 0 else ""
        return where + problem.reason

    def score(self, rule: str) -> float:
        """Return the frames' scores, aggregated; see :func:`monai_anomaly.metrics.study_score.aggregate`."""
        return aggregate([frame.score for frame in self.frames], rule)

    def add(self, item: dict[str, Any], refusal: str = "") -> None:
        """Take the next frame, and why the method does not apply to it."""
        self.refusal = self.refusal or refusal
        frame = self._same_file(item, _judge(item))
        if not self.frames or frame.score > max(known.score for known in self.frames):
            self.top = item
        self.frames.append(frame)

    def _same_file(self, item: dict[str, Any], frame: Frame) -> Frame:
        """Return the frame, refused where its file had other bytes than it had for the frames before."""
        now, before = item.get(INPUT_DIGEST), self.top.get(INPUT_DIGEST)
        if not (now and before) or now == before:
            return frame
        text = "the file was changed while its frames were read; score it when it is whole."
        return Frame(frame.index, math.nan, "rejected", "inconsistent", text)


class StudyCollector:
    """Turns the stream of scored frames into studies; holds one study at a time.

    Items with ``study_frames`` N come in runs of N, as :func:`~monai_anomaly.data.lists.frame_items.expand_frames` has
    them.
    """

    def __init__(self) -> None:
        self._open: Study | None = None

    def add(self, item: dict[str, Any], refusal: str = "") -> Study | None:
        """Take a frame; return its study when it is complete.

        Args:
            item: the frame, with ``score`` and ``pred``.
            refusal: why the method does not apply to it, as :func:`~monai_anomaly.scoring.guarding.check_frames` says.

        Raises:
            RuntimeError: when frames of two studies are mixed.
        """
        study = self._open or Study(int(item.get(FRAMES_OF_STUDY, 1)), item)
        if str(item["name"]) != study.name:
            raise RuntimeError("the frames of two studies are mixed; do not shuffle the data of an evaluator.")
        study.add(item, refusal)
        self._open = study if len(study.frames) < study.size else None
        return None if self._open else study

    def require_complete(self) -> None:
        """Raise a RuntimeError when the stream ended within a study."""
        if self._open is not None:
            raise RuntimeError("the run ended within a study; go through the whole data set: no epoch_length.")


def _judge(item: dict[str, Any]) -> Frame:
    """Say whether a frame has a score that can be used."""
    index = int(item.get("frame", -1))
    if item.get("status", "ok") != "ok":
        return Frame(index, math.nan, "rejected", str(item["code"]), str(item["reason"]))
    if item.get(FORWARD_ERROR):
        return Frame(index, math.nan, "failed", "forward_error", item[FORWARD_ERROR])
    score = float(item["score"])
    if not (math.isfinite(score) and bool(torch.isfinite(torch.as_tensor(item["pred"])).all())):
        return Frame(index, score, "failed", "not_finite", "The network gave a map with values that are not finite.")
    return Frame(index, score, "scored")
