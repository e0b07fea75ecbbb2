# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

"""The folder that MONAI Label's server is pointed to: next to no code, so that an upgrade of the package reaches it."""

from __future__ import annotations

from pathlib import Path

from monai_anomaly.utils.exceptions import ConfigError

__all__ = ["write_app_folder"]

_LICENSE = """\
# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0
"""
_FILES = {
    "main.py": f'''{_LICENSE}
"""MONAI Label looks for its app here; all of it is in the package."""

from monai_anomaly.apps.label.server.app import AnomalyApp  # noqa: F401
''',
    "requirements.txt": """\
# The environment that works is made by integrations/label of the repository; see docs/monai_label.md.
monai_anomaly
monailabel==0.8.5
dicomweb-client
""",
    "README.md": """\
# Anomaly detection in MONAI Label

```bash
monailabel start_server --app . --studies STUDIES --conf models MODEL.pt
```

`STUDIES` is a folder of images, or the URL of a DICOMweb server. `MODEL.pt` is a trained detector (`model.pt`, or an
export: `.pt2`, `.ts`, `.onnx`) with `calibration.json` beside it; several are separated by commas, each may be
`NAME=PATH`. Without any, train one: `POST /train/trained_here`.

| `--conf` | default | |
|---|---|---|
| `models` | none | the detectors |
| `bundle` | `embedding` | what `trained_here` trains, a name or a folder |
| `false_alarm_rate` | `0.1` | of the decisions |
| `device` | the GPU, if any | `cpu`, `cuda` |

The page "MONAI Label" of monai_anomaly's documentation says the rest. What is trained here stays in `model/`.
""",
}


def write_app_folder(folder: Path) -> None:
    """Write the app into a new folder, or an empty one.

    Args:
        folder: where; folders above it are made.

    Raises:
        ConfigError: when something is in the folder, or it cannot be written.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        if any(folder.iterdir()):
            raise ConfigError(f"'{folder}' is not empty; name a new folder.")
        for name, text in _FILES.items():
            (folder / name).write_text(text, encoding="utf-8")
    except OSError as error:
        raise ConfigError(f"'{folder}' cannot be written ({error.strerror}); name another folder.") from None
