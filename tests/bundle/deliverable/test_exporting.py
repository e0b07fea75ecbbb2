# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

"""A detector's file beside the checkpoint that it was made of: equal in all that its user sees."""

from __future__ import annotations

import io
import json
import re
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

import monai_anomaly as ma
from monai_anomaly.apps.command.main import main
from monai_anomaly.bundle.deliverable.opening import read_card
from monai_anomaly.bundle.trained_detector import TrainedDetector
from monai_anomaly.utils.exceptions import CalibrationError, CheckpointError, ConfigError
from monai_anomaly.utils.exported.archive import rewritten
from monai_anomaly.utils.exported.onnx_entries import onnx_entry, sealed
from tests.helpers.doors import calibrate, write_model
from tests.helpers.trained_models import assert_same

KINDS = ["pt2", "ts", "onnx"]
PICTURES = np.random.default_rng(0).integers(0, 256, (8, 3, 20, 24), np.uint8)


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    """Return a small OCAD, calibrated by scores between its own: where two are equal, the last digit decides."""
    path = write_model(tmp_path_factory.mktemp("models"), name="OCAD")
    scores = [result.score for result in ma.load(path, device="cpu").score(list(PICTURES))]
    calibrate(path, [score + shift for score in scores for shift in (-1e-3, -2e-3, -3e-3)])
    return path


@pytest.fixture(scope="module")
def files(model):
    """Give a function that exports to a format, once, as a user does."""

    def file(kind: str) -> Path:
        path = model.with_name(f"new.{kind}")
        if kind == "onnx":
            pytest.importorskip("onnxscript", reason="needs the extra 'onnx'")
        if not path.exists():
            assert main(["export", str(model), "--format", kind, str(path)]) == 0
        return path

    return file


def assert_as_the_checkpoint(model: Path, file: Path) -> None:
    """Compare all that the door gives."""
    ours, theirs = ma.load(model, device="cpu"), ma.load(file, device="cpu")
    assert repr(ours) == repr(theirs) and ours.map_range == theirs.map_range == (0.0, 2.0)
    assert theirs.trained.model_hash == ours.trained.model_hash and theirs.trained.spec_hash == ours.trained.spec_hash
    assert_same(theirs.trained.own_guard.state(), json_of(ours.trained.own_guard.state()))
    assert_same(theirs.trained.score_statistics, ours.trained.score_statistics)
    for guard in (True, False):
        ours.guard, theirs.guard = (one.trained.guard if guard else None for one in (ours, theirs))
        decided = set()
        for one, other in zip(ours.score(list(PICTURES)), theirs.score(list(PICTURES)), strict=True):
            reasons = (one.p_value, one.decision, one.decision_reason)
            assert reasons == (other.p_value, other.decision, other.decision_reason)
            assert one.score == pytest.approx(other.score, abs=1e-5)
            np.testing.assert_allclose(one.anomaly_map, other.anomaly_map, atol=1e-5)
            decided.add(one.decision)
        assert decided == ({"not_applicable"} if guard else {"normal", "anomalous"})


def json_of(value):
    """Return a value with lists for tuples, as JSON has them."""
    if isinstance(value, dict):
        return {key: json_of(inner) for key, inner in value.items()}
    return [json_of(inner) for inner in value] if isinstance(value, (list, tuple)) else value


def batches_agree(model: Path, file: Path) -> None:
    """Compare batches of any size."""
    ours, theirs = TrainedDetector.read(model).detector, TrainedDetector.read(file).detector
    for count in (1, 3, 7, 32):
        images = torch.rand(count, 3, 16, 16, generator=torch.Generator().manual_seed(count))
        with torch.inference_mode():
            torch.testing.assert_close(theirs(images), ours(images), atol=1e-5, rtol=1e-5)
    with pytest.raises(ValueError, match="image must have shape"):
        theirs(torch.rand(1, 1, 16, 16))


@pytest.mark.parametrize("kind", ["pt2", "ts"])
def test_a_file_is_as_its_checkpoint(model, files, kind):
    assert_as_the_checkpoint(model, files(kind))
    batches_agree(model, files(kind))


def test_an_onnx_file_is_as_its_checkpoint(model, files):
    assert_as_the_checkpoint(model, files("onnx"))
    batches_agree(model, files("onnx"))
    onnxruntime = pytest.importorskip("onnxruntime")
    session = onnxruntime.InferenceSession(str(files("onnx")), providers=["CPUExecutionProvider"])
    (image,), (pred,) = session.get_inputs(), session.get_outputs()
    assert (image.name, image.shape) == ("image", ["batch", 3, 16, 16])
    assert (pred.name, pred.shape) == ("pred", ["batch", 1, 16, 16])


