# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0
"""A report's page as a reader's browser takes it apart."""

from __future__ import annotations

import base64
import io
from html.parser import HTMLParser

import numpy as np
from PIL import Image


def decode_uri(uri: str) -> np.ndarray:
    """Pixels of a PNG in a data URI."""
    data = base64.b64decode(uri.removeprefix("data:image/png;base64,"), validate=True)
    return np.asarray(Image.open(io.BytesIO(data)))


class ParsedPage(HTMLParser):
    """Tags with their attributes, and the text outside of style; every tag must be closed in order."""

    VOID = {"meta", "img", "br", "input"}

    def __init__(self, html: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: list[tuple[str, dict[str, str]]] = []
        self.text = ""
        self.feed(html)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, {key: value or "" for key, value in attrs}))
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.tags.append((tag, {key: value or "" for key, value in attrs}))

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.text += data

    def images(self) -> list[tuple[str, np.ndarray]]:
        """Descriptions and pixels of all pictures; not the maps over an image, which are beside it, too."""
        pictures = []
        for tag, attributes in self.tags:
            if tag == "img" and attributes.get("class") != "over":
                pictures.append((attributes["alt"], decode_uri(attributes["src"])))
        return pictures
