# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

import json
from collections import Counter

from measurements import soak
from measurements.soak import check_results, main, make_files
from monai_anomaly.data.errors import ImageReadError
from monai_anomaly.data.image_reader import ClinicalImageReader


def test_all_files_differ_and_the_broken_ones_are_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(soak, "BROKEN", 5)
    monkeypatch.setattr(soak, "IN_FOLDER", 30)
    assert make_files(tmp_path, 40) == {"scored": 32, "rejected": 8}
    paths = sorted(path for path in tmp_path.rglob("*") if path.is_file())
    assert [path.parent.name for path in paths] == ["000"] * 30 + ["001"] * 10
    assert len({path.read_bytes() for path in paths}) > 35  # some of the broken ones are equal
    refused = 0
    for path in paths:
        try:
            ClinicalImageReader().read(path)
        except ImageReadError:
            refused += 1
    assert refused == 8


def test_what_is_lost_is_said(tmp_path):
    for folder in ("maps", "overlays"):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "a.png").touch()
    records = [{"image": "a", "status": "scored"}, {"image": "b", "status": "rejected"}]
    (tmp_path / "records.jsonl").write_text("".join(json.dumps(record) + "\n" for record in records))
    (tmp_path / "predictions.csv").write_text("image,status\na,scored\nb,rejected\n")
    assert check_results(tmp_path, Counter(scored=1, rejected=1)) == []
    (tmp_path / "maps" / "a.png").unlink()
    assert check_results(tmp_path, Counter(scored=2, rejected=1)) == [
        "records: Counter({'scored': 1, 'rejected': 1}) on the disk, Counter({'scored': 2, 'rejected': 1}) were made",
        "names: 2 on the disk, 3 were made",
        "rows: 2 on the disk, 3 were made",
        "maps: 0 on the disk, 2 were made",
        "overlays: 1 on the disk, 2 were made",
    ]


def test_a_detector_that_is_not_there_is_one_sentence(tmp_path, capsys):
    assert main(["--bundle=bundles/sepiad", f"--checkpoint={tmp_path / 'model.pt'}", "--files=20"]) == 1
    assert "there is no" in capsys.readouterr().err
