# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

"""The benchmark that stays: what training, scoring, starting and memory cost, from commit to commit.

``python -m measurements.benchmark`` (``make benchmark``) runs the other measurements, adds a commit to ``history.json``
and draws the page of all commits; ``--short`` compares with the last one there and writes nothing.
"""
