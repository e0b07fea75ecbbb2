# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

from app import BundleApp

if __name__ == "__main__":
    BundleApp().run()
