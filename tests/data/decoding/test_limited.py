# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

"""A file is decoded in another process: the same to the bit, and the worst that it can do is to be refused."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from monai.data import DataLoader, Dataset
from PIL import Image

from measurements.mutations.seeds import seeds
from monai_anomaly.data.decoding import process
from monai_anomaly.data.decoding.jobs import FRAME, Job
from monai_anomaly.data.decoding.limited import check_decode_limit, decode_limited
from monai_anomaly.data.decoding.open_file import ReadRules
from monai_anomaly.data.decoding.process import end_decoders
from monai_anomaly.data.errors import ImageReadError
from monai_anomaly.data.image_reader import ClinicalImageReader
from tests.helpers.repository import ROOT

SECONDS = 60.0  # on a machine that is busy with other tests


@pytest.fixture(autouse=True, scope="module")
def _no_process_is_left():
    yield
    end_decoders()
    assert not process._all


def _picture(folder: Path, name: str = "a.png", side: int = 64) -> Path:
    path = folder / name
    Image.fromarray(np.add.outer(np.arange(side), np.arange(side)).astype(np.uint8)).save(path)
    return path


def _job(path: Path) -> Job:
    return Job(FRAME, str(path), ReadRules(), "raster")


def _answer(reader: ClinicalImageReader, path: Path) -> tuple[object, ...]:
    try:
        image = reader.read(path)
    except ImageReadError as error:
        return error.args
    facts = {name: value for name, value in vars(image).items() if name != "values"}
    kinds = [type(value) for value in vars(image).values()]
    return image.pixels.tobytes(), image.pixels.dtype, image.pixels.shape, facts, kinds, reader.count_frames(path)


def test_every_kind_of_file_is_read_as_in_this_process(tmp_path):
    here, there = ClinicalImageReader(), ClinicalImageReader(decode_limit=SECONDS)
    read = 0
    for number, (suffix, content) in enumerate(seeds()):
        path = tmp_path / f"{number}{suffix}"
        path.write_bytes(content)
        assert _answer(there, path) == _answer(here, path)
        read += len(_answer(here, path)) > 2
    assert read > 20


def test_frames_masks_and_rules_are_those_that_were_asked_for(tmp_path):
    cine = tmp_path / "cine.nii"
    import nibabel

    stored = np.arange(4 * 5 * 6, dtype=np.float32).reshape(4, 5, 6)
    cine.write_bytes(nibabel.Nifti1Image(stored, np.eye(4)).to_bytes())
    rules = {"frames_axis": 2, "value_range": (0.0, 200.0)}
    here, there = ClinicalImageReader(**rules), ClinicalImageReader(**rules, decode_limit=SECONDS)
    assert there.count_frames(cine) == 6
    for frame in (None, 0, 5):
        assert there.read(cine, frame).pixels.tobytes() == here.read(cine, frame).pixels.tobytes()
    frames = [image.frame for image in there.read_frames(cine, "every:2")]
    assert frames == [0, 2, 4]
    mask = _picture(tmp_path)
    assert there.read_mask(mask).dtype == bool
    assert np.array_equal(there.read_mask(mask), here.read_mask(mask))


@pytest.mark.parametrize(("name", "content"), [("a.png", b""), ("a.png", b"\x89PNG\r\n\x1a\n"), ("b.dcm", b"x" * 200)])
def test_an_error_is_the_same_error(tmp_path, name, content):
    path = tmp_path / name
    path.write_bytes(content)
    ends = []
    for reader in (ClinicalImageReader(), ClinicalImageReader(decode_limit=SECONDS)):
        with pytest.raises(ImageReadError) as error:
            reader.read(path)
        ends.append((error.value.code, error.value.message))
    assert ends[0] == ends[1]


def test_a_file_that_takes_too_long_is_refused_and_the_next_one_is_read(tmp_path):
    long, short = _picture(tmp_path, "long.png", 4000), _picture(tmp_path)
    reader = ClinicalImageReader(decode_limit=0.01)
    with pytest.raises(ImageReadError, match=r"budget: decoding took more than decode_limit=0\.01 seconds; raise it"):
        reader.read(long)
    reader.decode_limit = SECONDS
    assert reader.read(short).pixels.shape == (1, 64, 64)
    assert reader.read(long).pixels.shape == (1, 4000, 4000)


def test_a_file_that_does_not_compute_but_wait_is_ended_by_the_clock(tmp_path, monkeypatch):
    monkeypatch.setattr(process, "PATIENCE", 0.1)
    decoder = process.Decoder()
    os.kill(decoder._process.pid, signal.SIGSTOP)
    process._start_watch()
    with pytest.raises(ImageReadError, match="budget: decoding took more than decode_limit=2 seconds"):
        decoder.ask(_job(_picture(tmp_path)), 2)
    assert not decoder.usable


@pytest.mark.parametrize(
    ("number", "words"),
    [
        (signal.SIGKILL, "budget: the system ended the decoder, as it does when memory runs out"),
        (signal.SIGSEGV, "decode_failed: the decoder crashed on this file; export it again."),
        (signal.SIGABRT, "decode_failed: the decoder crashed on this file; export it again."),
    ],
)
def test_the_death_of_the_process_is_an_error_of_the_file(tmp_path, number, words):
    path = _picture(tmp_path)
    decoder = process.Decoder()
    os.kill(decoder._process.pid, number)
    with pytest.raises(ImageReadError, match=words):
        decoder.ask(_job(path), SECONDS)


def test_a_process_that_died_between_two_files_costs_no_file(tmp_path):
    path = _picture(tmp_path)
    decode_limited(_job(path), SECONDS)
    waiting = process._idle[-1]
    os.kill(waiting._process.pid, signal.SIGKILL)
    waiting._process.wait()
    assert decode_limited(_job(path), SECONDS).pixels.shape == (1, 64, 64)
    assert waiting not in process._all


def test_memory_beyond_the_limit_is_refused(tmp_path, monkeypatch):
    # 60,000,000 pixels of three colors are 240 MB of float32 and more while they are turned
    path = tmp_path / "a.png"
    Image.new("RGB", (6000, 5000)).save(path)
    script = "from monai_anomaly.data.decoding import worker; worker.MEMORY = 150 * 2**20; worker.main()"
    popen = subprocess.Popen
    monkeypatch.setattr(subprocess, "Popen", lambda command, **rest: popen([*command[:2], script], **rest))
    decoder = process.Decoder()
    with pytest.raises(ImageReadError, match=r"budget: .* ran out of memory"):
        decoder.ask(_job(path), SECONDS)
    decoder.end()


def test_threads_have_a_process_each_and_workers_of_a_loader_too(tmp_path):
    paths = [_picture(tmp_path, f"{side}.png", side) for side in range(40, 52)]
    reader = ClinicalImageReader(decode_limit=SECONDS)
    with ThreadPoolExecutor(3) as pool:
        sizes = [image.pixels.shape[1] for image in pool.map(reader.read, paths)]
    assert sizes == list(range(40, 52))
    assert 1 <= len(process._idle) <= 3

    def load(path: str) -> int:
        return int(reader.read(path).pixels.shape[1])

    loaded = DataLoader(Dataset([str(path) for path in paths], load), batch_size=4, num_workers=2)
    assert [int(size) for batch in loaded for size in batch] == sizes
    assert reader.read(paths[0]).pixels.shape == (1, 40, 40)  # whose process the loader's did not touch


def test_it_ends_with_the_program_that_started_it_even_if_that_is_killed(tmp_path):
    script = (
        "import sys; from monai_anomaly.data.decoding import process; "
        "d = process.Decoder(); print(d._process.pid, flush=True); sys.stdin.read()"
    )
    program = subprocess.Popen(
        [sys.executable, "-c", script], cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    number = int(program.stdout.readline())
    assert Path(f"/proc/{number}").exists()
    program.kill()
    program.communicate()
    end = time.monotonic() + 60
    while _runs(number):
        assert time.monotonic() < end
        time.sleep(0.05)


def _runs(number: int) -> bool:
    try:
        return Path(f"/proc/{number}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False


def test_it_imports_neither_pytorch_nor_monai():
    script = "import sys, monai_anomaly.data.decoding.worker; print({'torch', 'monai', 'itk'} & set(sys.modules))"
    command = [sys.executable, "-c", script]
    assert subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout == "set()\n"


def test_where_no_process_can_be_started_nobody_blames_the_file(tmp_path, monkeypatch):
    end_decoders()
    monkeypatch.setattr(sys, "executable", "/bin/false")
    with pytest.raises(RuntimeError, match="cannot be started; set decode_limit to None"):
        ClinicalImageReader(decode_limit=1).read(_picture(tmp_path))


@pytest.mark.parametrize("seconds", [0, -1, True, "10", float("inf"), float("nan")])
def test_a_limit_is_a_number_above_0_or_none(seconds):
    with pytest.raises(ValueError, match="decode_limit must be a number of seconds above 0, or None"):
        ClinicalImageReader(decode_limit=seconds)
    assert check_decode_limit(None) is None and check_decode_limit(0.5) == 0.5
