# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

"""The node's pages of the documentation say what its code says: settings, defaults, classes, syntaxes, statuses."""

from __future__ import annotations

import re
import typing
from dataclasses import MISSING, fields, is_dataclass
from pathlib import Path

import pytest
from pydicom.uid import UID, ComprehensiveSRStorage, SecondaryCaptureImageStorage, SegmentationStorage

from monai_anomaly.apps.node.configuration.sections import NodeSettings, TlsSettings
from monai_anomaly.apps.node.delivery.run_sender import BATCH
from monai_anomaly.apps.node.intake import dicom_receiver
from monai_anomaly.apps.node.intake.bounded_server import PDU_BYTES
from monai_anomaly.apps.node.intake.storage import STORAGE_CLASSES
from monai_anomaly.apps.node.web.people.sessions import IDLE_SECONDS, LONGEST_SECONDS
from monai_anomaly.data.dicom.syntax import DECODERS
from tests.helpers.repository import ROOT

NODE = (ROOT / "docs" / "node.md").read_text(encoding="utf-8")
WORKLIST = (ROOT / "docs" / "worklist.md").read_text(encoding="utf-8")
UNITS = {"KiB": 1 << 10, "MiB": 1 << 20, "GiB": 1 << 30}
WORDS = {"null": None, "true": True, "false": False, "[]": (), "all of sr, sc, seg": ("sr", "sc", "seg"), "": MISSING}


def section(text: str, title: str) -> str:
    return re.split(r"^## ", text.partition(f"\n## {title}\n")[2], flags=re.MULTILINE)[0]


def documented() -> dict[str, str]:
    """Return the default of each key in the tables, as it is written."""
    found: dict[str, str] = {}
    for page in (NODE, WORKLIST):
        for keys, defaults in re.findall(r"^\| (`[^|]*) \|([^|]*)\|", section(page, "Settings"), flags=re.MULTILINE):
            names = re.findall(r"`([\w.]+)`", keys)
            base = names[0].rpartition(".")[0]
            full = [base + name if name.startswith(".") else name for name in names]
            text = defaults.replace("`", "").strip()
            values = [text] if len(full) == 1 else [each.strip() for each in text.split(", ", len(full) - 1)]
            if defaults.lstrip().startswith(","):
                values = ["", text.removeprefix(",").strip()]
            assert len(values) == len(full), keys
            found |= dict(zip(full, values, strict=True))
    return found


def settings(kind: type, where: str = "") -> dict[str, object]:
    """Return the default of each key in the code; those of destinations and of TLS are said within a line."""
    found: dict[str, object] = {}
    for item in fields(kind):
        hint = typing.get_type_hints(kind)[item.name]
        inner = [each for each in typing.get_args(hint) or (hint,) if is_dataclass(each)]
        name = f"{where}{item.name}"
        default = item.default if item.default_factory is MISSING else item.default_factory()
        if not inner or default in (None, ()):
            found[name] = default
        if inner and inner[0] is not TlsSettings and name not in ("destinations.dicom", "destinations.dicomweb"):
            found |= settings(inner[0], f"{name}.")
    return found


def read(text: str) -> object:
    if text in WORDS:
        return WORDS[text]
    number, _, unit = text.partition(" ")
    if re.fullmatch(r"[\d.]+", number) and number.count(".") < 2:
        return float(number) * UNITS.get(unit, 1)
    return text


SETTINGS = settings(NodeSettings)
SECTIONS = {"database", "dicom", "watch", "detector", "destinations.dicom", "destinations.dicomweb"}
"""Tables of keys: not a line of their own but where there is something to say."""


def test_every_setting_is_in_the_tables_and_no_other():
    assert set(SETTINGS) - SECTIONS == set(documented()) - SECTIONS


@pytest.mark.parametrize("name", sorted(set(documented()) - SECTIONS))
def test_defaults_are_those_of_the_code(name: str):
    default = SETTINGS[name]
    expected = str(default) if isinstance(default, Path) else default
    assert read(documented()[name]) == expected


def test_the_classes_that_are_taken():
    rows = section(NODE, "Conformance statement").partition("**SOP classes, as SCP**")[2].partition("Objects for")[0]
    assert set(re.findall(r"1\.2\.840[\d.]+", rows)) == {*STORAGE_CLASSES, "1.2.840.10008.1.1"}


def test_the_syntaxes_that_are_taken():
    text = NODE.partition("**Transfer syntaxes, as SCP**")[2].partition("Neither deflated")[0]
    compressed = {
        f"1.2.840.10008.1.2{end}" for end in re.findall(r"\((?:[^)]*)\)", text) for end in end.strip("()").split(", ")
    }
    plain = {syntax for syntax in DECODERS if not UID(syntax).is_compressed}
    assert compressed == set(DECODERS) - plain and len(plain) == 3


def test_the_classes_that_are_sent():
    rows = NODE.partition("**SOP classes, as SCU**")[2].partition("**Associations.**")[0]
    sent = {ComprehensiveSRStorage, SecondaryCaptureImageStorage, SegmentationStorage}
    assert set(re.findall(r"1\.2\.840[\d.]+", rows)) == sent


def test_numbers_of_associations_and_statuses():
    text = NODE.partition("**Associations.**")[2]
    assert f"PDU of {PDU_BYTES >> 10} KiB" in text and f"up to {BATCH} waiting objects" in text
    statuses = re.findall(r"^\| (0x\w{4}) \|", text, flags=re.MULTILINE)
    receiver = dicom_receiver
    codes = (receiver.SUCCESS, receiver.NO_ROOM, receiver.WRONG_CLASS, receiver.NOT_UNDERSTOOD)
    assert statuses == [f"0x{code:04X}" for code in codes]


def test_how_long_a_session_lasts():
    words = {2 * 3600: "two hours", 12 * 3600: "twelve hours"}
    text = " ".join(WORKLIST.split())
    assert f"after {words[IDLE_SECONDS]} without use, after {words[LONGEST_SECONDS]}" in text
