# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

"""Forms of our own pages."""

from __future__ import annotations

from urllib.parse import parse_qs

from fastapi import HTTPException
from starlette.requests import Request

from monai_anomaly.apps.node.web.context import web_node
from monai_anomaly.apps.node.web.people.doorman import Person

__all__ = ["own_form", "read_form"]

_MOST_FIELDS = 20


async def read_form(request: Request) -> dict[str, str]:
    """Return the fields of a form, the last one of a name; its size is bounded by :class:`.gate.Gate`.

    Raises:
        HTTPException: 400 for what is no form.
    """
    try:
        text = (await request.body()).decode("utf-8")
        fields = parse_qs(text, keep_blank_values=True, max_num_fields=_MOST_FIELDS)
    except ValueError:
        raise HTTPException(400, "This is no form of ours.") from None
    return {name: values[-1] for name, values in fields.items()}


async def own_form(request: Request, person: Person) -> dict[str, str]:
    """Return the fields of a form that a page of this person's sent.

    Raises:
        HTTPException: 403 for one that comes from elsewhere.
    """
    fields = await read_form(request)
    if not web_node(request).doorman.is_own_form(person, fields.get("form_key", "")):
        raise HTTPException(403, "The page is too old: open it again, and repeat what you did.")
    return fields