def test_what_the_card_says_and_what_no_file_says(model, files):
    for kind in ("pt2", "ts"):
        card = read_card(files(kind))
        trained = TrainedDetector.read(model)
        assert card["spec"] == json_of(trained.spec) and card["model_hash"] == trained.model_hash
        assert (card["input"], card["output"], card["image_shape"]) == ("image", "pred", [3, 16, 16])
        assert card["monai_anomaly"] == ma.__version__ and card["calibration"]["checksum"]
        with zipfile.ZipFile(files(kind)) as archive:
            everything = b"".join(map(archive.read, archive.namelist()))
        for private in (b"fingerprints", b"site-packages", str(Path(ma.__file__).parent.parent).encode()):
            assert private not in everything


@pytest.mark.parametrize("kind", KINDS)
def test_predict_takes_a_file_and_finds_bundle_and_calibration(model, files, tmp_path, kind):
    Image.fromarray(PICTURES[0].transpose(1, 2, 0)).save(tmp_path / "image.png")
    given = shutil.copy(files(kind), tmp_path)
    assert main(["predict", str(tmp_path / "image.png"), str(tmp_path / "out"), "--checkpoint", str(given)]) == 0
    (line,) = (tmp_path / "out" / "records.jsonl").read_text().splitlines()
    record, expected = json.loads(line), ma.load(model, device="cpu").score(tmp_path / "image.png")
    assert record["score"] == pytest.approx(expected.score, abs=1e-5)
    assert (record["p_value"], record["decision"]) == (expected.p_value, expected.decision)
    assert json.loads((tmp_path / "out" / "run.json").read_text())


def test_a_file_s_bundle_and_calibration_are_found_without_monai(files):
    program = (
        "import sys; from monai_anomaly.apps.command.inputs import bundle_of, calibration_of; "
        "name, place = bundle_of(sys.argv[1]).name, calibration_of(sys.argv[1]); "
        "print(name, place == sys.argv[1], 'torch' in sys.modules)"
    )
    done = subprocess.run(
        [sys.executable, "-c", program, str(files("pt2"))], capture_output=True, text=True, check=True
    )
    assert done.stdout.split() == ["ocad", "True", "False"]


def test_torchscript_has_what_monai_s_programs_look_for(files, tmp_path):
    with zipfile.ZipFile(shutil.copy(files("ts"), tmp_path / "new.ts")) as archive:
        metadata = json.loads(archive.read("new/extra/metadata.json"))
        assert "card" in json.loads(archive.read("new/extra/inference.json"))
    tensors = metadata["network_data_format"]
    assert tensors["inputs"]["image"]["spatial_shape"] == tensors["outputs"]["pred"]["spatial_shape"] == [16, 16]
    assert tensors["inputs"]["image"]["num_channels"] == 3


def test_a_calibration_is_of_the_weights_or_absent(model, tmp_path, capsys):
    alone = shutil.copy(model, tmp_path / "model.pt")
    assert main(["export", str(alone), "--format", "ts"]) == 0
    assert "without a calibration" in capsys.readouterr().out
    file = tmp_path / "model.ts"
    assert ma.load(file).calibration is None
    with pytest.raises(CalibrationError, match="there is no calibration"):
        ma.load(file, calibration=True)
    with pytest.raises(CalibrationError, match="exported without a calibration"):
        ma.load(file, calibration=file)
    beside = shutil.copy(model.with_name("calibration.json"), tmp_path)
    assert ma.load(file).threshold == ma.load(model).threshold  # a site may calibrate the file itself
    (tmp_path / "more").mkdir()
    other = write_model(tmp_path / "more", name="OCAD", frames="all")
    assert main(["export", str(other), str(tmp_path / "other.ts"), "--calibration", str(beside)]) == 1
    assert "the weights are others" in capsys.readouterr().err and not (tmp_path / "other.ts").exists()


def test_a_calibration_never_takes_the_place_of_a_detector(files):
    from monai_anomaly.bundle import calibration_folder, calibration_path

    assert calibration_path(files("ts")) == str(files("ts"))
    with pytest.raises(ConfigError, match="name a new file with --calibration"):
        calibration_folder(calibration_path(files("ts")))


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["export"], "export needs a checkpoint or a bundle"),
        (["export", "ocad"], "export needs --format pt2"),
        (["export", "none.pt", "new.ts"], "there is no checkpoint 'none.pt'"),
        (["export", "ocad", "new.ts", "--format", "onnx"], "must end with .onnx"),
        (["export", "ocad", "new.ts", "--device", "cpu"], "export knows no --device"),
        (["export", "ocad", "new.ts", "--checkpoint", "none.pt"], "there is no trained detector 'none.pt'"),
    ],
)
def test_mistakes_are_one_sentence(words, told, capsys):
    assert main(words) in (1, 2)
    said = capsys.readouterr().err
    assert told in said and said.count("\n") == 1


