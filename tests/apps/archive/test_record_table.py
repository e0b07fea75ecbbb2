# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

import io
import math

import pyarrow.parquet as pq

import monai_anomaly as ma
from monai_anomaly.apps.archive.place import ResultPlace
from monai_anomaly.apps.archive.record_table import SCHEMA, encode_records, part_name, read_counts
from monai_anomaly.scoring.result import Result

OF_OVERLAYS = {"overlay", "overlay_shape", "overlay_digest"}


def test_the_columns_are_the_keys_of_a_record():
    keys = set(Result(name="a", status="failed").record())
    assert set(SCHEMA.names) == keys - OF_OVERLAYS | {"index"}


def test_records_are_read_back_as_they_are(model, pictures, tmp_path):
    results = ma.load(model, device="cpu", decode_limit=None).score(pictures, progress=False)
    records = [{**result.record(), "index": index} for index, result in enumerate(results)]
    records[0] |= {"members": {"a": 1.5, "b": None}, "left_out": {"b": "Too dark."}, "image": "no UTF-8 \udcff"}
    records[1] |= {"frames": [0, 4], "frame_scores": [math.pi, 1e-300]}
    place = ResultPlace(str(tmp_path))
    place.write(part_name("part-000000"), encode_records(records))
    rows = pq.read_table(io.BytesIO(place.read(part_name("part-000000")))).to_pylist()
    assert dict(rows[0]["members"]) == {"a": 1.5, "b": None} and dict(rows[0]["left_out"]) == {"b": "Too dark."}
    assert rows[0]["image"] == "no UTF-8 \\udcff"
    for row, record in list(zip(rows, records, strict=True))[1:]:
        assert row == {key: record[key] for key in SCHEMA.names}
    n_rows, counts = read_counts(place, "part-000000")
    assert n_rows == 10 and counts["status"] == {"scored": 9, "rejected": 1}
    assert sum(counts["decision"].values()) == 9
