# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

import hashlib
import json
from collections import Counter
from dataclasses import replace
from pathlib import Path

import numpy as np
import pydicom
import pytest
from PIL import Image
from pydicom.uid import UID
from scipy.ndimage import binary_dilation
from sklearn.metrics import roc_auc_score

from monai_anomaly.data.image_reader import ClinicalImageReader
from monai_anomaly.phantom import phantom
from monai_anomaly.phantom.chest.anatomy import Ellipse, Field, draw_chest, draw_trunk
from monai_anomaly.phantom.chest.console import adjust, draw_settings
from monai_anomaly.phantom.chest.dicom import make_dataset
from monai_anomaly.phantom.chest.lesion import LESION_KINDS, LesionKind, add_lesion
from monai_anomaly.phantom.chest.projection import BONE, SOFT, Paths, expose, project
from monai_anomaly.phantom.chest.radiograph import RADIOGRAPH_VERSION, make_radiograph
from monai_anomaly.phantom.detail import sharpness
from monai_anomaly.phantom.dicom import write_dataset
from monai_anomaly.phantom.phantom import make_phantom, phantom_dir
from monai_anomaly.phantom.plan import Case, plan_cases
from tests.helpers.phantoms import MORE_STATISTICS, digest, read_list

SMALL = {"num_train": 3, "num_val": 2, "num_test": 6, "num_unlabeled": 6}


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("small") / "phantom"
    return make_phantom(root, kind="radiograph", seed=3, progress=False, **SMALL)


