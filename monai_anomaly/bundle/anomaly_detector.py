# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

"""A trained detector for programs: a picture in, a result out."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from itertools import islice
from typing import Any, overload

import numpy as np
import numpy.typing as npt
import torch
from PIL.Image import Image
from pydicom import Dataset
from tqdm.auto import tqdm

from monai_anomaly.bundle.picture_items import Pictures, expand_items, picture_items, single_picture
from monai_anomaly.bundle.trained_detector import TrainedDetector
from monai_anomaly.calibration.calibration import Calibration
from monai_anomaly.data.sets.input_digest import InputDigests
from monai_anomaly.data.sets.records import read_records
from monai_anomaly.engines.consensus_inferer import ConsensusInferer
from monai_anomaly.engines.evaluator import FORWARD_ERROR, describe_failure
from monai_anomaly.guard.input_guard import InputGuard
from monai_anomaly.guard.member_guards import JointGuard
from monai_anomaly.scoring.audit_trail import AuditTrail
from monai_anomaly.scoring.guarding import check_frames
from monai_anomaly.scoring.result import Result, judge
from monai_anomaly.scoring.study import StudyCollector
from monai_anomaly.transforms.score import ScoreFromMap
from monai_anomaly.utils.exceptions import CalibrationError
from monai_anomaly.utils.identity import site_hash

__all__ = ["AnomalyDetector"]

PathLike = str | os.PathLike[str]
Picture = npt.NDArray[Any] | torch.Tensor | Image | Dataset


class AnomalyDetector:
    """A trained detector that says how anomalous a picture is; :func:`~monai_anomaly.bundle.loading.load` makes one.

    It may be used from several threads at once. On the CPU an image has the same score, bit for bit, alone, in any
    batch, from any thread and in a bundle's inference, under the same number of PyTorch's threads.

    Args:
        trained: the detector as its training left it.
        calibration: what its scores mean, of this very detector; None leaves them ``uncalibrated``.
        false_alarm_rate: of the decisions, in (0, 1).
        guard: says which images it was never shown the like of; None asks nobody.
        device: where it runs; None takes the GPU where there is one.
        frames: which frames of a cine are scored.
        aggregate: how frames' scores make a cine's.
        batch_size: frames that are read before they are scored together.
        decode_limit: seconds of computing for a file, in a process of its own; None decodes in this one.
        audit: the audit log, which has a result before it is returned, its name hashed; None keeps none.

    Attributes:
        threshold: the score from which on an image is called anomalous; None without a calibration.

    Raises:
        CalibrationError: when the calibration has too few patients for the false-alarm rate.
        CheckpointError: without weights.
        ValueError: for a batch size below 1.
    """

    def __init__(
        self,
        trained: TrainedDetector,
        *,
        calibration: Calibration | None,
        false_alarm_rate: float,
        guard: InputGuard | JointGuard | None,
        device: str | torch.device | None,
        frames: str,
        aggregate: str,
        batch_size: int,
        decode_limit: float | None,
        audit: AuditTrail | None = None,
    ) -> None:
        if isinstance(batch_size, bool) or not isinstance(batch_size, int) or batch_size < 1:
            raise ValueError(f"batch_size must be a positive whole number, got {batch_size!r}.")
        trained.require_trained()
        self.trained = trained
        self.calibration = calibration
        self.false_alarm_rate = false_alarm_rate
        self.guard = guard
        self.device = torch.device(device or ("cuda" if torch.cuda.is_available() else "cpu"))
        self.frames = frames
        self.aggregate = aggregate
        self.batch_size = batch_size
        self.audit = audit
        self.threshold = None if calibration is None else calibration.require_rate(false_alarm_rate)
        self.map_range = trained.map_range
        # as the bundles' configurations have it; all that is made late is made here, before there are threads
        self._network = trained.detector.to(device=self.device).to(memory_format=torch.channels_last)
        self._preprocessing = trained.preprocessing_within(decode_limit)
        self._inferer = trained.inferer
        self._score = ScoreFromMap()
        self._digests = InputDigests()

    def __repr__(self) -> str:
        """Return what it is and how it decides."""
        method = self.trained.spec["detector"]
        how = (
            "uncalibrated"
            if self.threshold is None
            else f"anomalous from {self.threshold:.6g} on, {100 * self.false_alarm_rate:g} % false alarms"
        )
        return f"AnomalyDetector({method}, {how}, {'no input guard' if self.guard is None else 'input guard'})"

    # ---- one picture, or many ----------------------------------------------------------------------------------------

    @overload
    def score(  # type: ignore[overload-overlap]  # all but the image are iterable, too
        self, x: Picture, *, value_range: tuple[float, float] | None = None
    ) -> Result: ...

    @overload
    def score(self, x: PathLike, *, progress: bool | None = None) -> Any: ...

    @overload
    def score(
        self, x: Iterable[Any], *, value_range: tuple[float, float] | None = None, progress: bool | None = None
    ) -> Iterator[Result]: ...

    def score(
        self, x: Any, *, value_range: tuple[float, float] | None = None, progress: bool | None = None
    ) -> Result | Iterator[Result]:
        """Score a picture, or many.

        One picture (the path of a file, an array or tensor ``(H, W)`` or ``(C, H, W)`` with C 1 or 3, an image of
        Pillow, a ``Dataset`` of pydicom) gives its result, or the error that it was rejected with.

        Many (a folder, or a list, tuple or any other iterable of such pictures) give an iterator of one result for
        each, in order, that reads `batch_size` of them at a time. There, a picture that cannot be read has the status
        ``rejected``, as in a bundle's inference, and the others go on. Of a folder they are the pictures that the
        bundle's inference takes from it, named by their paths in it.

        Args:
            x: what to score.
            value_range: the values of an array that are black and white; None takes those of its type (bool, uint8 and
                uint16 have them, and no other).
            progress: show a bar for many pictures; None shows it in a terminal.

        Raises:
            ImageReadError: when the one picture cannot be read.
            DataListError: when a folder holds no picture, or a list that makes no sense.
            TypeError: for something that is no picture.
            ValueError: for a range of values that is none.
        """
        if single_picture(x):
            return self._score_one(x, value_range)
        pictures = picture_items(x, self._preprocessing, self.frames, value_range)
        return self._with_bar(pictures, progress)

    def score_items(self, items: Iterable[dict[str, Any]], *, ahead: bool = False) -> Iterator[Result]:
        """Yield the result of each item of a data list, in order, ``batch_size`` frames at a time.

        Args:
            items: as :func:`~monai_anomaly.data.lists.datalist.load_datalist` gives them: ``image`` (path), ``name``
                and possibly ``frame`` or ``frames``.
            ahead: ask for all items of a batch before the first of them is read, so that a file is decoded while the
                one before it is preprocessed; without it each is read before the next is asked for.
        """
        return self._results(expand_items(items, self._preprocessing, self.frames), ahead=ahead)

    def keep_pictures(self, max_bytes: int) -> None:
        """Keep decoded files from now on, so that :attr:`.Result.picture` reads none again when it is asked for first.

        Args:
            max_bytes: of the pixels of all that are kept; the newest are.
        """
        self._preprocessing.reader.keep_pictures(max_bytes)

    def score_samples(
        self, x: Iterable[Any], *, value_range: tuple[float, float] | None = None
    ) -> npt.NDArray[np.float64]:
        """Return minus the scores, as scikit-learn has it: the higher, the more normal.

        Args:
            x: N pictures: as in :meth:`score`, or an array or tensor whose first axis counts them.
            value_range: as in :meth:`score`.

        Returns:
            float64 ``(N,)``.

        Raises:
            ImageReadError: when one of them cannot be read; names its place.
            RuntimeError: when the network fails on one.
        """
        return np.asarray([-result.require_score() for result in self._all_scored(x, value_range)], np.float64)

    def predict(self, x: Iterable[Any], *, value_range: tuple[float, float] | None = None) -> npt.NDArray[np.int64]:
        """Return 1 for inliers and -1 for outliers, as scikit-learn has it, by the calibrated threshold.

        An image that is ``not_applicable`` is -1: it is like none of the training normals.

        Args:
            x: as in :meth:`score_samples`.
            value_range: as in :meth:`score`.

        Returns:
            int64 ``(N,)``.

        Raises:
            CalibrationError: without a calibration.
            ImageReadError: as in :meth:`score_samples`.
            RuntimeError: as in :meth:`score_samples`.
        """
        if self.calibration is None:
            raise CalibrationError(
                "predict needs a calibration: run calibrate with this checkpoint, or use score_samples."
            )
        results = self._all_scored(x, value_range)
        return np.asarray([1 if result.decision == "normal" else -1 for result in results], np.int64)

    # ---- how ---------------------------------------------------------------------------------------------------------

    def _score_one(self, x: Any, value_range: tuple[float, float] | None) -> Result:
        pictures = picture_items([x], self._preprocessing, self.frames, value_range, strict=True)
        (result,) = self._results(pictures.items, strict=True)
        result.require_score()
        return result

    def _all_scored(self, x: Any, value_range: tuple[float, float] | None) -> Iterator[Result]:
        if isinstance(x, (np.ndarray, torch.Tensor)):
            x = list(x)
        elif single_picture(x):
            raise TypeError("samples are many: give a list of pictures, a folder, or an array of them.")
        pictures = picture_items(x, self._preprocessing, self.frames, value_range)
        for number, result in enumerate(self._results(pictures.items, ahead=pictures.ahead)):
            result.require_score(f"sample {number}: ")
            yield result

    def _with_bar(self, pictures: Pictures, progress: bool | None) -> Iterator[Result]:
        disable = None if progress is None else not progress
        with tqdm(total=pictures.total, desc="scoring", unit="image", disable=disable) as bar:
            for result in self._results(pictures.items, ahead=pictures.ahead):
                bar.update()
                yield result

    def _results(
        self, items: Iterator[dict[str, Any]], *, ahead: bool = False, strict: bool = False
    ) -> Iterator[Result]:
        """Yield a result for each study of items that are to be read."""
        collector = StudyCollector()
        rules: dict[str, Any] = {"alpha": self.false_alarm_rate, "aggregate": self.aggregate}
        while batch := self._read(islice(items, self.batch_size), ahead):
            self._map(batch, strict)
            for item, refusal in zip(batch, check_frames(self.guard, batch), strict=True):
                study = collector.add(item, refusal)
                if study is not None:
                    result = judge(study, calibration=self.calibration, map_range=self.map_range, **rules)
                    self._log(result)
                    yield replace(result, origin=_Origin(self, study.top["origin"]))

    def _log(self, result: Result) -> None:
        """Write a result to the audit log; its name is a path, which is hashed."""
        if self.audit is not None:
            self.audit.add({**result.record(), "image": site_hash("file")(result.name)}, self.calibration)

    def _read(self, items: Iterator[dict[str, Any]], ahead: bool) -> list[dict[str, Any]]:
        """Return the records of a batch."""
        if not ahead:
            return [record for item in items for record in self._read_known([item])]
        return self._read_known(list(items))

    def _read_known(self, items: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
        rejected = [item.get("status") == "rejected" for item in items]
        good = [item for item, bad in zip(items, rejected, strict=True) if not bad]
        read = iter(read_records(good, self._preprocessing, self._preprocessing.image_shape, self._digests))
        return [item if bad else next(read) for item, bad in zip(items, rejected, strict=True)]

    def _map(self, batch: Sequence[dict[str, Any]], strict: bool) -> None:
        """Put map, score and, where the network raised, its error into the items that were read."""
        read = [item for item in batch if item["status"] == "ok"]
        if not read:
            return
        images = torch.stack([item["image"] for item in read])
        maps, errors = self._forward(images, strict)
        for item, anomaly_map, error in zip(read, maps, errors, strict=True):
            item.update({"pred": anomaly_map, "score": self._score(anomaly_map), FORWARD_ERROR: error})
            if isinstance(self._inferer, ConsensusInferer) and not error:
                item.update(vars(self._inferer.said(item["image"], self._network)))  # type: ignore[arg-type]

    def _forward(self, images: torch.Tensor, strict: bool) -> tuple[torch.Tensor, list[str]]:
        """Return maps ``(B, 1, H, W)`` on the CPU, NaN where the network raised, and why it did."""
        try:
            with torch.inference_mode():
                maps = self._inferer(images.to(self.device), self._network)
            return maps.float().cpu(), [""] * len(images)
        except Exception as error:
            if strict:
                raise
            if len(images) == 1:
                return torch.full_like(images[:, :1], torch.nan), [describe_failure(error)]
        parts = [self._forward(image[None], strict) for image in images]
        return torch.cat([maps for maps, _ in parts]), [error for _, errors in parts for error in errors]

    def _reconstruct(self, image: npt.NDArray[np.float32]) -> npt.NDArray[np.float32] | None:
        reconstruct: Any = getattr(self._network, "reconstruct", None)
        if reconstruct is None:
            return None
        with torch.inference_mode():
            made: torch.Tensor = reconstruct(torch.from_numpy(image)[None].to(self.device))[0]
            return made.float().cpu().numpy()


class _Origin:
    """The picture that a result is of, and the detector that gave it."""

    def __init__(self, detector: AnomalyDetector, picture: Any) -> None:
        self._detector, self._picture = detector, picture

    def picture(self, frame: int | None) -> npt.NDArray[np.float32]:
        """Read the picture again."""
        return self._detector._preprocessing.reader.read_again(self._picture, frame).pixels

    def reconstruct(self, image: npt.NDArray[np.float32]) -> npt.NDArray[np.float32] | None:
        """Ask the network."""
        return self._detector._reconstruct(image)
