# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

from pathlib import Path

import pytest

from monai_anomaly.apps.node.configuration.read_settings import read_settings
from monai_anomaly.apps.node.configuration.sections import NodeSettings
from monai_anomaly.utils.exceptions import ConfigError

LEAST = "folder: node\ndetector: {checkpoint: model.pt}\n"
PACS = "destinations: [{name: pacs, dicom: {title: A, host: h, port: 104}}]\n"


def _read(folder: Path, text: str) -> NodeSettings:
    file = folder / "node.yaml"
    file.write_text(text)
    return read_settings(str(file))


def test_paths_are_relative_to_the_file_and_what_is_absent_is_off(tmp_path: Path) -> None:
    found = _read(tmp_path, LEAST)
    assert found.folder == tmp_path / "node"
    assert found.detector.checkpoint == tmp_path / "model.pt"
    assert (found.dicom, found.watch, found.database, found.destinations) == (None, None, None, ())
    assert found.workers.attempts == 5


def test_sections_are_read_whole(tmp_path: Path) -> None:
    text = LEAST + PACS + "dicom: {calling_titles: [X, Y], port: 104}\nqueue: {min_free_gib: 2}\n"
    found = _read(tmp_path, text)
    assert found.dicom is not None and found.dicom.calling_titles == ("X", "Y")
    assert found.dicom.host == "127.0.0.1"
    assert found.queue.min_free_gib == 2.0
    (pacs,) = found.destinations
    assert pacs.kinds == ("sr", "sc", "seg") and pacs.dicom is not None and pacs.dicom.port == 104


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("folder: node\n", "'detector' is missing"),
        (LEAST + "wokers: {number: 2}\n", "'wokers'; the nearest is 'workers'"),
        (LEAST + "workers: {numbr: 2}\n", "'workers.numbr'; the nearest is 'number'"),
        (LEAST + "workers: {number: two}\n", "'workers.number' must be a whole number"),
        (LEAST + "workers: {number: true}\n", "'workers.number' must be a whole number"),
        (LEAST + "workers: {number: 0}\n", "'workers.number' must be above 0"),
        (LEAST + "workers: {seconds: .inf}\n", "'workers.seconds' must be a finite number"),
        (LEAST + "dicom: {port: 70000}\n", "'dicom.port' must be from 1 to 65535"),
        (LEAST + "dicom: {tls: {ca: x}}\n", "'dicom.tls.certificate'"),
        (LEAST + "destinations: [{name: a}]\n", "one of the settings 'dicom' and 'dicomweb'"),
        (LEAST + PACS.replace("name: pacs", "name: pacs, kinds: [pm]"), "kinds must be some of sr, sc, seg"),
        (LEAST + "audit: log.jsonl\n", "'operator' is missing"),
        (LEAST + "retention: {records_days: -1}\n", "'retention.records_days' must be from 0"),
        (LEAST + "uid_root: 1.2.x\n", "'uid_root' must be a root"),
        ("folder: node\ndetector: {checkpoint: m, false_alarm_rate: 1.0}\n", "above 0 and below 1"),
        ("[]\n", "must be a table"),
        ("folder: [\n", "cannot be read"),
        ("folder: !!python/object/apply:os.system ['true']\n", "cannot be read"),
    ],
)
def test_what_makes_no_sense_is_an_error_that_names_the_key(tmp_path: Path, text: str, said: str) -> None:
    with pytest.raises(ConfigError) as caught:
        _read(tmp_path, text)
    assert said in str(caught.value)


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"node\.yaml"):
        read_settings(str(tmp_path / "node.yaml"))
