# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

import hashlib
import shutil
import threading
import zlib
from collections.abc import Callable
from pathlib import Path

import pytest
from pydicom import dcmread
from pydicom.data import get_testdata_file
from sqlalchemy import func, select

from monai_anomaly.apps.node.custody import Custody
from monai_anomaly.apps.node.database.database import Database
from monai_anomaly.apps.node.database.tables import Instance, Job, Refusal
from monai_anomaly.apps.node.intake.taking import NoRoomError, NotTakenError
from monai_anomaly.apps.node.spool import Spool
from tests.apps.node.database.rows import add_detector

SAMPLE = str(get_testdata_file("examples_ybr_color.dcm"))


@pytest.fixture
def database(tmp_path: Path) -> Database:
    return Database(f"sqlite:///{tmp_path / 'node.db'}")


@pytest.fixture
def spool(tmp_path: Path) -> Spool:
    return Spool(tmp_path)


@pytest.fixture
def custody(database: Database, spool: Spool) -> Custody:
    return Custody(database, spool, add_detector(database))


@pytest.fixture
def incoming(spool: Spool) -> Callable[[], Path]:
    """Return a new copy of the sample each time, where a receiver would write it."""
    numbers = iter(range(1000))

    def copy() -> Path:
        return Path(shutil.copy(SAMPLE, spool.incoming / f"in{next(numbers)}"))

    return copy


def _instance(database: Database) -> Instance:
    with database.read() as session:
        return session.scalars(select(Instance)).one()


def _jobs(database: Database) -> int:
    with database.read() as session:
        return session.scalar(select(func.count()).select_from(Job)) or 0


def test_the_file_is_in_the_spool_under_its_digest_and_has_one_job(
    custody: Custody, database: Database, tmp_path: Path, incoming: Callable[[], Path]
) -> None:
    content, source = Path(SAMPLE).read_bytes(), dcmread(SAMPLE, stop_before_pixels=True)
    custody(incoming(), "dimse:PACS", source.SOPInstanceUID)
    found = _instance(database)
    assert found.digest == hashlib.sha256(content).hexdigest()
    assert (found.sop_instance_uid, found.study_instance_uid) == (source.SOPInstanceUID, source.StudyInstanceUID)
    assert found.path is not None and (tmp_path / found.path).read_bytes() == content
    assert source.SOPInstanceUID not in found.path
    assert _jobs(database) == 1
    assert not list((tmp_path / "spool" / "incoming").iterdir())


@pytest.mark.parametrize(("said", "kept"), [("US", "US"), ("Doe^Jane", None), ("", None), (["US", "CR"], None)])
def test_a_job_has_the_standards_code_of_its_modality_and_no_other_word_of_the_header(
    custody: Custody, database: Database, incoming: Callable[[], Path], said: str | list[str], kept: str | None
) -> None:
    path = incoming()
    dataset = dcmread(path)
    dataset.Modality = said
    dataset.save_as(path)
    custody(path, "folder", None)
    with database.read() as session:
        assert session.scalars(select(Job)).one().modality == kept


def test_a_copy_is_counted_and_other_bytes_do_not_replace_the_first(
    custody: Custody, database: Database, tmp_path: Path, incoming: Callable[[], Path]
) -> None:
    custody(incoming(), "folder", None)
    custody(incoming(), "folder", None)
    other = incoming()
    changed = dcmread(other)
    changed.ImageComments = "changed"
    changed.save_as(other)
    custody(other, "stow", None)
    found = _instance(database)
    assert (found.copies, found.differing_copies, found.origin) == (1, 1, "folder")
    assert found.digest == hashlib.sha256(Path(SAMPLE).read_bytes()).hexdigest()
    assert len(list((tmp_path / "spool").glob("*/*.dcm"))) == 1
    assert _jobs(database) == 1


def test_the_same_instance_from_many_at_once_has_one_job(
    custody: Custody, database: Database, incoming: Callable[[], Path]
) -> None:
    files = [incoming() for _ in range(8)]
    failures: list[BaseException] = []

    def take(path: Path) -> None:
        try:
            custody(path, "dimse:PACS", None)
        except BaseException as error:
            failures.append(error)

    threads = [threading.Thread(target=take, args=(path,)) for path in files]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not failures
    assert _instance(database).copies == 7
    assert _jobs(database) == 1


