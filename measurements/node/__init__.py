# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

"""The node against a real PACS: faults, a soak and throughput, with servers of their own on loopback."""
