# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

"""Files that are decoded before they are asked for: the same answers, and the same file is to blame."""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from monai_anomaly.data.decoding import ahead, process
from monai_anomaly.data.decoding.ahead import AskedAhead
from monai_anomaly.data.decoding.jobs import COUNT, FRAME, Job
from monai_anomaly.data.decoding.limited import decode_limited, decoding_ahead
from monai_anomaly.data.decoding.open_file import ReadRules
from monai_anomaly.data.decoding.process import end_decoders
from monai_anomaly.data.errors import ImageReadError
from monai_anomaly.data.image_reader import ClinicalImageReader
from monai_anomaly.data.sets.records import RecordDataset
from monai_anomaly.transforms.preprocessing import Preprocessing

SECONDS = 60.0


@pytest.fixture(autouse=True)
def _no_process_is_left():
    end_decoders()
    yield
    end_decoders()
    assert not process._all


@pytest.fixture
def started(monkeypatch):
    """The processes that were started."""
    known, start = [], process.Decoder.__init__

    def note(self):
        start(self)
        known.append(self)

    monkeypatch.setattr(process.Decoder, "__init__", note)
    return known


def _pictures(folder: Path, count: int) -> list[Path]:
    paths = [folder / f"{number}.png" for number in range(count)]
    for number, path in enumerate(paths):
        Image.fromarray(np.full((40, 40), number, np.uint8)).save(path)
    return paths


def _job(path: Path, task: str = FRAME) -> Job:
    return Job(task, str(path), ReadRules(), "raster")


def _value(job: Job) -> int | str:
    try:
        return int(decode_limited(job, SECONDS).values[0, 0, 0])
    except ImageReadError as error:
        return error.code


def test_answers_and_errors_are_those_of_one_question_after_the_other(tmp_path, started):
    paths = _pictures(tmp_path, 12)
    paths[2].write_bytes(paths[2].read_bytes()[:60])
    paths[7].unlink()
    jobs = [_job(path) for path in paths]
    one_by_one = [_value(job) for job in jobs]
    with decoding_ahead(jobs, SECONDS):
        assert [_value(job) for job in jobs] == one_by_one
    assert one_by_one[3:6] == [3, 4, 5] and isinstance(one_by_one[2], str) and isinstance(one_by_one[7], str)
    assert len(started) == 1 and process._idle == started


def test_questions_are_sent_before_the_last_answer(tmp_path, monkeypatch):
    jobs, done = [_job(path) for path in _pictures(tmp_path, 6)], []
    for name in ("send", "receive"):
        call = getattr(process.Decoder, name)
        monkeypatch.setattr(process.Decoder, name, lambda *a, n=name, c=call: done.append(n) or c(*a))
    with decoding_ahead(jobs, SECONDS):
        assert [_value(job) for job in jobs] == list(range(6))
    assert done == ["send"] * 4 + ["receive", "send"] * 2 + ["receive"] * 4


def test_the_file_that_is_waited_for_is_to_blame_and_the_others_are_read(tmp_path, started):
    jobs = [_job(path) for path in _pictures(tmp_path, 6)]
    decode_limited(jobs[0], SECONDS)
    os.kill(started[0]._process.pid, signal.SIGSTOP)
    asked = AskedAhead(jobs, SECONDS)
    send = started[0].send

    def kill_after_the_last(question):
        send(question)
        if len(asked._sent) == ahead.MOST_AHEAD:
            os.kill(started[0]._process.pid, signal.SIGSEGV)
            os.kill(started[0]._process.pid, signal.SIGCONT)

    started[0].send = kill_after_the_last
    with pytest.raises(ImageReadError, match="decode_failed: the decoder crashed on this file"):
        asked.answer(jobs[0])
    assert [int(asked.answer(job).values[0, 0, 0]) for job in jobs[1:]] == [1, 2, 3, 4, 5]
    asked.end()
    assert len(started) == 2


def test_what_was_answered_before_the_end_is_not_lost(tmp_path, started):
    jobs = [_job(path) for path in _pictures(tmp_path, 6)]
    asked = AskedAhead(jobs, SECONDS)
    assert int(asked.answer(jobs[0]).values[0, 0, 0]) == 0  # and three more are under way
    _wait_for_answers(started[0], 3 * 40 * 40)
    os.kill(started[0]._process.pid, signal.SIGKILL)
    os.waitid(os.P_PID, started[0]._process.pid, os.WEXITED | os.WNOWAIT)  # and nobody else knows yet
    values = []
    for job in jobs[1:]:
        try:
            values.append(int(asked.answer(job).values[0, 0, 0]))
        except ImageReadError as error:
            values.append(error.code)
    assert values == [1, 2, 3, "budget", 5]  # the one that the system ended it with, as far as anybody knows
    asked.end()


