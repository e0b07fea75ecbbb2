# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0
"""The templates of pages and drawings.

Every value that a template prints is escaped, unless it is :class:`markupsafe.Markup`, which
:mod:`monai_anomaly.report.svg` alone makes. A name that a template does not know is an error.
"""

from __future__ import annotations

from functools import cache
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined

__all__ = ["environment", "render"]


@cache
def environment() -> Environment:
    """Return the environment of ``report/templates``.

    The filter ``number`` writes a number by one of Python's format specifications: ``{{ auroc | number(".3f") }}``.
    """
    templates = Environment(
        loader=PackageLoader("monai_anomaly.report"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    templates.filters["number"] = format
    return templates


def render(name: str, **values: Any) -> str:
    """Return a template's text.

    Args:
        name: file in ``report/templates``, such as ``"page.html.jinja"``.
        values: what the template speaks of.
    """
    return environment().get_template(name).render(**values)
