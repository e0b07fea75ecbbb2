# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

"""``python -m monai_anomaly.apps.acceptance.other_process``: scores what another process has scored.

It is told by its standard input, where no list of processes shows a path, and answers with one line: the scores of the
items for each number of threads.
"""

from __future__ import annotations

import json
import sys
from typing import Any

from monai_anomaly.utils.lean_import import hide_optional_packages

__all__ = ["score_again"]


def score_again(told: dict[str, Any]) -> list[list[float]]:
    """Return the scores of items, once for each number of threads.

    Args:
        told: ``opened`` (see :class:`~monai_anomaly.apps.acceptance.repeats.Opened`), ``threads`` and ``items``.
    """
    with hide_optional_packages():
        import monai.bundle  # noqa: F401

    import torch

    from monai_anomaly.bundle.loading import load

    options = dict(told["opened"])
    detector = load(options.pop("checkpoint"), **options)
    scores = []
    for threads in told["threads"]:
        torch.set_num_threads(threads)
        scores.append([result.require_score() for result in detector.score_items(told["items"])])
    return scores


if __name__ == "__main__":
    print(json.dumps(score_again(json.load(sys.stdin))))
