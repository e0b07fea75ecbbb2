# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

"""The program of the process that decodes, in this process: questions in, answers out, nothing else between them."""

from __future__ import annotations

import gc
import io
import os
import signal
import subprocess
import sys
import threading
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from monai_anomaly.data.arrays import itk_image
from monai_anomaly.data.decoding import worker
from monai_anomaly.data.decoding.jobs import FRAME, Job, do_job
from monai_anomaly.data.decoding.messages import pack_answer, pack_message, read_answer, read_message, write_all
from monai_anomaly.data.decoding.open_file import ReadRules
from monai_anomaly.data.errors import ImageReadError

resource = pytest.importorskip("resource", reason="only Linux limits memory")
SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


@pytest.fixture
def run(monkeypatch):
    """Give a function that lets the program answer questions, and returns its answers' bytes and its limits."""
    handlers = [signal.getsignal(each) for each in SIGNALS]
    limits: list[tuple[int, int]] = []
    timers: list[float] = []
    monkeypatch.setattr(resource, "setrlimit", lambda kind, pair: limits.append(pair))
    monkeypatch.setattr(signal, "setitimer", lambda kind, seconds: timers.append(seconds))

    def ask(*questions: bytes) -> tuple[io.BytesIO, list[tuple[int, int]], list[float]]:
        (asked, asking), (reading, writing) = os.pipe(), os.pipe()
        kept = os.dup(0), os.dup(1)
        os.write(asking, b"".join(questions))
        os.close(asking)
        answered: list[bytes] = []

        def collect() -> None:
            with open(reading, "rb") as answers:
                answered.append(answers.read())

        collector = threading.Thread(target=collect)
        collector.start()
        try:
            os.dup2(asked, 0)
            os.dup2(writing, 1)
            os.close(writing)
            worker.main()
            assert [signal.getsignal(each) for each in SIGNALS] == [signal.SIG_IGN] * 3
            os.write(1, b"what a library prints")
        finally:
            for number, descriptor in enumerate(kept):
                os.dup2(descriptor, number)
                os.close(descriptor)
            os.close(asked)
            for each, handler in zip(SIGNALS, handlers, strict=True):
                signal.signal(each, handler)
        gc.collect()  # nothing is left of the program, as when its process ends
        collector.join(60)
        return io.BytesIO(answered[0]), limits, timers

    return ask


def _question(path: Path, kind: str = "raster", seconds: float = 7.0) -> tuple[Job, bytes]:
    job = Job(FRAME, str(path), ReadRules(), kind)
    return job, pack_message({**job.to_plain(), "seconds": seconds})


def test_answers_are_those_of_the_job_and_nothing_stands_between_them(run, tmp_path):
    Image.fromarray(np.arange(64, dtype=np.uint8).reshape(8, 8)).save(tmp_path / "a.png")
    (tmp_path / "b.png").write_bytes(b"no picture")
    job, first = _question(tmp_path / "a.png")
    answers, limits, timers = run(first, _question(tmp_path / "b.png")[1], first)
    assert read_message(answers.readinto) == {"ready": True}
    for _ in range(2):
        image, expected = read_answer(answers.readinto), do_job(job)
        assert np.array_equal(image.pixels, expected.pixels)
        assert {**vars(image), "values": 0} == {**vars(expected), "values": 0}
        if _ == 0:
            with pytest.raises(ImageReadError):
                read_answer(answers.readinto)
    assert answers.read() == b""
    assert timers == [7.0, 0] * 3
    assert len(limits) == 2  # at the start, and with the decoder of the first file
    assert all(soft > worker.MEMORY for soft, _ in limits)


def test_itk_is_loaded_before_the_limits_of_its_first_file(run, tmp_path, monkeypatch):
    loaded: list[int] = []
    monkeypatch.setattr(itk_image, "load_itk", lambda: loaded.append(1))
    (tmp_path / "a.nrrd").write_bytes(b"NRRD0004\n")
    answers, limits, _ = run(_question(tmp_path / "a.nrrd", "nrrd")[1])
    read_message(answers.readinto)
    with pytest.raises(ImageReadError):
        read_answer(answers.readinto)
    assert loaded == [1] and len(limits) == 2


def test_a_process_that_decodes_pictures_imports_no_decoder_of_others():
    program = "import sys; from monai_anomaly.data.decoding import worker as w; w.load_decoder('raster'); "
    program += "print(*{'pydicom', 'nibabel', 'itk', 'torch', 'monai'} & sys.modules.keys())"
    assert subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True).stdout == "\n"


def test_a_question_that_is_cut_off_ends_it(run, tmp_path):
    answers, _, timers = run(_question(tmp_path / "a.png")[1][:-3])
    assert read_message(answers.readinto) == {"ready": True} and answers.read() == b"" and timers == []


@pytest.mark.parametrize("answer", [7, np.arange(6, dtype=np.float32).reshape(1, 2, 3), np.zeros((2, 2), bool)])
def test_a_number_and_an_array_come_back_as_they_were(answer):
    stream = io.BytesIO()
    for part in pack_answer(answer):
        write_all(stream, part)
    stream.seek(0)
    back = read_answer(stream.readinto)
    assert type(back) is type(answer) and np.array_equal(back, answer)
    assert stream.read() == b""


def test_an_array_of_another_type_is_none_of_ours():
    stream = io.BytesIO(b"".join(map(bytes, pack_answer(np.zeros(3, np.float64)))))
    with pytest.raises(EOFError):
        read_answer(stream.readinto)
