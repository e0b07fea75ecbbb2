# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

from xml.etree import ElementTree

from monai_anomaly.apps.benchmark.figure import draw_figure
from monai_anomaly.apps.benchmark.table import Method, Table

SVG = "{http://www.w3.org/2000/svg}"
HOSTILE = "</svg><b a='1'>&\"{}"


def draw(text: str) -> ElementTree.Element:
    """Return a figure with one text wherever a text from outside is shown."""
    rows = [{"status": "done", "auroc": auroc} for auroc in (0.4, 0.8)]
    failed = [{"status": text, "auroc": None}]
    methods = [
        Method(text, text, "bundle", rows, 0.6, (0.35, 0.9)),
        Method(text, "other", "bundle", failed),
        Method(text, text, "statistic", rows[:1], 0.4),
    ]
    return ElementTree.fromstring(draw_figure(Table([], methods)))


def test_no_text_becomes_markup():
    harmless, hostile = draw("harmless"), draw(HOSTILE)
    assert [node.tag for node in hostile.iter()] == [node.tag for node in harmless.iter()]
    texts = [node.text or "" for node in hostile.iter()]
    assert texts == [(node.text or "").replace("harmless", HOSTILE) for node in harmless.iter()]
    assert sum(HOSTILE in text for text in texts) == 6


def test_marks_are_where_their_values_are():
    root = draw("x")
    axis = {node.text: float(node.get("x")) for node in root.iter(f"{SVG}text") if node.get("text-anchor") == "middle"}
    rings = [float(node.get("cx")) for node in root.iter(f"{SVG}circle") if node.get("class") == "bundle seed"]
    assert rings == [axis["0.4"], axis["0.8"]]
    (mean,) = [node for node in root.iter(f"{SVG}circle") if node.get("class") == "bundle" and node.get("cx") != "20"]
    assert float(mean.get("cx")) == axis["0.6"]
    assert min(axis, key=axis.get) == "0.3"  # the tenth below all
