# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

"""All that is said of one scored image or cine, and the one place where it is decided."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Protocol, TypeVar

import numpy as np
import numpy.typing as npt
import torch
from PIL import Image

from monai_anomaly.calibration.calibration import Calibration
from monai_anomaly.calibration.decision import decide
from monai_anomaly.data.errors import ImageReadError
from monai_anomaly.data.picture_facts import PICTURE_FACTS
from monai_anomaly.data.sets.input_digest import INPUT_DIGEST
from monai_anomaly.report.overlay import draw_overlay
from monai_anomaly.scoring.study import Study
from monai_anomaly.transforms.source_map import map_on_source
from monai_anomaly.utils.identity import site_hash

__all__ = ["Origin", "Result", "judge", "result_of"]

_T = TypeVar("_T")


class Origin(Protocol):
    """Where a result came from, asked only for what costs something."""

    def picture(self, frame: int | None) -> npt.NDArray[np.float32]:
        """Return the stored frame as a viewer shows it, ``(C, rows, columns)`` in [0, 1]."""

    def reconstruct(self, image: npt.NDArray[np.float32]) -> npt.NDArray[np.float32] | None:
        """Return what the method expected in place of ``(C, H, W)``; None where it expects none."""


@dataclass(frozen=True, kw_only=True, repr=False)
class Result:
    """All that is said of one input: a file, or a picture in memory.

    Args:
        name: what the input is called in results; not shown when it is printed.
        status: ``"scored"``, ``"rejected"`` (the reader refused it) or ``"failed"`` (it was read, but the network
            raised, or its score or map is not finite).
        score: the image score, higher is more anomalous; of a cine its frames' scores, aggregated. None without one.
        p_value: how often normals score as high, in (0, 1]; None without a calibration.
        decision: ``"normal"``, ``"anomalous"``, ``"not_applicable"`` (the input guard says that the method was never
            shown such an image: score and p-value are not to be trusted), ``"uncalibrated"``; None without a score.
        decision_reason: why, one sentence.
        threshold: the score from which on an image is called anomalous; None without a calibration.
        false_alarm_rate: the share of normal images for which that is promised not to be exceeded.
        map_range: the map values of the first and the last color, the same for all images of a detector.
        code: short reason why there is no score, e.g. ``"truncated"``.
        reason: the same as a sentence.
        frame: the frame that map and image are of, the one with the highest score; None where it is unknown.
        frames: all frames that were scored; None for a single one.
        frame_scores: their scores.
        warnings: what the reader had to assume; None for nothing.
        source_shape: rows and columns of the stored frame; None where it was not read.
        box: ``(x0, y0, x1, y1)``, half open: the part of the stored frame that the network saw.
        input_digest: of the bytes of the file that was scored: their HMAC-SHA256 with this site's key. None where there
            is no file, or it could not be read.
        facts: size, color and gray values of the part that the network saw; see
            :func:`monai_anomaly.data.picture_facts.picture_facts`. None where it was not read.
        device: keyed hash of the device that made it, of a DICOM file; None where it is not known.
        patient: keyed hash of the patient, of the header, else of what the data list says; None where it is not known.
        members: of a consensus, each member's score in deviations of held-out normals, by its name; None of one that
            does not count. Of a cine, those of the frame that is shown. None of any other detector.
        left_out: of a consensus, why a member does not apply, by its name.
        anomaly_map: float32 ``(H, W)``, of the network's size; its mean is its frame's score. None without a score.
        image: what the network saw, float32 ``(C, H, W)``, its intensity normalized.
        origin: gives picture and reconstruction when they are asked for; does not travel with a copy of the result.
    """

    name: str
    status: str
    score: float | None = None
    p_value: float | None = None
    decision: str | None = None
    decision_reason: str | None = None
    threshold: float | None = None
    false_alarm_rate: float | None = None
    map_range: tuple[float, float] | None = None
    code: str | None = None
    reason: str | None = None
    frame: int | None = None
    frames: tuple[int, ...] | None = None
    frame_scores: tuple[float, ...] | None = None
    warnings: str | None = None
    source_shape: tuple[int, int] | None = None
    box: tuple[int, int, int, int] | None = None
    input_digest: str | None = None
    facts: Mapping[str, float] | None = None
    device: str | None = None
    patient: str | None = None
    members: Mapping[str, float | None] | None = None
    left_out: Mapping[str, str] | None = None
    anomaly_map: npt.NDArray[np.float32] | None = field(default=None, compare=False)
    image: npt.NDArray[np.float32] | None = field(default=None, compare=False)
    origin: Origin | None = field(default=None, compare=False)

    def __repr__(self) -> str:
        """Return what a person wants to see of it, without its name, which may be a patient's."""
        if self.score is None:
            return f"Result({self.status}: {self.code}: {self.reason})"
        p_value = "" if self.p_value is None else f", p-value {self.p_value:.3g}"
        return f"Result({self.decision}, score {self.score:.6g}{p_value})"

    def __str__(self) -> str:
        """Return the same with the decision's reason."""
        return f"{self!r}: {self.decision_reason}" if self.decision_reason else repr(self)

    def __getstate__(self) -> dict[str, Any]:
        """Return all but the origin, which holds the detector."""
        return {**self.__dict__, "origin": None}

    @property
    def map_on_source(self) -> npt.NDArray[np.float32]:
        """The map at the size of the stored frame, float32 ``(rows, columns)``, NaN where the network saw nothing.

        Raises:
            ValueError: without a score there is no map.
        """
        return map_on_source(self._scored(self.anomaly_map), self._scored(self.source_shape), self._scored(self.box))

    @property
    def picture(self) -> npt.NDArray[np.float32]:
        """The stored frame as a viewer shows it, read again: float32 ``(C, rows, columns)`` in [0, 1].

        Raises:
            ImageReadError: when the file has gone since.
            ValueError: without a score, or after pickling.
        """
        self._scored(self.image)
        return self._require_origin().picture(self.frame)

    @cached_property
    def reconstruction(self) -> npt.NDArray[np.float32] | None:
        """What the method expected in place of ``image``, in its size and values; None where it expects none.

        It is computed when it is asked for first.

        Raises:
            ValueError: without a score, or after pickling.
        """
        return self._require_origin().reconstruct(self._scored(self.image))

    def overlay(self) -> Image.Image:
        """Return the stored frame with the map over it, on the detector's scale; see :func:`.draw_overlay`.

        Raises:
            ImageReadError: when the file has gone since.
            ValueError: without a score, or after pickling.
        """
        return Image.fromarray(draw_overlay(self.picture, self.map_on_source, self._scored(self.map_range)))

    def require_score(self, where: str = "") -> float:
        """Return the score.

        Args:
            where: begins the error's sentence.

        Raises:
            ImageReadError: when it was rejected.
            RuntimeError: when the network failed on it.
        """
        if self.score is not None:
            return self.score
        if self.status == "rejected" and self.code is not None:
            raise ImageReadError(self.code, f"{where}{self.reason}")
        raise RuntimeError(f"{where}{self.reason}")

    def _scored(self, value: _T | None) -> _T:
        if value is None:
            raise ValueError(f"there is no score, map or picture, as the image was {self.status}: {self.reason}")
        return value

    def _require_origin(self) -> Origin:
        if self.origin is None:
            raise ValueError("picture and reconstruction are with the result that the detector gave; this is a copy.")
        return self.origin

    def record(self) -> dict[str, Any]:
        """Return the line of ``records.jsonl``: plain values, no pixels; who writes a picture puts its path there."""
        return {
            "image": self.name,
            "status": self.status,
            "score": self.score,
            "p_value": self.p_value,
            "decision": self.decision,
            "decision_reason": self.decision_reason,
            "threshold": self.threshold,
            "false_alarm_rate": self.false_alarm_rate,
            "map": None,
            "overlay": None,
            "overlay_shape": None,
            "map_range": _list(self.map_range),
            "code": self.code,
            "reason": self.reason,
            "frame": self.frame,
            "frames": _list(self.frames),
            "frame_scores": _list(self.frame_scores),
            "warnings": self.warnings,
            "source_shape": _list(self.source_shape),
            "box": _list(self.box),
            "input_digest": self.input_digest,
            "facts": None if self.facts is None else dict(self.facts),
            "device": self.device,
            "patient": self.patient,
            "members": None if self.members is None else dict(self.members),
            "left_out": None if self.left_out is None else dict(self.left_out),
            "map_digest": None,
            "overlay_digest": None,
        }