def _wait_for_answers(decoder: process.Decoder, size: int) -> None:
    import fcntl
    import termios

    waiting, deadline = bytearray(4), time.monotonic() + SECONDS
    while time.monotonic() < deadline:
        fcntl.ioctl(decoder._answers, termios.FIONREAD, waiting)
        if int.from_bytes(waiting, "little") > size:
            time.sleep(0.05)
            return
        time.sleep(0.01)


def test_other_questions_and_another_order_are_answered_too(tmp_path, started):
    jobs = [_job(path) for path in _pictures(tmp_path, 6)]
    with decoding_ahead(jobs, SECONDS):
        assert _value(jobs[0]) == 0
        assert decode_limited(_job(tmp_path / "5.png", COUNT), SECONDS) == 1
        assert _value(jobs[3]) == 3  # those before it are passed over
        assert _value(jobs[1]) == 1
        assert [_value(job) for job in jobs[4:]] == [4, 5]
    assert len(started) == 2 and len(process._idle) == 2


def test_a_process_with_answers_that_nobody_waits_for_is_ended(tmp_path, started):
    jobs = [_job(path) for path in _pictures(tmp_path, 6)]
    with pytest.raises(KeyError), decoding_ahead(jobs, SECONDS):
        assert _value(jobs[0]) == 0
        raise KeyError
    assert not process._idle and started[0].ended
    assert _value(jobs[5]) == 5


def test_a_process_is_replaced_after_some_files(tmp_path, started, monkeypatch):
    monkeypatch.setattr(process, "MOST_FILES", 3)
    jobs = [_job(path) for path in _pictures(tmp_path, 10)]
    with decoding_ahead(jobs, SECONDS):
        assert [_value(job) for job in jobs] == list(range(10))
    assert len(started) == 4


def test_long_names_do_not_fill_the_pipe(tmp_path):
    deep = tmp_path / "/".join(["ü" * 100] * 4)
    deep.mkdir(parents=True)
    jobs, most = [_job(path) for path in _pictures(deep, 6)], []
    asked = AskedAhead(jobs, SECONDS)
    for number, job in enumerate(jobs):
        assert int(asked.answer(job).values[0, 0, 0]) == number
        most.append(sum(asked._sent))
    asked.end()
    assert 0 < most[0] <= max(most) <= ahead.MOST_BYTES < 4 * len(process.pack_question(jobs[0], SECONDS))


def test_frames_and_pictures_in_memory_are_read_as_without(tmp_path):
    reader = ClinicalImageReader(decode_limit=SECONDS)
    paths = _pictures(tmp_path, 3)
    array = np.zeros((40, 40), np.float32)
    wanted = [(paths[0], None), (tmp_path / "none.png", None), ([paths[1]], 0), (array, None), (paths[2], 0)]
    with reader.reading_ahead(wanted):
        read = [int(reader.read(data, frame).values[0, 0, 0]) for data, frame in (wanted[0], wanted[2], wanted[4])]
    assert read == [0, 1, 2]


def test_a_file_that_changed_after_it_was_decoded_ahead_is_read_again(tmp_path):
    paths = _pictures(tmp_path, 3)
    preprocessing = Preprocessing(40, decode_limit=SECONDS)
    normalize = preprocessing.transforms[-1]

    def change_the_last(item):
        if item["image"].max() == 0:  # that of the first file
            time.sleep(0.5)  # in which the others are decoded
            Image.fromarray(np.full((40, 40), 255, np.uint8)).save(paths[2])
        return normalize(item)

    preprocessing.transforms = (*preprocessing.transforms[:-1], change_the_last)
    data = RecordDataset([{"image": path} for path in paths], preprocessing, (1, 40, 40), input_digest=True)
    records = data.__getitems__([0, 1, 2])
    assert [float(record["image"].max() * 255) for record in records] == pytest.approx([0, 1, 255])
    assert records[2]["input_digest"] == data.digests.of(paths[2])
