# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

"""A process that scores one file after the other: lines of JSON in, lines of JSON out.

``python -m monai_anomaly.apps.node.web.scoring.child`` reads the options of :func:`monai_anomaly.bundle.loading.load`
from its first line, and the path of a file from each further one.
"""

from __future__ import annotations

import json
import os
import sys
from typing import Any

from monai_anomaly.utils.exceptions import CalibrationError, CheckpointError, ConfigError

__all__ = ["main"]


def main() -> None:
    """Answer until the input ends."""
    answers = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)  # what a library prints is no answer

    def answer(**content: Any) -> None:
        answers.write(json.dumps(content, allow_nan=False) + "\n")
        answers.flush()

    from monai_anomaly.bundle.loading import load

    options = json.loads(sys.stdin.readline())
    try:
        detector = load(options.pop("checkpoint"), **options)
    except (CalibrationError, CheckpointError, ConfigError, ValueError) as error:
        return answer(problem=str(error))
    answer(ready=True)
    for line in sys.stdin:
        [result] = detector.score([json.loads(line)], progress=False)  # in a list a refusal is a result
        answer(record={**result.record(), "image": None})
    return None


if __name__ == "__main__":
    main()
