# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

"""What the scores of a trained detector mean: the scores of held-out normals, and the file they are kept in."""

from __future__ import annotations

import math
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt

from monai_anomaly.calibration.calibration_file import FORMAT, VERSION, checksum, read_content, write_content
from monai_anomaly.calibration.conformal import (
    check_rate,
    p_value_steps,
    patients_needed,
    smallest_rate,
    step_threshold,
)
from monai_anomaly.data.frame_rule import check_frame_rule
from monai_anomaly.metrics.study_score import check_aggregate
from monai_anomaly.utils.exceptions import CalibrationError

__all__ = ["RATES", "Calibration"]

RATES = (0.01, 0.05, 0.1)
"""False-alarm rates whose thresholds are written into the file; any other one is computed on demand."""

LEAST_PATIENTS = 2
_HEX = frozenset("0123456789abcdef")


@dataclass(frozen=True)
class Calibration:
    """The scores of held-out normals, and of which detector they are.

    It is immutable, checked when it is made, and does not depend on the order of the scores.

    Args:
        scores: of N normal images (studies, where several frames make a score), finite; kept rising.
        groups: the patient of each: any words or numbers; kept as numbers from 0.
        model_hash: SHA-256 of the checkpoint's file, 64 hexadecimal digits.
        spec_hash: SHA-256 of how detector and preprocessing are made.
        data_hash: SHA-256 of the images, as the network got them, in any order.
        frames: the rule that took frames from a cine.
        aggregate: the rule that made one score of them.
        versions: of the packages that made the scores.
        date: when, in UTC, ISO 8601.
        counts: what else is to be known of the images, e.g. how many files could not be read.
        precision: that the network computed in.

    Raises:
        CalibrationError: for scores that cannot calibrate: fewer than two patients, or not finite.
        ValueError: for an unknown rule.
    """

    scores: tuple[float, ...]
    groups: tuple[Any, ...]
    model_hash: str
    spec_hash: str
    data_hash: str
    frames: str
    aggregate: str
    versions: Mapping[str, str] = field(default_factory=dict)
    date: str = ""
    counts: Mapping[str, int] = field(default_factory=dict)
    precision: str = "float32"

    def __post_init__(self) -> None:
        check_frame_rule(self.frames)
        check_aggregate(self.aggregate)
        for name in ("model_hash", "spec_hash", "data_hash"):
            value = getattr(self, name)
            if not (isinstance(value, str) and len(value) == 64 and set(value) <= _HEX):
                raise CalibrationError(f"{name} of a calibration must be 64 hexadecimal digits; run calibrate again.")
        scores, groups = _in_order(self.scores, self.groups)
        object.__setattr__(self, "scores", scores)
        object.__setattr__(self, "groups", groups)
        if self.n_patients < LEAST_PATIENTS:
            raise CalibrationError(
                f"a calibration needs held-out normals of at least {LEAST_PATIENTS} patients, and "
                f"{patients_needed(0.05)} for a false-alarm rate of 5 %; there are {self.n_images} images of "
                f"{self.n_patients}. Add normals."
            )

    @property
    def n_images(self) -> int:
        """How many normals were scored."""
        return len(self.scores)

    @property
    def n_patients(self) -> int:
        """Of how many patients they are."""
        return 1 + int(max(self.groups, default=-1))

    @cached_property
    def digest(self) -> str:
        """SHA-256 of its content, as its file has it under ``checksum``."""
        return checksum(self._content())

    @property
    def all_equal(self) -> bool:
        """Whether the detector gave every normal the same score: p-values are then 1 or 1/(K + 1)."""
        return self.scores[0] == self.scores[-1]

    @property
    def thresholds(self) -> dict[float, float | None]:
        """The thresholds at the usual false-alarm rates; None where there are too few patients."""
        return {alpha: self.threshold(alpha) for alpha in RATES}

    @cached_property
    def _steps(self) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
        return p_value_steps(self.scores, self.groups)

    def p_value(self, score: float) -> float:
        """Return the conformal p-value of a score, in (0, 1]; see :mod:`monai_anomaly.calibration.conformal`.

        Raises:
            ValueError: when the score is not finite.
        """
        return float(self.p_values([score])[0])

    def p_values(self, scores: npt.ArrayLike) -> npt.NDArray[np.float64]:
        """Return the p-values of scores ``(M,)``; as :meth:`p_value`."""
        asked = np.asarray(scores, dtype=np.float64)
        if not np.isfinite(asked).all():
            raise ValueError("a score that is not finite has no p-value.")
        values, p_values = self._steps
        return np.asarray(p_values[np.searchsorted(values, asked, side="left")])

    def threshold(self, alpha: float) -> float | None:
        """Return the threshold of a false-alarm rate; None where there are too few patients for it."""
        return step_threshold(alpha, *self._steps)

    def require_rate(self, alpha: float) -> float:
        """Return the threshold of a false-alarm rate.

        Raises:
            CalibrationError: where there are too few patients for it; names the smallest rate that there is.
        """
        threshold = self.threshold(alpha)
        if threshold is None:
            raise CalibrationError(
                f"a false-alarm rate of {check_rate(alpha):g} needs normals of {patients_needed(alpha)} patients and "
                f"this calibration has {self.n_patients}: the smallest rate that it supports is {self.least_rate:g}. "
                "Calibrate with more normals, or ask for that rate."
            )
        return threshold

    @property
    def least_rate(self) -> float:
        """The smallest false-alarm rate that the patients support, rounded up so that it can be typed."""
        return math.ceil(1e4 * smallest_rate(self.n_patients) - 1e-9) / 1e4

    def decide(self, score: float, alpha: float) -> str:
        """Return ``"normal"`` or ``"anomalous"``: whether the score's p-value is at most the false-alarm rate.

        Raises:
            CalibrationError: as in :meth:`require_rate`.
            ValueError: when the score is not finite.
        """
        self.require_rate(alpha)
        return "anomalous" if self.p_value(score) <= alpha else "normal"

    def require_match(
        self, model_hash: str, spec_hash: str, frames: str, aggregate: str, precision: str = "float32"
    ) -> None:
        """Refuse to be used for another detector, another preprocessing, another rule or another precision.

        Args:
            model_hash: of the checkpoint in use.
            spec_hash: of detector and preprocessing in use.
            frames: the frame rule in use.
            aggregate: the aggregation in use.
            precision: that the network in use computes in.

        Raises:
            CalibrationError: naming every difference.
        """
        differences = [
            f"{what} {got!r} there and {wanted!r} here"
            for what, got, wanted in (
                ("frames is", self.frames, frames),
                ("aggregate is", self.aggregate, aggregate),
                ("precision is", self.precision, precision),
            )
            if got != wanted
        ]
        if self.model_hash != model_hash:
            differences.insert(0, f"the weights are others ({self.model_hash[:8]} there, {model_hash[:8]} here)")
        if self.spec_hash != spec_hash:
            differences.insert(0, "the preprocessing or the network's settings are others")
        if differences:
            raise CalibrationError(
                f"the calibration does not belong to this run: {'; '.join(differences)}. Run calibrate with this "
                "checkpoint and these settings, or use those of the calibration."
            )

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write the calibration as JSON with a checksum, whole or not at all.

        Raises:
            OSError: when it cannot be written; what was at `path` is untouched.
        """
        write_content(path, self._content())

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> Calibration:
        """Read a calibration that :meth:`save` wrote.

        Raises:
            CalibrationError: when there is none, or the file was edited, cut short, or made by something else or by a
                later version.
        """
        return cls.from_content(read_content(os.fspath(path)), path)

    @classmethod
    def from_content(cls, content: Mapping[str, Any], path: str | os.PathLike[str]) -> Calibration:
        """Undo :meth:`content`.

        Args:
            content: with its checksum.
            path: the file that it is of, for messages.

        Raises:
            CalibrationError: when it was edited or is of something else.
        """
        name, content = os.fspath(path), dict(content)
        wanted = content.pop("checksum", None)
        try:
            if wanted != checksum(content):
                raise CalibrationError("its checksum is not that of its content")
            known = {k: content[k] for k in cls.__dataclass_fields__ if k != "precision" or k in content}
            calibration = cls(**{**known, "scores": tuple(known["scores"]), "groups": tuple(known["groups"])})
            if calibration._content() != content:
                raise CalibrationError("its numbers do not follow from its scores")
        except (CalibrationError, ValueError, TypeError, KeyError) as error:
            reason = error if isinstance(error, CalibrationError) else "its content is not that of a calibration"
            raise CalibrationError(
                f"the calibration '{name}' was edited, cut short or damaged ({str(reason).rstrip('.')}); run calibrate "
                "again."
            ) from None
        return calibration

    def content(self) -> dict[str, Any]:
        """All that its file has, with the checksum."""
        return {**self._content(), "checksum": self.digest}

    def _content(self) -> dict[str, Any]:
        """All that is written, in the order of reading: what a person looks for comes first."""
        return {
            "format": FORMAT,
            "version": VERSION,
            "date": self.date,
            "n_images": self.n_images,
            "n_patients": self.n_patients,
            "thresholds": {f"{alpha:g}": value for alpha, value in self.thresholds.items()},
            "frames": self.frames,
            "aggregate": self.aggregate,
            **({} if self.precision == "float32" else {"precision": self.precision}),  # as files of before have it
            "counts": dict(self.counts),
            "model_hash": self.model_hash,
            "spec_hash": self.spec_hash,
            "data_hash": self.data_hash,
            "versions": dict(self.versions),
            "scores": list(self.scores),
            "groups": list(self.groups),
        }


def _in_order(scores: Sequence[float], groups: Sequence[Any]) -> tuple[tuple[float, ...], tuple[int, ...]]:
    """Return rising scores, and patients numbered by their scores, so that any order gives the same file."""
    values = np.asarray(scores, dtype=np.float64) + 0.0
    bad = int(np.count_nonzero(~np.isfinite(values)))
    if bad:
        raise CalibrationError(f"{bad} of {len(values)} scores of normals are not finite; find out why first.")
    if len(values) != len(groups):
        raise CalibrationError(f"a calibration needs the patient of each of {len(values)} scores, got {len(groups)}.")
    patients: dict[Any, list[float]] = {}
    for value, group in zip(values.tolist(), groups, strict=True):
        patients.setdefault(group, []).append(value)
    by_scores = sorted(sorted(patient) for patient in patients.values())
    pairs = sorted((score, number) for number, patient in enumerate(by_scores) for score in patient)
    return tuple(score for score, _ in pairs), tuple(number for _, number in pairs)