def test_another_detector_has_a_job_of_its_own_for_what_comes_again(
    custody: Custody, database: Database, spool: Spool, incoming: Callable[[], Path]
) -> None:
    custody(incoming(), "folder", None)
    Custody(database, spool, add_detector(database, weights="new"))(incoming(), "folder", None)
    assert _jobs(database) == 2


def test_a_file_that_retention_removed_comes_back_without_a_second_job(
    custody: Custody, database: Database, spool: Spool, tmp_path: Path, incoming: Callable[[], Path]
) -> None:
    custody(incoming(), "folder", None)
    with database.begin() as session:
        found = session.scalars(select(Instance)).one()
        spool.remove(str(found.path))
        found.path = None
    custody(incoming(), "folder", None)
    path = _instance(database).path
    assert path is not None and (tmp_path / path).is_file()
    assert _jobs(database) == 1


def test_nothing_is_taken_while_the_queue_or_the_disk_is_full(
    database: Database, tmp_path: Path, incoming: Callable[[], Path]
) -> None:
    detector = add_detector(database)
    full = Custody(database, Spool(tmp_path, min_free_bytes=1 << 62), detector)
    with pytest.raises(NoRoomError):
        full(incoming(), "folder", None)
    Custody(database, Spool(tmp_path), detector, max_waiting=1)(incoming(), "folder", None)
    with pytest.raises(NoRoomError):
        Custody(database, Spool(tmp_path), detector, max_waiting=1)(incoming(), "folder", None)
    assert _instance(database).copies == 0


def test_a_failing_database_leaves_no_row_and_the_next_try_takes_the_file(
    custody: Custody, database: Database, incoming: Callable[[], Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        raise OSError("the disk of the database is full")

    with monkeypatch.context() as patch:
        patch.setattr(custody, "_add_job", fail)
        with pytest.raises(OSError, match="full"):
            custody(incoming(), "folder", None)
    assert _jobs(database) == 0
    custody(incoming(), "folder", None)
    assert _instance(database).copies == 0
    assert _jobs(database) == 1


@pytest.mark.parametrize(
    ("keyword", "value", "code"),
    [("SOPClassUID", "1.2.840.10008.5.1.4.1.1.66.4", "wrong_class"), ("StudyInstanceUID", "1.2/../evil", "bad_uid")],
)
def test_what_is_never_taken_has_its_code(
    custody: Custody, database: Database, incoming: Callable[[], Path], keyword: str, value: str, code: str
) -> None:
    path = incoming()
    changed = dcmread(path)
    changed[keyword].value = value
    changed.save_as(path, enforce_file_format=False)
    with pytest.raises(NotTakenError) as caught:
        custody(path, "folder", None)
    assert caught.value.code == code
    assert _jobs(database) == 0


def test_an_object_that_is_not_what_its_sender_says_is_not_taken(
    custody: Custody, incoming: Callable[[], Path]
) -> None:
    with pytest.raises(NotTakenError, match="bad_uid"):
        custody(incoming(), "dimse:PACS", "1.2.3")


def test_garbage_and_a_deflated_header_are_not_taken(custody: Custody, spool: Spool) -> None:
    garbage = spool.incoming / "garbage"
    garbage.write_bytes(b"\x00" * 128 + b"DICM" + b"\xff" * 4096)
    with pytest.raises(NotTakenError):
        custody(garbage, "folder", None)
    bomb = dcmread(SAMPLE, stop_before_pixels=True)
    bomb.file_meta.TransferSyntaxUID = "1.2.840.10008.1.2.1.99"
    path = spool.incoming / "bomb"
    bomb.save_as(path, enforce_file_format=True)
    deflate = zlib.compressobj(wbits=-zlib.MAX_WBITS)
    with open(path, "ab") as file:
        file.write(deflate.compress(bytes(1 << 24)) + deflate.flush())
    with pytest.raises(NotTakenError, match="syntax"):
        custody(path, "folder", None)


def test_refusals_of_an_hour_are_one_row(custody: Custody, database: Database) -> None:
    for _ in range(5):
        custody.refuse("dimse", "association_rejected")
    with database.read() as session:
        assert sum(session.scalars(select(Refusal.number))) == 5
        assert len(session.scalars(select(Refusal)).all()) <= 2  # two where the hour changes meanwhile
