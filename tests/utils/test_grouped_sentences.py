# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

from monai_anomaly.utils.grouped_sentences import GroupedSentences


def test_sentences_that_differ_in_a_number_are_one_and_tags_are_no_numbers():
    said = GroupedSentences()
    for of, text in (
        ("a", "(0028,0120) is missing"),
        ("b", "3.5 of 7 pixels"),
        ("c", "(0028,0121) is missing"),
        ("d", "4 of 9 pixels"),
        ("e", "(0028,0120) is missing"),
    ):
        said.add(of, text)
    assert [tuple(group) for group in said.groups()] == [
        (2, "a", "(0028,0120) is missing"),
        (2, "b", "3.5 of 7 pixels"),
        (1, "c", "(0028,0121) is missing"),
    ]