def test_an_export_is_no_checkpoint_to_export(files, tmp_path, capsys):
    assert main(["export", str(files("ts")), str(tmp_path / "again.pt2")]) == 1
    assert "name the checkpoint that it was made of" in capsys.readouterr().err


def refusal(path: Path, data: bytes) -> str:
    """Return why a file is refused."""
    path.write_bytes(data)
    with pytest.raises(CheckpointError) as caught:
        _ = TrainedDetector.read(path).detector
    assert str(caught.value).count("\n") == 0
    return str(caught.value)


@pytest.mark.parametrize("kind", KINDS)
def test_a_damaged_or_foreign_file_is_one_sentence(files, tmp_path, kind):
    data = files(kind).read_bytes()
    flipped = bytearray(data)
    flipped[len(data) // 2] ^= 1
    foreign = io.BytesIO()
    torch.save({"a": torch.zeros(1)}, foreign)
    for wrong in (bytes(flipped), data[:-1], data[: len(data) // 2], b"", b"words", foreign.getvalue()):
        assert "is damaged or no detector" in refusal(tmp_path / f"a.{kind}", wrong)
    stranger = sealed(onnx_entry("a", "b")) if kind == "onnx" else rewritten(foreign.getvalue(), "a", bool)
    assert "is damaged or no detector" in refusal(tmp_path / f"a.{kind}", stranger)
    with pytest.raises(CheckpointError, match="there is no checkpoint"):
        TrainedDetector.read(tmp_path / f"none.{kind}")


def changed(data: bytes, member: str, old: bytes, new: bytes) -> bytes:
    """Return an archive whose member says something else, sealed anew."""
    made = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(data)) as archive, zipfile.ZipFile(made, "w") as other:
        for name in archive.namelist():
            content = archive.read(name)
            if name.endswith(member):
                assert old in content
                content = content.replace(old, new, 1)
            other.writestr(name, content)
    return rewritten(made.getvalue(), "archive", bool)


@pytest.mark.parametrize(
    ("member", "old", "new"),
    [
        ("models/model.json", b'"expr_str": "', b"\"expr_str\": \"__import__('os').system('true') + "),
        ("models/model.json", b'"expr_str": "', b'"expr_str": "open(3) + '),
        ("models/model.json", b'"guards_code": []', b'"guards_code": ["print(1)"]'),
        ("models/model.json", b"torch.ops.aten.conv2d.default", b"torch.ops.aten.from_file.default"),
        ("models/model.json", b"torch.ops.aten.conv2d.default", b"torch.hub.load"),
        ("models/model.json", b'"name": "', b'"name": "x=print(1), '),
        ("model_weights_config.json", b'"use_pickle": false', b'"use_pickle": true'),
    ],
)
def test_a_program_that_would_run_more_than_a_detector_is_refused(files, tmp_path, member, old, new):
    said = refusal(tmp_path / "a.pt2", changed(files("pt2").read_bytes(), member, old, new))
    assert re.search(r"\((a \w+ that no detector has|a size that is no number|code|a pickle where tensors are)\)", said)


def test_a_pickle_in_a_program_is_refused(files, tmp_path, monkeypatch):
    made = io.BytesIO()
    torch.save(Path(), made)  # an object that is no tensor
    with zipfile.ZipFile(files("pt2")) as archive:
        samples = archive.read("archive/data/sample_inputs/model.pt")
    evil = changed(files("pt2").read_bytes(), "sample_inputs/model.pt", samples, made.getvalue())
    monkeypatch.setattr(torch.export, "load", None)  # is not come to
    assert "Weights only load failed" in refusal(tmp_path / "a.pt2", evil)


@pytest.mark.parametrize("code", [b"torch.save(x, 'f')", b"torch . from_file('f')", b"ops.image.read_file('f')"])
def test_a_script_that_would_touch_files_is_refused(files, tmp_path, code):
    evil = changed(files("ts").read_bytes(), "ocad/ocad.py", b"  def forward", code + b"\n  def forward")
    assert "reads or writes files" in refusal(tmp_path / "a.ts", evil)


def test_a_library_in_a_program_is_refused(files, tmp_path):
    made = io.BytesIO(files("pt2").read_bytes())
    with zipfile.ZipFile(made, "a") as archive:
        archive.comment = b""
        archive.writestr("archive/data/aotinductor/model/a.so", b"code")
    evil = rewritten(made.getvalue(), "archive", bool)
    assert "a member that no detector has" in refusal(tmp_path / "a.pt2", evil)


def test_onnx_needs_its_extra_and_says_so(files, monkeypatch):
    path = files("onnx")
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    with pytest.raises(ConfigError, match=r"pip install 'monai_anomaly\[onnx\]'"):
        ma.load(path)
