# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

"""The templates of the pages. All that they print is escaped; a name that one does not know is an error."""

from __future__ import annotations

from datetime import datetime
from functools import cache
from typing import Any

from jinja2 import Environment, PackageLoader, PrefixLoader, StrictUndefined
from starlette.requests import Request
from starlette.responses import HTMLResponse

import monai_anomaly
from monai_anomaly.apps.node.database.tables import now
from monai_anomaly.apps.node.web.views.words import delivery_problem, door_reason, image_kind, sentence, way
from monai_anomaly.utils.heatmap import PALETTE

__all__ = ["age", "environment", "page", "style_sheet"]

_UNITS = ((86400, "d"), (3600, "h"), (60, "min"))


@cache
def environment() -> Environment:
    """Return the environment of the templates here, and of the report's under ``report/``."""
    templates = Environment(
        loader=PrefixLoader(
            {"web": PackageLoader("monai_anomaly.apps.node.web"), "report": PackageLoader("monai_anomaly.report")}
        ),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    templates.filters |= {"number": format, "age": age, "moment": _moment, "sentence": sentence}
    templates.filters |= {"image_kind": image_kind, "delivery_problem": delivery_problem, "way": way}
    templates.globals |= {"door_reason": door_reason}
    return templates


def age(seconds: float) -> str:
    """Write a time that has gone by: ``42 s``, ``3 min``, ``5 h``, ``2 d``."""
    for length, unit in _UNITS:
        if seconds >= length:
            return f"{seconds / length:.0f} {unit}"
    return f"{max(0, seconds):.0f} s"


def page(request: Request, name: str, status: int = 200, **values: Any) -> HTMLResponse:
    """Return a page.

    Args:
        request: that it answers.
        name: of the template, such as ``"worklist"``.
        status: of HTTP.
        **values: what the template speaks of.
    """
    known = {
        "now": now(),
        "person": getattr(request.state, "person", None),
        "version": monai_anomaly.__version__,
        "path": request.url.path,
    }
    template = environment().get_template(f"web/{name}.html.jinja")
    return HTMLResponse(template.render(**known | values), status_code=status)


@cache
def style_sheet() -> str:
    """Return the style of all pages, with the colors of the reports and of the maps."""
    colors = ["#" + bytes(PALETTE[level]).hex() for level in range(0, 256, 17)]
    return environment().get_template("web/style.css.jinja").render(map_colors=colors)


def _moment(time: datetime) -> str:
    return f"{time:%Y-%m-%d %H:%M} UTC"