@pytest.fixture(scope="module")
def default(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the set of the default size, without the images of training and pool, whose making takes long."""
    write = phantom._write_case

    def leave_out(generator: object, case: Case, *arguments: object) -> dict[str, str | int]:
        if case.split in ("training", "unlabeled"):
            return {"label": int(case.kind is not None), "group": case.patient, "kind": case.kind or "normal"}
        return write(generator, case, *arguments)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(phantom, "_write_case", leave_out)
        return Path(phantom_dir(kind="radiograph", root=tmp_path_factory.mktemp("cache")))


def read(path: Path) -> tuple[np.ndarray, dict]:
    """Return the picture that a bundle sees, (rows, columns), and what the reader says."""
    reader = ClinicalImageReader()
    pixels, meta = reader.get_data(reader.read(path))
    return pixels[0], meta


def square_field(turn: float = 0.0) -> Field:
    return Field(rows=120, columns=120, pixel_cm=0.3, left=-18.0, top=-2.0, turn=turn)


def normal_case(seed: int = 0) -> tuple[Field, Paths, object]:
    rng = np.random.default_rng(seed)
    trunk = draw_trunk(rng)
    chest = draw_chest(rng, rng, trunk)
    return square_field(), project(square_field(), trunk, chest), chest


def test_field_places_pixels() -> None:
    x, y = square_field().grid
    assert x[0, 0] == pytest.approx(-18 + 0.15) and y[0, 0] == pytest.approx(-2 + 0.15)
    assert x[5, -1] == pytest.approx(18 - 0.15) and y[-1, 5] == pytest.approx(34 - 0.15)
    turned_x, turned_y = square_field(turn=np.pi / 2).grid  # about the middle, at x = 0 and y = 16
    np.testing.assert_allclose(turned_x, y - 16, atol=1e-4)
    np.testing.assert_allclose(turned_y, 16 - x, atol=1e-4)


def test_path_through_an_ellipsoid_holds_its_volume() -> None:
    body = Ellipse(x=1.0, y=15.0, half_width=6.0, half_height=4.0, turn=0.5, depth=5.0)
    path = body.path(*square_field().grid)
    assert path.max() == pytest.approx(5.0, rel=0.01)
    assert path.sum() * 0.3**2 == pytest.approx(4 / 3 * np.pi * 6 * 4 * 2.5, rel=0.01)


def test_attenuation_counts_each_tissue_once() -> None:
    body, air, bone = (np.full((2, 2), value, np.float32) for value in (20.0, 12.0, 1.5))
    found = Paths(body=body, air=air, lung=air, bone=bone).attenuation()
    np.testing.assert_allclose(found, SOFT * (20 - 12 - 1.5) + BONE * 1.5, rtol=1e-6)


def test_dose_without_scatter_is_lambert_s_law_with_poisson_noise() -> None:
    attenuation = np.repeat(np.linspace(0, 4, 4, dtype=np.float32), 100)[None].repeat(400, axis=0)
    options = {"photons": 20000.0, "scatter": 0.0, "blur": 0.01, "pixel_cm": 0.1}
    dose = expose(attenuation, np.random.default_rng(0), **options)
    for step in range(4):
        part = dose[:, 100 * step + 5 : 100 * step + 95]
        assert part.mean() == pytest.approx(4 / 3 * step, abs=0.003)
        # the variance of a logarithm is that of a count over its square
        assert part.var() == pytest.approx(np.exp(4 / 3 * step) / 20000, rel=0.15)


def test_scatter_takes_contrast_and_blur_takes_sharpness() -> None:
    attenuation = np.zeros((200, 200), np.float32) + 3
    attenuation[:, 100:] = 1.5
    options = {"photons": 1e9, "pixel_cm": 0.15}
    plain, scattered, blurred = (
        expose(attenuation, np.random.default_rng(0), scatter=scatter, blur=blur, **options)
        for scatter, blur in ((0.0, 0.01), (0.5, 0.01), (0.0, 2.0))
    )
    assert plain[:, 20].mean() - plain[:, 180].mean() == pytest.approx(1.5, abs=0.01)
    assert scattered[:, 90].mean() - scattered[:, 110].mean() < 1.35
    assert np.abs(np.diff(blurred[100])).max() < 0.5 * np.abs(np.diff(plain[100])).max()


def test_paths_of_a_normal_chest_are_possible() -> None:
    for seed in range(4):
        field, paths, _ = normal_case(seed)
        x, y = field.grid
        for path in (paths.body, paths.air, paths.lung, paths.bone):
            assert np.isfinite(path).all() and path.min() >= 0 and path.max() < 35
        assert (paths.air + paths.bone <= paths.body + 1e-3).mean() > 0.999
        outside = paths.body == 0
        assert not paths.bone[outside].any() and not paths.air[outside].any()
        middle = (np.abs(y - 13) < 2) & (np.abs(np.abs(x) - 7) < 2)
        assert paths.lung[middle].min() > 2 and not paths.lung[y < -1].any()


@pytest.mark.parametrize("kind", LESION_KINDS)
def test_a_lesion_takes_the_place_of_air(kind: LesionKind) -> None:
    sides = set()
    for seed in range(6):
        field, paths, chest = normal_case(seed)
        seen = np.ones((field.rows, field.columns), bool)
        after, mask = add_lesion(np.random.default_rng(seed), kind, field, chest, paths, seen)
        filled = paths.lung - after.lung
        np.testing.assert_allclose(paths.air - after.air, filled, atol=1e-4)
        assert filled.min() >= 0 and after.lung.min() >= 0
        assert filled[mask].mean() > 1.5  # centimeters
        assert after.body is paths.body and after.bone is paths.bone
        assert filled[mask].min() > 0.25 * filled.max() - 1e-4 >= filled[~mask].max() - 2e-4
        x, y = field.grid
        sides.add(bool(x[mask].mean() > 0))
        if kind == "effusion":  # at the base of one lung, higher at the side
            assert y[mask].mean() > 20 and (np.sign(x[mask]) == np.sign(x[mask].mean())).all()
            inner, outer = (y[mask & (np.abs(np.abs(x) - at) < 1)].min() for at in (5, 10))
            assert outer < inner
    assert sides == {False, True}


def test_a_hidden_part_holds_no_lesion() -> None:
    field, paths, chest = normal_case()
    seen = field.grid[0] > 0
    for seed in range(8):
        _, mask = add_lesion(np.random.default_rng(seed), "nodule", field, chest, paths, seen)
        assert mask.any() and not mask[~seen].any()


def test_adjusting_meets_the_targets_whatever_the_dose() -> None:
    rng = np.random.default_rng(5)
    settings = draw_settings(rng, rng)
    field = settings.field
    paths = project(field, settings.trunk, draw_chest(rng, rng, settings.trunk))
    within = (paths.body > 0) & settings.seen
    options = {"photons": 40000.0, "blur": 0.6, "pixel_cm": field.pixel_cm}
    pictures = [
        adjust(factor * expose(paths.attenuation(), rng, scatter=scatter, **options), within, settings)
        for factor, scatter in ((1.0, 0.3), (1.3, 0.6))
    ]
    shares = [0.05, 0.3, 0.6, 0.95]
    first, second = (np.quantile(picture[within], shares) for picture in pictures)
    np.testing.assert_allclose(first, second, atol=0.01)
    details = [sharpness(np.clip(picture, 0, 1), within) for picture in pictures]
    assert details[0] == pytest.approx(details[1], rel=0.03)
    darker = adjust(expose(paths.attenuation(), rng, scatter=0.3, **options), within, replace(settings, gamma=1.5))
    assert np.quantile(darker[within], 0.5) < first[1:3].mean() - 0.02
    hidden = replace(settings, edges=(10, field.rows, 0, field.columns))
    assert adjust(-np.log(np.exp(-paths.attenuation())), within, hidden)[:10].max() <= 0


@pytest.mark.parametrize("inverted", [False, True])
def test_the_file_shows_the_picture(tmp_path: Path, inverted: bool) -> None:
    rng = np.random.default_rng(0)
    settings = replace(draw_settings(rng, rng), inverted=inverted)
    field = settings.field
    settings = replace(settings, edges=(7, field.rows - 5, 3, field.columns))
    picture = np.tile(np.linspace(-0.1, 1.1, field.columns, dtype=np.float32), (field.rows, 1))
    words = ("test", "1")
    write_dataset(make_dataset(picture, words=words, patient="0001", number=1, settings=settings), tmp_path / "a.dcm")
    shown, meta = read(tmp_path / "a.dcm")
    assert not meta["warnings"] and meta["voi"] and meta["inverted"] == inverted
    assert meta["photometric"] == ("MONOCHROME1" if inverted else "MONOCHROME2")
    assert meta["spacing"] == pytest.approx([10 * field.pixel_cm] * 2, abs=1e-3)
    np.testing.assert_allclose(shown[settings.seen], np.clip(picture, 0, 1)[settings.seen], atol=1 / 2000)
    assert not shown[~settings.seen].any() and meta["masked"] == pytest.approx((~settings.seen).mean())


def test_same_seed_same_bytes_other_seed_others(small: Path, tmp_path: Path) -> None:
    again = make_phantom(tmp_path / "again", kind="radiograph", seed=3, progress=False, **SMALL)
    assert digest(again) == digest(small)
    other = make_phantom(tmp_path / "other", kind="radiograph", seed=4, progress=False, **SMALL)
    assert not {hash_ for name, hash_ in digest(small).items() if name.endswith(".dcm")} & set(digest(other).values())
    ultrasound = make_phantom(tmp_path / "ultrasound", seed=3, progress=False, num_train=3, num_val=0, num_test=0)
    roots = (small, other, ultrasound)
    uids = [pydicom.dcmread(path).SOPInstanceUID for root in roots for path in root.rglob("*.dcm")]
    assert len(set(uids)) == len(uids)


def test_the_images_of_earlier_versions_did_not_change(small: Path) -> None:
    """What was measured on them holds. The number of version 1; see the same test of the ultrasound."""
    known = hashlib.sha256()
    means: dict[str, float] = {}
    lists = read_list(small)
    for split in ("training", "validation", "test"):
        known.update(json.dumps(lists[split], sort_keys=True).encode())
        for entry in lists[split]:
            data = pydicom.dcmread(small / entry["image"])
            means[entry["image"]] = float(data.pixel_array.mean())
            del data.PixelData
            known.update(json.dumps(data.to_json_dict(), sort_keys=True).encode())
    assert known.hexdigest() == "b99fbef71556ee46de659f0ddfca0b9ed07bd5656ad73430c247c5d21b02caab"
    expected = {
        "training/0001.dcm": 1743.2,
        "training/0003.dcm": 1713.46,
        "validation/0002.dcm": 1717.16,
        "test/0001.dcm": 1470.18,
        "test/0003.dcm": 2255.55,
        "test/0006.dcm": 2491.83,
    }
    assert {name: means[name] for name in expected} == pytest.approx(expected, abs=0.8)


def test_the_pool_s_files(small: Path) -> None:
    entries = read_list(small)["unlabeled"]
    assert [entry["image"] for entry in entries] == [f"unlabeled/{number:04d}.dcm" for number in range(1, 7)]
    assert Counter(entry["kind"] for entry in entries) == {"normal": 3, **dict.fromkeys(LESION_KINDS, 1)}
    for entry in entries:
        assert entry.keys() == {"image", "label", "group", "kind"}
        assert entry["label"] == (entry["kind"] != "normal")
        data = pydicom.dcmread(small / entry["image"])
        assert str(data.PatientName) == f"PHANTOM^{entry['group']}"
    assert sorted(path.name for path in (small / "masks").iterdir()) == ["test", "validation"]


def test_files_are_valid_radiographs_that_the_reader_reads_without_a_warning(default: Path) -> None:
    photometric: Counter[str] = Counter()
    masked = 0
    lists = read_list(default)
    entries = lists["validation"] + lists["test"]
    assert {entry["image"] for entry in entries} == {path for path in digest(default) if path.endswith(".dcm")}
    for entry in entries:
        data = pydicom.dcmread(default / entry["image"])
        assert UID(data.SOPClassUID).name == "Computed Radiography Image Storage" and data.Modality == "CR"
        assert data.file_meta.MediaStorageSOPInstanceUID == data.SOPInstanceUID
        assert (data.BodyPartExamined, data.ViewPosition, data.PatientOrientation) == ("CHEST", "PA", ["L", "F"])
        assert (data.BitsAllocated, data.BitsStored, data.HighBit) == (16, 12, 11) and data.pixel_array.max() < 4096
        assert str(data.PatientName) == f"PHANTOM^{entry['group']}" and data.PatientBirthDate == ""
        assert 30 < data.ImagerPixelSpacing[1] * data.Columns / 10 < 40  # centimeters
        photometric[data.PhotometricInterpretation] += 1
        picture, meta = read(default / entry["image"])
        assert meta["warnings"] == [] and meta["voi"]
        masked += meta["masked"] > 0
        rows, columns = picture.shape
        spine = picture[rows // 2 :, columns * 9 // 20 : columns * 11 // 20].mean()
        assert spine > picture[rows // 4 : rows // 2, columns // 5 : columns // 3].mean() + 0.2  # bone is white
    assert photometric["MONOCHROME2"] > photometric["MONOCHROME1"] >= 20
    assert 40 < masked < 160


def test_data_list(default: Path) -> None:
    entries = read_list(default)
    assert [len(entries[split]) for split in ("training", "validation", "test")] == [240, 80, 120]
    assert {e["label"] for e in entries["training"]} == {0}
    assert Counter(e["kind"] for e in entries["test"]) == {"normal": 60, "nodule": 20, "opacity": 20, "effusion": 20}
    assert sum(e["label"] for e in entries["validation"]) == 40
    labels = [e["label"] for e in entries["test"]]
    assert labels != sorted(labels) and labels != sorted(labels, reverse=True)  # the name does not tell


def test_the_pool_s_list(default: Path) -> None:
    lists = read_list(default)
    pool = lists["unlabeled"]
    assert Counter(e["kind"] for e in pool) == {"normal": 120, "nodule": 40, "opacity": 40, "effusion": 40}
    labels = [e["label"] for e in pool]
    assert sum(labels) == 120 and 0.4 < roc_auc_score(labels, range(240)) < 0.6  # the name does not tell,
    numbers = [int(e["group"]) for e in pool]
    assert 0.4 < roc_auc_score(labels, numbers) < 0.6  # nor does the patient's number
    assert min(numbers) > max(int(e["group"]) for split in ("training", "validation", "test") for e in lists[split])


def test_patients_of_every_seed() -> None:
    counts = {"training": (240, 0), "validation": (40, 40), "test": (60, 60), "unlabeled": (120, 120)}
    for seed in range(20):
        cases = plan_cases(seed, counts, LESION_KINDS, 2)
        before = {split: count for split, count in counts.items() if split != "unlabeled"}
        assert cases[:440] == plan_cases(seed, before, LESION_KINDS, 2)
        patients: dict[tuple[str, bool], Counter[str]] = {}
        for case in cases:
            patients.setdefault((case.split, case.kind is None), Counter())[case.patient] += 1
        assert max(max(images.values()) for images in patients.values()) == 2
        assert len(patients["validation", True]) >= 20  # a calibration at 5 % needs 19
        assert sum(map(len, patients.values())) == len(set().union(*patients.values()))  # none in two of them


@pytest.mark.parametrize("split", ["test", "unlabeled"])
def test_a_pair_shares_machine_and_settings_and_not_the_anatomy(split: str) -> None:
    cases = plan_cases(0, {split: (6, 6)}, LESION_KINDS, 2)
    keywords = (
        "Rows Columns PhotometricInterpretation WindowWidth ImagerPixelSpacing CollimatorLeftVerticalEdge".split()
    )
    for normal in [case for case in cases if case.kind is None][:3]:
        sick = next(case for case in cases if case.kind is not None and case.pair == normal.pair)
        (first, no_mask), (second, mask) = make_radiograph(normal, 0), make_radiograph(sick, 0)
        assert no_mask is None and mask is not None and mask.shape == (second.Rows, second.Columns)
        assert [first.get(keyword) for keyword in keywords] == [second.get(keyword) for keyword in keywords]
        assert first.PatientID != second.PatientID
        pixels = [np.frombuffer(data.PixelData, "<u2").astype(float) for data in (first, second)]
        assert 0.7 < np.corrcoef(*pixels)[0, 1] < 0.995


def test_masks_show_lesions_that_are_brighter_than_what_is_around(default: Path) -> None:
    differences: dict[str, list[float]] = {}
    for entry in read_list(default)["test"] + read_list(default)["validation"]:
        assert ("mask" in entry) == bool(entry["label"])
        if "mask" not in entry:
            continue
        mask = np.asarray(Image.open(default / entry["mask"]))
        picture, _ = read(default / entry["image"])
        assert mask.shape == picture.shape and set(np.unique(mask)) == {0, 255}
        lesion = mask > 0
        assert 0.003 < lesion.mean() < 0.16
        rim = binary_dilation(lesion, iterations=9) & ~binary_dilation(lesion, iterations=2)
        rim &= picture < np.quantile(picture, 0.6)  # lung, not the heart nor the abdomen
        differences.setdefault(entry["kind"], []).append(float(picture[lesion].mean() - picture[rim].mean()))
    assert differences.keys() == set(LESION_KINDS)
    for kind, values in differences.items():
        assert len(values) >= 33 and min(values) > 0.05 and np.median(values) > 0.12, kind


def test_no_simple_statistic_tells_a_lesion(default: Path) -> None:
    entries = read_list(default)["test"]
    labels = [entry["label"] for entry in entries]
    views: dict[str, list[np.ndarray]] = {"file": [], "file at 128 x 128": [], "file at 64 x 64": []}
    for entry in entries:
        picture, _ = read(default / entry["image"])
        whole = Image.fromarray((255 * picture).round().astype(np.uint8))
        views["file"].append(picture)
        for side in (128, 64):
            small = np.asarray(whole.resize((side, side), Image.Resampling.BILINEAR))
            views[f"file at {side} x {side}"].append(small.astype(np.float32) / 255)
    for view, images in views.items():
        for name, statistic in MORE_STATISTICS.items():
            values = [statistic(image) for image in images]
            assert len(set(values)) > 30, f"{name} of the {view} hardly varies"
            assert 0.40 <= roc_auc_score(labels, values) <= 0.60, f"{name} of the {view}"
    sizes = [(default / entry["image"]).stat().st_size for entry in entries]
    assert 0.40 <= roc_auc_score(labels, sizes) <= 0.60


def test_each_kind_has_its_own_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made: list[str] = []

    def make(root: Path, *, kind: str, seed: int) -> Path:
        made.append(kind)
        (root / "dataset.json").write_text("{}")
        return root

    monkeypatch.setattr("monai_anomaly.phantom.phantom.make_phantom", make)
    radiographs = phantom_dir(kind="radiograph", root=tmp_path)
    assert radiographs == str(tmp_path / f"phantom-radiograph-v{RADIOGRAPH_VERSION}-seed0")
    assert phantom_dir(kind="radiograph", root=tmp_path) == radiographs
    assert phantom_dir(root=tmp_path) == phantom_dir(kind="ultrasound", root=tmp_path) != radiographs
    assert made == ["radiograph", "ultrasound"]


def test_unknown_kind(tmp_path: Path) -> None:
    for make in (make_phantom, lambda root, kind: phantom_dir(kind=kind, root=root)):
        with pytest.raises(ValueError, match="one of ultrasound, radiograph, skin, got 'mri'"):
            make(tmp_path / "none", kind="mri")
    assert not (tmp_path / "none").exists()
