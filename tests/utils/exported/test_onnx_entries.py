# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

import pytest

from monai_anomaly.utils.exported.onnx_entries import check_sealed, metadata_entries, onnx_entry, sealed


def test_entries_are_read_by_onnx_and_by_us():
    onnx = pytest.importorskip("onnx", reason="needs the extra 'onnx'")
    model = onnx.ModelProto(ir_version=10, producer_name="somebody")
    model.metadata_props.add(key="first", value="one")
    data = sealed(model.SerializeToString() + onnx_entry("long", "ä" * 70000))
    read = onnx.load_from_string(data)
    entries = {entry.key: entry.value for entry in read.metadata_props}
    assert read.producer_name == "somebody" and len(entries) == 3
    assert metadata_entries(data) == entries and entries["long"] == "ä" * 70000 and entries["first"] == "one"


def test_the_seal_sees_every_byte():
    data = sealed(onnx_entry("key", "value"))
    assert check_sealed(data) is True
    for place in range(len(data)):
        changed = bytearray(data)
        changed[place] ^= 1
        assert not check_sealed(bytes(changed))
    assert check_sealed(b"") is None and check_sealed(data[:-1]) is None


@pytest.mark.parametrize("data", [b"\x72\x05ab", b"\x72", b"\xff" * 12, b"\x0b", b"\x0d\x00"])
def test_what_is_no_protocol_buffer_is_refused(data):
    with pytest.raises(ValueError, match=r"cut short|no protocol buffers"):
        metadata_entries(data)
