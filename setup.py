# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

"""A wheel holds the bundles, too, whose one source is the folder ``bundles``; all else is in setup.cfg."""

from __future__ import annotations

import shutil
from pathlib import Path

from setuptools import setup
from setuptools.command.build_py import build_py


class BuildWithBundles(build_py):
    """Copies what a bundle consists of, not what its runs made, into ``monai_anomaly/bundles``."""

    def run(self) -> None:
        """Build the package; an editable one finds the bundles beside it."""
        super().run()
        if self.editable_mode:
            return
        target = Path(self.build_lib, "monai_anomaly", "bundles")
        shutil.rmtree(target, ignore_errors=True)
        for metadata in sorted(Path("bundles").glob("*/configs/metadata.json")):
            bundle = metadata.parent.parent
            for part in ("configs", "docs"):
                shutil.copytree(bundle / part, target / bundle.name / part)
            shutil.copyfile(bundle / "LICENSE", target / bundle.name / "LICENSE")


setup(cmdclass={"build_py": BuildWithBundles})
