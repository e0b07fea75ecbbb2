# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

import math
import os
import subprocess
import sys
import time
from collections import Counter

import pytest

from measurements.archive.__main__ import main
from measurements.archive.costs import Prices, cost_table, sizes
from measurements.archive.processes import CpuLog
from measurements.archive.runs import check_records
from monai_anomaly.apps.archive.place import ResultPlace
from monai_anomaly.apps.archive.record_table import encode_records, part_name
from monai_anomaly.scoring.result import Result


@pytest.fixture
def make_results(tmp_path):
    """Give a function that writes records of these scores, None for a file that was refused."""

    def make(name, *parts):
        place, index = ResultPlace(str(tmp_path / name)), 0
        for number, scores in enumerate(parts):
            records = []
            for score in scores:
                result = Result(name=str(index), status="rejected" if score is None else "scored", score=score)
                records.append({**result.record(), "index": index})
                index += 1
            place.write(part_name(f"part-{number:06d}"), encode_records(records))
        return tmp_path / name

    return make


def test_what_is_lost_doubled_or_other_is_said(make_results):
    whole = make_results("whole", [1.0, None], [3.0])
    made = Counter(scored=2, rejected=1)
    assert (
        check_records(whole, made) == [] == check_records(make_results("same", [1.0 + 1e-8], [None, 3.0]), made, whole)
    )
    assert check_records(whole, Counter(scored=3)) == [
        "{'scored': 2, 'rejected': 1} on the disk, {'scored': 3} were made"
    ]
    assert check_records(make_results("other", [1.0, None, 3.1]), made, whole) == ["1 scores differ"]
    lost = make_results("lost", [1.0])
    assert check_records(lost, Counter(scored=1)) == []
    assert "not one record for each file" in check_records(lost, Counter(scored=2))
    twice = make_results("twice", [1.0])
    (twice / "records" / "part-000001.parquet").write_bytes((twice / "records" / "part-000000.parquet").read_bytes())
    assert check_records(twice, Counter(scored=2)) == ["not one record for each file"]


def test_costs_are_what_the_numbers_make(make_results):
    out = make_results("whole", [1.0, 2.0])
    (out / "maps").mkdir()
    (out / "maps" / "part-000000.zip").write_bytes(bytes(2**20))
    records, maps = sizes(out, 2)
    assert maps == 2**19 and records > 100
    table = cost_table(10.0, (0.0, maps), studies=3_600_000, shard_size=1000, prices=Prices(core_hour=0.5, puts=5.0))
    one = [cell.strip() for cell in table.splitlines()[1].split("|")]
    assert one[:4] == ["1", "100", "50", "0.0"]
    assert one[5] == f"{3_600_000 / 2048:,.0f}"
    assert one[7] == f"{3600 * 4 * 5 / 1000 + 3_600_000 * 2 * 0.0004 / 1000:,.0f}"


def test_a_detector_that_is_not_there_is_one_sentence(tmp_path, capsys):
    assert main([str(tmp_path), f"--checkpoint={tmp_path / 'model.pt'}"]) == 1
    assert "there is no" in capsys.readouterr().err


def test_what_a_child_computes_is_not_elsewhere():
    start, code = time.time(), "import time\nwhile time.process_time() < 1.5: pass\ntime.sleep(60)"
    with CpuLog(os.getpid()) as log, subprocess.Popen([sys.executable, "-c", code]) as child:
        while len(log._notes) < 3 or log._notes[-1][2] < 1:
            time.sleep(0.2)
            assert time.time() < start + 60
        child.kill()
    first, last = log._notes[0], log._notes[-1]
    scoring, others, elsewhere = log.between(first[0], last[0])
    assert scoring == 0 and others == pytest.approx(last[2] - first[2]) and others > 0
    assert elsewhere == pytest.approx(last[3] - first[3] - others) and elsewhere > -0.1
    assert all(map(math.isnan, log.between(last[0] + 1, last[0] + 2)))
