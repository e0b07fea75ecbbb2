# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

"""What pages say for the codes of the database."""

from __future__ import annotations

__all__ = ["delivery_problem", "door_reason", "image_kind", "sentence", "way"]

IMAGES = {
    "1.2.840.10008.5.1.4.1.1.6.1": "ultrasound",
    "1.2.840.10008.5.1.4.1.1.6": "ultrasound",
    "1.2.840.10008.5.1.4.1.1.3.1": "ultrasound cine",
    "1.2.840.10008.5.1.4.1.1.3": "ultrasound cine",
    "1.2.840.10008.5.1.4.1.1.1": "radiograph (CR)",
    "1.2.840.10008.5.1.4.1.1.1.1": "radiograph (DX)",
    "1.2.840.10008.5.1.4.1.1.1.2": "mammogram",
    "1.2.840.10008.5.1.4.1.1.7": "secondary capture",
    "1.2.840.10008.5.1.4.1.1.12.1": "angiogram",
}
"""Words for the SOP classes that the node takes."""

WAYS = {"dimse": "by C-STORE", "folder": "in the watched folder", "stow": "by STOW-RS"}
"""How images come, by the first word of an instance's origin."""

DELIVERIES = {
    "no_connection": "nobody answered at its address",
    "association_rejected": "it refused the connection: it has to know the node's title and address",
    "no_context": "it does not take objects of this kind",
    "no_answer": "it gave no answer that can be read",
    "damaged": "the file of the result is not what was written: look at the disk",
    "no_file": "the file of the result is not there any more",
    "no_token": "the file with its token cannot be read",
}
"""Why an attempt to deliver failed."""

DOOR = {
    "association_rejected": "a title that is not known, the wrong one called, or too many connections",
    "bad_body": "the request's body is not what its Content-Type says",
    "bad_message": "a message that breaks DICOM's rules ended the connection",
    "bad_pdu": "data that are no DICOM, or longer than was agreed, ended the connection",
    "bad_uid": "the object's identifiers are wrong, or not those of the request",
    "broken_off": "the connection ended before the object",
    "busy": "too many requests at a time; the sender tries again",
    "failed": "taking it failed, the node's log says when; the sender keeps it and tries again",
    "no_room": "disk or queue were full; the sender keeps it and tries again",
    "not_dicom": "no DICOM file that can be read",
    "not_removed": "a file of the watched folder is in custody, but cannot be removed there",
    "silent": "a connection asked for no association while others waited for its place",
    "tls": "the TLS connection could not be made: see the certificates of both sides",
    "too_large": "larger than the limit of the settings",
    "too_many_connections": "more connections at a time than the settings allow",
    "too_many_parts": "more objects in one request than the settings allow",
    "too_slow": "it did not come in time",
    "unreadable": "a file of the watched folder cannot be read; it is tried again every minute",
    "wrong_class": "not one of the kinds of images that the node takes",
    "wrong_study": "of another study than the address says",
    "wrong_type": "of another media type than DICOM",
}
"""Why something was refused before it was stored."""


def way(origin: str) -> str:
    """Return words for how an image came, without who sent it."""
    kind = origin.partition(":")[0]
    return WAYS.get(kind, f"by {kind}")


def image_kind(sop_class: str | None) -> str:
    """Return a word for a SOP class."""
    return IMAGES.get(sop_class or "", "image")


def delivery_problem(code: str | None) -> str:
    """Return words for the reason of a delivery; a text that is no code of ours stays as it is."""
    if not code:
        return ""
    if code.startswith("0x"):
        return f"it answered with status {code}"
    if code.startswith("http_"):
        return f"it answered with HTTP {code.removeprefix('http_')}"
    return DELIVERIES.get(code, code)


def door_reason(code: str, reason: str) -> str:
    """Return why something was refused at the door: what was written down, else what the code means."""
    return reason or DOOR.get(code, "")


def sentence(text: str) -> str:
    """Return a text that begins with a capital letter and ends with a full stop."""
    return text[:1].upper() + text[1:] + ("" if text.endswith((".", "!", "?", ":")) else ".")
