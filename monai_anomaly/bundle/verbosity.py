# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

"""How much is told of what goes on inside."""

from __future__ import annotations

import logging
import warnings

from monai_anomaly.utils.exceptions import ConfigError

__all__ = ["set_verbosity", "silence_trust_warning"]

QUIET = ("ignite.engine.engine", "monai.bundle.scripts", "monai.bundle.workflows", "alembic", "mlflow")
"""Loggers that a bundle's ``logging.conf`` holds back."""


def set_verbosity(verbose: bool) -> None:
    """Let other libraries talk, and this package's debug lines through; a bundle calls this in its ``initialize`` list.

    What MONAI says before that list, such as which ``logging.conf`` it reads, is gone by then.

    Args:
        verbose: False changes nothing.

    Raises:
        ConfigError: for anything but True and False.
    """
    if not isinstance(verbose, bool):
        raise ConfigError(f"verbose must be True or False, got {verbose!r}.")
    if not verbose:
        return
    for name in QUIET:
        logging.getLogger(name).setLevel(logging.INFO)
    logging.getLogger("monai_anomaly").setLevel(logging.DEBUG)


def silence_trust_warning() -> None:
    """Leave out MONAI's warning that a configuration runs code, for a command that names bundles of its user's own.

    MONAI gives it when it parses any configuration, before anything of that can say so.
    """
    warnings.filterwarnings("ignore", message="parsing config_file", category=UserWarning)
