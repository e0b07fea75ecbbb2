# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

"""What MONAI Label's app for bundles would score wrongly, as far as it can be told."""

from __future__ import annotations

import os
from typing import Any

from monai_anomaly.data.decoding.open_file import tell_kind
from monai_anomaly.data.frame_rule import select_frames
from monai_anomaly.utils.exceptions import ConfigError

__all__ = ["refuse_converted", "refuse_frames", "refuse_other_weights"]

WEIGHTS = "model.pt"


def refuse_other_weights(chosen: Any) -> None:
    """Refuse weights that the bundle's calibration, guard and range of maps are not of.

    Args:
        chosen: the file that a request names, or the list of what there is.

    Raises:
        ConfigError: for another file than ``model.pt``.
    """
    name = chosen[0] if isinstance(chosen, (list, tuple)) and chosen else chosen
    if name and name != WEIGHTS:
        raise ConfigError(
            f"model_filename must be {WEIGHTS}, which calibration and input guard are of; replace that file to use "
            "other weights."
        )


def refuse_converted(path: str) -> None:
    """Refuse what MONAI Label made of a DICOM file that it took from a DICOMweb server.

    The conversion leaves out window, polarity and region, and has the samples of a color for a third axis, so that a
    score of it is not the score of the DICOM file. Its files cannot be told from other NIfTI files, but a server that
    works on DICOMweb can: MONAI Label says in the environment what it works on.

    Raises:
        ConfigError: for a NIfTI file in such a server.
    """
    studies = os.environ.get("MONAI_LABEL_STUDIES", "").lower()
    if studies.startswith(("http://", "https://")) and tell_kind(path) == "nifti":
        raise ConfigError(
            "MONAI Label made this NIfTI file of a DICOM file, which changes scores: use the app of monai_anomaly "
            "(monai-anomaly label-app DIR), which takes the DICOM file itself."
        )


def refuse_frames(count: int, rule: str, frame: int | None) -> None:
    """Refuse a cine whose score is of other frames than the one that MONAI Label's app hands over.

    Args:
        count: frames of the file.
        rule: which of them the detector scores.
        frame: the one that was scored.

    Raises:
        ConfigError: when that is not all that the rule takes.
    """
    wanted = list(select_frames(rule, count))
    if count > 1 and wanted != [frame]:
        raise ConfigError(
            f"the file has {count} frames, of which this detector's score takes {len(wanted)} by the rule '{rule}', "
            f"and MONAI Label's app for bundles hands over frame {frame} alone: use the app of monai_anomaly "
            "(monai-anomaly label-app DIR)."
        )
