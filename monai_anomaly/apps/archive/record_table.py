# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

"""Records as Parquet: one file for each shard, whose columns are the keys of a record."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from monai_anomaly.apps.archive.place import ResultPlace
from monai_anomaly.data.picture_facts import PICTURE_FACTS

__all__ = ["FOLDER", "SCHEMA", "encode_records", "part_name", "read_counts"]

FOLDER = "records"
_COUNTS = b"monai_anomaly"

_TEXTS = pa.map_(pa.string(), pa.string())
_NUMBERS = pa.list_(pa.float64())
_INTEGERS = pa.list_(pa.int32())

SCHEMA = pa.schema(
    [
        pa.field("index", pa.int64(), nullable=False),
        pa.field("image", pa.string(), nullable=False),
        pa.field("status", pa.string(), nullable=False),
        ("score", pa.float64()),
        ("p_value", pa.float64()),
        ("decision", pa.string()),
        ("decision_reason", pa.string()),
        ("threshold", pa.float64()),
        ("false_alarm_rate", pa.float64()),
        ("map", pa.string()),
        ("map_range", _NUMBERS),
        ("code", pa.string()),
        ("reason", pa.string()),
        ("frame", pa.int32()),
        ("frames", _INTEGERS),
        ("frame_scores", _NUMBERS),
        ("warnings", pa.string()),
        ("source_shape", _INTEGERS),
        ("box", _INTEGERS),
        ("input_digest", pa.string()),
        ("facts", pa.struct([(name, pa.float64()) for name in PICTURE_FACTS])),
        ("device", pa.string()),
        ("patient", pa.string()),
        ("members", pa.map_(pa.string(), pa.float64())),
        ("left_out", _TEXTS),
        ("map_digest", pa.string()),
    ]
)
"""``index`` is the file's place in the archive; the others are as in ``records.jsonl``."""


def part_name(shard: str) -> str:
    """Return where the records of a shard are; where they are, the shard is done."""
    return f"{FOLDER}/{shard}.parquet"


def encode_records(records: Sequence[Mapping[str, Any]]) -> bytes:
    """Return the records of a shard as the bytes of a Parquet file, with their counts.

    Args:
        records: as :meth:`monai_anomaly.scoring.result.Result.record` gives them, with ``index``.
    """
    rows = [{field.name: _plain(record[field.name], field.type) for field in SCHEMA} for record in records]
    counts = {key: Counter(record[key] for record in records if record[key]) for key in ("status", "decision")}
    schema = SCHEMA.with_metadata({_COUNTS: json.dumps(counts).encode()})
    stream = pa.BufferOutputStream()
    pq.write_table(pa.Table.from_pylist(rows, schema=schema), stream, compression="zstd")
    encoded: bytes = stream.getvalue().to_pybytes()
    return encoded


def read_counts(place: ResultPlace, shard: str) -> tuple[int, dict[str, Counter[str]]]:
    """Return how many records of a shard there are, and how many of each status and decision.

    Raises:
        OSError: when they cannot be read.
        pyarrow.ArrowInvalid: when it is no Parquet file.
    """
    with place.open(part_name(shard)) as file:
        metadata = pq.ParquetFile(file).metadata
        counts = json.loads(metadata.metadata[_COUNTS])
        return metadata.num_rows, {key: Counter(values) for key, values in counts.items()}


def _plain(value: Any, kind: pa.DataType) -> Any:
    """Return a value that Parquet can hold: a file's name that is no UTF-8 becomes an escape, as in JSON."""
    if isinstance(value, str):
        return value.encode(errors="backslashreplace").decode()
    return list(value.items()) if pa.types.is_map(kind) and value is not None else value