def judge(
    study: Study, *, calibration: Calibration | None, alpha: float, aggregate: str, map_range: tuple[float, float]
) -> Result:
    """Say what there is to say of one input whose frames are all scored, or not to be scored.

    Args:
        study: the frames.
        calibration: of the detector that scored them; None leaves the score uncalibrated.
        alpha: the false-alarm rate of the decision.
        aggregate: how the frames' scores make one; see :func:`monai_anomaly.metrics.study_score.aggregate`.
        map_range: the map values of the first and the last color.

    Raises:
        CalibrationError: when the calibration has too few patients for `alpha`.
    """
    top, several = study.top, len(study.frames) > 1
    shown = int(top.get("frame", -1))
    rows, columns = (int(n) for n in top.get("source_shape", (0, 0)))
    x0, y0, x1, y1 = (int(n) for n in top.get("box", (0, 0, 0, 0)))
    known: dict[str, Any] = {
        "name": study.name,
        "frame": shown if shown >= 0 else None,
        "frames": tuple(frame.index for frame in study.frames) if several else None,
        "warnings": top.get("warnings") or None,
        "source_shape": (rows, columns) if rows else None,
        "box": (x0, y0, x1, y1) if rows else None,
        "facts": {key: float(top[key]) for key in PICTURE_FACTS if key in top} if rows else None,
        "device": str(top.get("device_hash") or "") or None,
        "patient": _patient(top),
        "members": top.get("members"),
        "left_out": top.get("left_out"),
    }
    digest, problem = str(top.get(INPUT_DIGEST) or "") or None, study.problem
    if problem is not None:
        bytes_read = digest if problem.status == "failed" else None
        return Result(**known, status=problem.status, code=problem.code, reason=study.reason, input_digest=bytes_read)
    score = study.score(aggregate)
    decided = decide(score, calibration, alpha, refusal=study.refusal)
    return Result(
        **known,
        status="scored",
        score=score,
        p_value=decided.p_value,
        decision=decided.decision,
        decision_reason=decided.reason,
        threshold=decided.threshold,
        false_alarm_rate=decided.false_alarm_rate,
        map_range=map_range,
        frame_scores=tuple(frame.score for frame in study.frames) if several else None,
        input_digest=digest,
        anomaly_map=_pixels(top["pred"])[0],
        image=_pixels(top["image"]),
    )


