# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

import hashlib
import json
import os
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pydicom
import pytest
from PIL import Image
from pydicom.uid import UID
from scipy.stats import kstest
from sklearn.metrics import roc_auc_score

from monai_anomaly.phantom import phantom
from monai_anomaly.phantom.generators import PhantomKind
from monai_anomaly.phantom.phantom import make_phantom, phantom_dir
from monai_anomaly.phantom.ultrasound.physics import Echo, Probe, received_db, speckle
from monai_anomaly.phantom.ultrasound.ultrasound import ULTRASOUND_VERSION
from tests.helpers.phantoms import STATISTICS, digest, read_list

SMALL = {"num_train": 6, "num_val": 4, "num_test": 12}


def region_of(data: pydicom.Dataset) -> tuple[slice, slice]:
    item = data.SequenceOfUltrasoundRegions[0]
    rows = slice(item.RegionLocationMinY0, item.RegionLocationMaxY1 + 1)
    return rows, slice(item.RegionLocationMinX0, item.RegionLocationMaxX1 + 1)


def gray_frame(data: pydicom.Dataset) -> np.ndarray:
    """Return the middle frame, gray, uint8."""
    pixels = data.pixel_array
    if "NumberOfFrames" in data:
        pixels = pixels[len(pixels) // 2]
    return pixels if pixels.ndim == 2 else np.asarray(Image.fromarray(pixels).convert("L"))


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_phantom(tmp_path_factory.mktemp("small") / "phantom", seed=3, progress=False, **SMALL)


@pytest.fixture(scope="module")
def default(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return Path(phantom_dir(root=tmp_path_factory.mktemp("cache")))


def complex_noise(rng: np.random.Generator, shape: tuple[int, ...]) -> np.ndarray:
    return ((rng.standard_normal(shape) + 1j * rng.standard_normal(shape)) / np.sqrt(2)).astype(np.complex64)


def test_speckle_of_even_tissue_is_rayleigh() -> None:
    noise = complex_noise(np.random.default_rng(0), (768, 512))
    lateral = np.linspace(1.0, 2.2, 768)
    envelope = np.abs(speckle(noise, 1.2, lateral))
    assert envelope.mean() / envelope.std() == pytest.approx(np.sqrt(np.pi / (4 - np.pi)), rel=0.02)
    assert (envelope**2).mean() == pytest.approx(1.0, rel=0.02)  # the blur keeps the energy
    apart = envelope[::12, ::20].ravel()
    assert kstest(apart, "rayleigh", args=(0, np.sqrt(0.5))).pvalue > 0.01


def test_speckle_widens_with_the_lateral_resolution() -> None:
    noise = complex_noise(np.random.default_rng(1), (512, 512))
    field = speckle(noise, 1.0, np.where(np.arange(512) < 256, 1.0, 3.0))

    def likeness(rows: np.ndarray) -> float:
        return float(np.abs((rows[:, 3:] * rows[:, :-3].conj()).mean()))

    # the autocorrelation of a Gaussian of sigma s at lag l is exp(-l^2 / (4 s^2))
    assert likeness(field[:250]) == pytest.approx(np.exp(-9 / 4), abs=0.04)
    assert likeness(field[262:]) == pytest.approx(np.exp(-9 / 36), abs=0.04)


def test_coherent_echo_is_rician() -> None:
    shape = (256, 256)
    rng = np.random.default_rng(2)
    flat = np.zeros(shape, np.float32)
    echo = Echo(scatter_db=flat, mirror=flat + 3, loss_db=flat)
    options = {"reach": 1.0, "axial": 1.0, "lateral": np.ones(256), "gain_db": np.zeros(256), "floor_db": -200.0}
    level = received_db(echo, complex_noise(rng, shape), electronic=complex_noise(rng, shape), **options)
    assert (10 ** (level / 10)).mean() == pytest.approx(3**2 + 1, rel=0.03)


def test_attenuation_and_gain_over_depth() -> None:
    shape = (200, 64)
    rng = np.random.default_rng(3)
    flat = np.zeros(shape, np.float32)
    echo = Echo(scatter_db=flat, mirror=flat, loss_db=flat + 30)
    noise, electronic = complex_noise(rng, shape), complex_noise(rng, shape)
    options = {"reach": 1.0, "axial": 1.0, "lateral": np.ones(200), "floor_db": -200.0, "electronic": electronic}
    without = received_db(echo, noise, gain_db=np.zeros(200), **options)
    gained = received_db(echo, noise, gain_db=np.linspace(0, 30, 200), **options)
    depth = np.linspace(0, 1, 200)
    assert np.polyfit(depth, without.mean(axis=1), 1)[0] == pytest.approx(-30, abs=1.5)
    assert np.polyfit(depth, gained.mean(axis=1), 1)[0] == pytest.approx(0, abs=1.5)


@pytest.mark.parametrize("radius", [0.0, 0.35])
def test_probe_grids_agree(radius: float) -> None:
    probe = Probe(rows=200, radius=radius, half_angle=0.45, width=1.1, depth_cm=10)
    x, z, line, depth = probe.pixel_grid
    back_x, back_z = probe.place(line, depth)
    np.testing.assert_allclose(back_x, x, atol=1e-5)
    np.testing.assert_allclose(back_z, z, atol=1e-5)
    assert probe.inside[100, probe.columns // 2]
    assert probe.inside.all() == (radius == 0)
    beam_x, beam_z, _ = probe.beam_grid
    converted = probe.scan_convert(np.ascontiguousarray(beam_z))
    assert np.abs(converted - z)[probe.inside].max() < 2e-3
    assert beam_x.min() >= x.min() - 0.01 and beam_x.max() <= x.max() + 0.01


def test_same_seed_same_bytes_other_seed_others(small: Path, tmp_path: Path) -> None:
    again = make_phantom(tmp_path / "again", seed=3, progress=False, **SMALL)
    assert digest(again) == digest(small)
    other = make_phantom(tmp_path / "other", seed=4, progress=False, **SMALL)
    pixels, others = digest(small), digest(other)
    assert not {pixels[name] for name in pixels if name.endswith(".dcm")} & set(others.values())
    uids = [pydicom.dcmread(path).SOPInstanceUID for root in (small, other) for path in root.rglob("*.dcm")]
    assert len(set(uids)) == len(uids)


@pytest.mark.parametrize("kind", ["ultrasound", "radiograph", "skin"])
def test_a_pool_changes_no_other_file(tmp_path: Path, kind: PhantomKind) -> None:
    counts = {"kind": kind, "seed": 6, "num_train": 1, "num_val": 2, "num_test": 2, "progress": False}
    without = make_phantom(tmp_path / "without", num_unlabeled=0, **counts)
    pooled = make_phantom(tmp_path / "pooled", num_unlabeled=4, **counts)
    files, others = digest(pooled), digest(without)
    pool = {f"unlabeled/{number:04d}.dcm" for number in range(1, 5)}
    assert files.keys() - others.keys() == pool and not others.keys() - files.keys()
    assert {name for name in others if files[name] != others[name]} == {"dataset.json"}
    lists, before = read_list(pooled), read_list(without)
    entries = lists.pop("unlabeled")
    assert lists == before
    assert {entry["image"] for entry in entries} == pool
    assert len({files[name] for name in files if name.endswith(".dcm")}) == 9  # no image twice


def test_the_files_of_this_version_do_not_change(small: Path) -> None:
    """A cached set of the same version must be what would be made now.

    All of the headers and the list, but the gray levels nearly, for processors round differently.
    """
    assert ULTRASOUND_VERSION == 3, "a new version: put its numbers here"
    known = hashlib.sha256()
    means: dict[str, float] = {}
    for path in sorted(small.rglob("*.dcm")):
        data = pydicom.dcmread(path)
        means[path.relative_to(small).as_posix()] = float(data.pixel_array.mean())
        del data.PixelData
        known.update(json.dumps(data.to_json_dict(), sort_keys=True).encode())
    known.update((small / "dataset.json").read_bytes())
    assert known.hexdigest() == "7d36c6aa39f38179bdab0ddb240154ac37f881d8f671bcac08573f1ae855c80d"
    expected = {
        "test/0001.dcm": 63.95,
        "test/0002.dcm": 67.41,
        "test/0005.dcm": 35.74,
        "test/0010.dcm": 35.48,
        "training/0001.dcm": 45.97,
        "training/0003.dcm": 38.11,
        "validation/0004.dcm": 34.21,
    }
    assert {name: means[name] for name in expected} == pytest.approx(expected, abs=0.05)


def test_files_are_valid_dicom(default: Path) -> None:
    kinds: Counter[str] = Counter()
    studies: dict[str, set[str]] = {}
    lists = read_list(default)
    entries = [entry for split in ("training", "validation", "test") for entry in lists[split]]
    assert {entry["image"] for entry in entries} == {path for path in digest(default) if path.endswith(".dcm")}
    for entry in entries:
        data = pydicom.dcmread(default / entry["image"])
        color, cine = data.SamplesPerPixel == 3, "NumberOfFrames" in data
        kinds["color" if color else "cine" if cine else "gray"] += 1
        name = "Ultrasound Multi-frame Image Storage" if cine else "Ultrasound Image Storage"
        assert UID(data.SOPClassUID).name == name
        assert data.PhotometricInterpretation == ("RGB" if color else "MONOCHROME2")
        assert UID(data.SOPInstanceUID).is_valid
        assert str(data.PatientName) == f"PHANTOM^{entry['group']}"
        assert data.StudyDate == "" and data.file_meta.MediaStorageSOPInstanceUID == data.SOPInstanceUID
        studies.setdefault(data.StudyInstanceUID, set()).add(data.PatientID)
        rows, columns = region_of(data)
        assert 0 <= rows.start < rows.stop <= data.Rows and 0 <= columns.start < columns.stop <= data.Columns
        item = data.SequenceOfUltrasoundRegions[0]
        assert (item.RegionSpatialFormat, item.RegionDataType, item.PhysicalUnitsXDirection) == (1, 1, 3)
        assert 2 < item.PhysicalDeltaY * (rows.stop - rows.start) < 20  # centimeters
    assert all(len(patients) == 1 for patients in studies.values())
    assert kinds["gray"] > kinds["color"] >= 5 and kinds["cine"] >= 5


def test_text_is_outside_the_region_only(default: Path) -> None:
    for entry in read_list(default)["test"]:
        data = pydicom.dcmread(default / entry["image"])
        pixels = gray_frame(data)
        rows, columns = region_of(data)
        outside = pixels.copy()
        outside[rows, columns] = 0
        assert (outside > 120).sum() > 200
        region = pixels[rows, columns]
        convex = (region[:20, :20] == 0).all()
        if convex:  # nothing is drawn in the corners that the fan does not reach
            assert not region[:30, :30].any() and not region[:30, -30:].any()
        else:
            assert (region > 0).mean() > 0.5


def test_cine_frames_are_alike_and_differ(default: Path) -> None:
    cines = [
        data for path in sorted((default / "test").glob("*.dcm")) if "NumberOfFrames" in (data := pydicom.dcmread(path))
    ]
    assert cines
    frames = cines[0].pixel_array.astype(float)
    assert frames.shape == (cines[0].NumberOfFrames, cines[0].Rows, cines[0].Columns)
    rows, columns = region_of(cines[0])
    cut = frames[:, rows, columns].reshape(len(frames), -1)
    likeness = np.corrcoef(cut)
    assert 0.8 < likeness[0, 1] < 0.9999 and likeness[0, -1] < likeness[0, 1]


def test_data_list(default: Path) -> None:
    entries = read_list(default)
    assert [len(entries[split]) for split in ("training", "validation", "test")] == [240, 40, 120]
    assert "unlabeled" not in entries
    assert {e["label"] for e in entries["training"]} == {0}
    assert Counter(e["kind"] for e in entries["test"]) == {"normal": 60, "mass": 20, "focus": 20, "cyst": 20}
    assert sum(e["label"] for e in entries["validation"]) == 20
    labels = [e["label"] for e in entries["test"]]
    assert labels != sorted(labels) and labels != sorted(labels, reverse=True)  # the name does not tell
    groups = {split: Counter(e["group"] for e in entries[split]) for split in ("training", "validation", "test")}
    assert all(max(sizes.values()) <= 3 and max(sizes.values()) > 1 for sizes in groups.values())
    assert not (groups["training"].keys() & groups["validation"].keys())
    assert not ((groups["training"].keys() | groups["validation"].keys()) & groups["test"].keys())
    sick = {e["group"] for e in entries["test"] if e["label"]}
    assert not sick & {e["group"] for e in entries["test"] if not e["label"]}


def test_masks(default: Path) -> None:
    for split in ("training", "validation", "test"):
        for entry in read_list(default)[split]:
            assert ("mask" in entry) == bool(entry["label"])
            if "mask" not in entry:
                continue
            mask = np.asarray(Image.open(default / entry["mask"]))
            data = pydicom.dcmread(default / entry["image"], stop_before_pixels=True)
            assert mask.shape == (data.Rows, data.Columns) and set(np.unique(mask)) == {0, 255}
            rows, columns = region_of(data)
            inside = mask[rows, columns] > 0
            assert inside.sum() == (mask > 0).sum()
            height = np.flatnonzero(inside.any(axis=1)).size / inside.shape[0]
            width = np.flatnonzero(inside.any(axis=0)).size / inside.shape[0]
            assert 0.17 < max(height, width) < 0.45
            assert 0.008 < inside.mean() < 0.13


def test_lesions_stand_out(default: Path) -> None:
    """Against the pixels at its sides, a mass or cyst is darker and a bright focus brighter."""
    right = []
    for entry in read_list(default)["test"]:
        if not entry["label"]:
            continue
        pixels = gray_frame(pydicom.dcmread(default / entry["image"])).astype(float)
        mask = np.asarray(Image.open(default / entry["mask"])) > 0
        rows = mask.any(axis=1)
        beside = np.zeros_like(mask)
        columns = np.flatnonzero(mask.any(axis=0))
        beside[rows, max(columns[0] - 15, 0) : columns[0] - 3] = True
        beside[rows, columns[-1] + 4 : columns[-1] + 16] = True
        top = mask & (np.cumsum(mask, axis=0) < 12) if entry["kind"] == "focus" else mask
        difference = pixels[top].mean() - pixels[beside].mean()
        right.append(difference > 15 if entry["kind"] == "focus" else difference < -20)
    assert np.mean(right) > 0.95


def test_no_simple_statistic_tells_a_lesion(default: Path) -> None:
    entries = read_list(default)["test"]
    labels = [entry["label"] for entry in entries]
    views: dict[str, list[np.ndarray]] = {"file": [], "region": [], "region at 64 x 64": []}
    for entry in entries:
        data = pydicom.dcmread(default / entry["image"])
        pixels = gray_frame(data)
        region = pixels[region_of(data)]
        small = Image.fromarray(region).resize((64, 64), Image.Resampling.BILINEAR)
        for view, image in zip(views.values(), (pixels, region, np.asarray(small)), strict=True):
            view.append(image.astype(np.float32) / 255)
    for view, images in views.items():
        for name, statistic in STATISTICS.items():
            values = [statistic(image) for image in images]
            assert len(set(values)) > 30, f"{name} of the {view} hardly varies"
            assert 0.40 <= roc_auc_score(labels, values) <= 0.60, f"{name} of the {view}"


def test_wrong_arguments(tmp_path: Path) -> None:
    for number in ("num_val", "num_test", "num_unlabeled"):
        for wrong in (3, -2):
            with pytest.raises(ValueError, match=f"even for all but training.* {number}={wrong}"):
                make_phantom(tmp_path / "odd", **{number: wrong})
    with pytest.raises(ValueError, match="num_train=-1"):
        make_phantom(tmp_path / "odd", num_train=-1)
    assert not (tmp_path / "odd").exists()
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "mine.txt").write_text("keep")
    with pytest.raises(ValueError, match="must be empty"):
        make_phantom(tmp_path / "full")
    assert os.listdir(tmp_path / "full") == ["mine.txt"]


def test_interrupted_build_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    calls = iter(range(3))
    write = phantom._write_case

    def stop(*arguments: object) -> object:
        if next(calls, None) is None:
            raise KeyboardInterrupt
        return write(*arguments)

    monkeypatch.setattr(phantom, "_write_case", stop)
    with pytest.raises(KeyboardInterrupt):
        phantom_dir(root=tmp_path)
    assert list(tmp_path.iterdir()) == []


def build_small(monkeypatch: pytest.MonkeyPatch, before_return: Callable[[], object] = lambda: None) -> list[int]:
    """Let phantom_dir build a small set; the list counts the builds."""
    builds: list[int] = []

    def make(root: Path, *, kind: str, seed: int) -> Path:
        assert kind == "ultrasound"
        builds.append(seed)
        made = make_phantom(root, seed=seed, num_train=1, num_val=0, num_test=0, progress=False)
        before_return()
        return made

    monkeypatch.setattr(phantom, "make_phantom", make)
    return builds


def test_phantom_dir_builds_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    builds = build_small(monkeypatch)
    monkeypatch.setenv("MONAI_ANOMALY_CACHE", str(tmp_path / "own"))
    with caplog.at_level("INFO"):
        first = phantom_dir(5)
    assert first == phantom_dir(5) == str(tmp_path / "own" / f"phantom-v{ULTRASOUND_VERSION}-seed5")
    assert builds == [5] and "generated" in caplog.text and first in caplog.text
    assert [path.name for path in (tmp_path / "own").iterdir()] == [Path(first).name]
    monkeypatch.delenv("MONAI_ANOMALY_CACHE")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "xdg"))
    assert Path(phantom_dir(5)).parent == tmp_path / "xdg" / "monai_anomaly"


def test_two_builders_at_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    target = tmp_path / f"phantom-v{ULTRASOUND_VERSION}-seed0"

    def other_wins() -> None:
        make_phantom(target, seed=0, num_train=1, num_val=0, num_test=0, progress=False)

    build_small(monkeypatch, other_wins)
    assert phantom_dir(0, root=tmp_path) == str(target)
    assert [path.name for path in tmp_path.iterdir()] == [target.name]
    assert (target / "dataset.json").is_file()
