# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

"""A site's acceptance test: what a detector does with local images, against limits that were set before."""
