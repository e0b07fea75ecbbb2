# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from monai.bundle import ConfigWorkflow

from monai_anomaly.bundle.command_line import is_command_line
from monai_anomaly.bundle.error_sentence import end_with_a_sentence
from monai_anomaly.bundle.override_keys import check_workflow_arguments

__all__ = ["CheckedWorkflow"]


class CheckedWorkflow(ConfigWorkflow):
    """A workflow of MONAI's that refuses overrides that its configuration does not know.

    For programs; ``python -m monai.bundle run`` with one of our bundles checks without it.

    Args:
        config_file: path or paths of the configuration, as :class:`monai.bundle.ConfigWorkflow` takes them.
        options: its other arguments, and the overrides.

    Raises:
        ConfigError: naming the nearest known key.

    Example:

        ``monai.bundle.run(config_file="bundles/sepiad/configs/train.json", max_epochs=3,
        workflow_name="monai_anomaly.bundle.CheckedWorkflow")``
    """

    def __init__(self, config_file: str | Sequence[str], **options: Any) -> None:
        if is_command_line():
            end_with_a_sentence()
        check_workflow_arguments({"config_file": config_file, **options})
        super().__init__(config_file, **options)

    def run(self) -> Any:
        """Run it, and let other runs into its folders, however it ends: a program may go on after an error."""
        try:
            return super().run()
        finally:
            if "lock" in self.parser:
                self.parser.get_parsed_content("lock").release()
