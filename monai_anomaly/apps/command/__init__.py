# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

"""The command ``monai-anomaly``: nothing heavy is imported here before the command line was checked."""