def _patient(item: Mapping[str, Any]) -> str | None:
    """Return a keyed hash of an item's patient; what a data list says may be a name."""
    known, group = str(item.get("patient_hash") or ""), str(item.get("group") or "")
    return known or (site_hash("patient")(group) if group else None)


def result_of(record: Mapping[str, Any], *, image: torch.Tensor, anomaly_map: torch.Tensor) -> Result:
    """Return the result that a record was made of.

    Args:
        record: of a scored input, as :meth:`Result.record` gives it.
        image: ``(C, H, W)``, as the network saw it.
        anomaly_map: ``(1, H, W)``.
    """
    lists = ("map_range", "frames", "frame_scores", "source_shape", "box")
    known = {key: value for key, value in record.items() if key in Result.__dataclass_fields__ and key != "image"}
    known |= {key: None if record[key] is None else tuple(record[key]) for key in lists}
    return Result(**known, name=record["image"], image=_pixels(image), anomaly_map=_pixels(anomaly_map)[0])


def _pixels(value: Any) -> npt.NDArray[np.float32]:
    """Copy pixels to the CPU: an item is a view of its whole batch."""
    tensor: torch.Tensor = torch.as_tensor(value)
    return np.array(tensor.detach().float().cpu().numpy())


def _list(values: Sequence[Any] | None) -> list[Any] | None:
    return None if values is None else list(values)
