# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

"""Held-out normals beside a pool of images that nobody has labelled."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from os import PathLike
from typing import Any

from monai_anomaly.data.datalist import load_datalist
from monai_anomaly.data.errors import DataListError

__all__ = ["UNLABELLED", "with_pool"]

UNLABELLED = -1
"""The label of an image that has none."""

logger = logging.getLogger(__name__)


def with_pool(
    validation: Sequence[Mapping[str, Any]], pool_dir: PathLike[str] | str | None, *, source_names: bool = False
) -> list[dict[str, Any]]:
    """Returns the normal images of a validation section, then the images of the pool with the label -1.

    No label but normal is looked at: abnormal validation images are left out, and what a list in the pool's folder says
    of its images is dropped.

    Args:
        validation: items of the validation section.
        pool_dir: folder of the pool: any files, or a data set with an ``inference`` section (else its test section).
        source_names: name files as they are called.

    Raises:
        DataListError: without a pool, or without a normal validation image.
    """
    if pool_dir is None:
        raise DataListError(
            "there is no pool to choose a checkpoint by; give --pool_dir, a folder of unlabelled images such as the "
            "site's next ones."
        )
    normals = [dict(item) for item in validation if item["label"] == 0]
    if not normals:
        raise DataListError("the validation section has no normal images, which the pool is compared with; add some.")
    if len(normals) < len(validation):
        logger.warning("%d abnormal validation images are left out: a pool is used.", len(validation) - len(normals))
    pool = load_datalist(pool_dir, "inference", source_names=source_names)
    unlabelled = [{**item, "label": UNLABELLED, "index": len(validation) + item["index"]} for item in pool]
    return normals + unlabelled
