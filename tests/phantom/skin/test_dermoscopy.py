# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

import hashlib
import io
import json
import zlib
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pydicom
import pytest
from PIL import Image
from pydicom.uid import UID
from scipy.ndimage import binary_dilation, binary_erosion
from skimage.color import rgb2hsv, rgb2lab
from skimage.filters import threshold_otsu
from skimage.measure import perimeter
from sklearn.decomposition import PCA
from sklearn.metrics import roc_auc_score

from monai_anomaly.data.image_reader import ClinicalImageReader
from monai_anomaly.phantom import phantom
from monai_anomaly.phantom.detail import coarsen, sharpness
from monai_anomaly.phantom.dicom import write_dataset
from monai_anomaly.phantom.phantom import make_phantom, phantom_dir
from monai_anomaly.phantom.plan import Case, plan_cases
from monai_anomaly.phantom.skin.anatomy import BLOOD, MELANIN, SIDE, Skin, grid, skin_density
from monai_anomaly.phantom.skin.camera import Settings, adjust, draw_settings, light, photograph
from monai_anomaly.phantom.skin.clutter import Clutter, cover
from monai_anomaly.phantom.skin.dermoscopy import DERMOSCOPY_VERSION, make_dermoscopy
from monai_anomaly.phantom.skin.dicom import make_dataset
from monai_anomaly.phantom.skin.lesion import LESION_KINDS, Lesion, LesionKind, draw_lesion, plain_lesion
from tests.helpers.phantoms import MORE_STATISTICS, digest, read_list

SMALL = {"num_train": 3, "num_val": 2, "num_test": 6}
NOTHING = Clutter(hairs=0, hair=(0.8, 0.6), bubbles=0, ruler=None, tick=10.0)


def to_gray(picture: np.ndarray) -> np.ndarray:
    return picture @ np.array([0.299, 0.587, 0.114])


def dark_part(picture: np.ndarray) -> np.ndarray:
    gray = to_gray(picture)
    return gray < threshold_otsu(gray)


def skin_tone(picture: np.ndarray) -> float:
    return float(np.median(np.concatenate([to_gray(picture)[:8], to_gray(picture)[-8:]])))


COLOR_STATISTICS: dict[str, Callable[[np.ndarray], float]] = {
    **{f"mean of {name}": lambda a, c=c: float(a[..., c].mean()) for c, name in enumerate("RGB")},
    **{f"contrast of {name}": lambda a, c=c: float(a[..., c].std()) for c, name in enumerate("RGB")},
    **{f"darkest of {name}": lambda a, c=c: float(np.quantile(a[..., c], 0.02)) for c, name in enumerate("RGB")},
    **{f"brightest of {name}": lambda a, c=c: float(np.quantile(a[..., c], 0.98)) for c, name in enumerate("RGB")},
    "area of the lesion": lambda a: float(dark_part(a).mean()),
    "darkness of the lesion": lambda a: float(to_gray(a)[dark_part(a)].mean()),
    "contrast to the skin": lambda a: float(to_gray(a)[~dark_part(a)].mean() - to_gray(a)[dark_part(a)].mean()),
    "contrast within the lesion": lambda a: float(to_gray(a)[dark_part(a)].std()),
    "skin tone": skin_tone,
    "mean saturation": lambda a: float(rgb2hsv(a)[..., 1].mean()),
    "spread of the saturation": lambda a: float(rgb2hsv(a)[..., 1].std()),
    "spread of green to red": lambda a: float(rgb2lab(a)[..., 1].std()),
    "spread of blue to yellow": lambda a: float(rgb2lab(a)[..., 2].std()),
    "spread of red over blue": lambda a: float((a[..., 0] - a[..., 2]).std()),
    "likeness of red and blue": lambda a: float(np.corrcoef(a[..., 0].ravel(), a[..., 2].ravel())[0, 1]),
    "steepest edge": lambda a: float(np.quantile(np.hypot(*np.gradient(to_gray(a))), 0.98)),
}


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("small") / "phantom"
    return make_phantom(root, kind="skin", seed=3, progress=False, **SMALL)


@pytest.fixture(scope="module")
def default(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the set of the default size, without the training images, whose making takes longer than all else here."""
    write = phantom._write_case

    def leave_out(generator: object, case: Case, *arguments: object) -> dict[str, str | int]:
        if case.split == "training":
            return {"label": int(case.kind is not None), "group": case.patient}
        return write(generator, case, *arguments)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(phantom, "_write_case", leave_out)
        return Path(phantom_dir(kind="skin", root=tmp_path_factory.mktemp("cache")))


@pytest.fixture(scope="module")
def pictures(default: Path) -> dict[str, np.ndarray]:
    """By the name in the list, (rows, columns, 3) in [0, 1]."""
    lists = read_list(default)
    return {
        entry["image"]: pydicom.dcmread(default / entry["image"]).pixel_array.astype(np.float32) / 255
        for entry in lists["validation"] + lists["test"]
    }


def read(path: Path) -> tuple[np.ndarray, dict]:
    reader = ClinicalImageReader(channels=3)
    return reader.get_data(reader.read(path))


def settings_of(seed: int) -> Settings:
    rng = np.random.default_rng(seed)
    return draw_settings(rng, rng)


def roughness(lesion: Lesion) -> float:
    """1 for a circle, more for a longer border around the same area."""
    return float(perimeter(lesion.mask) / np.sqrt(4 * np.pi * lesion.mask.sum()))


def unevenness(lesion: Lesion) -> float:
    """How much of the lesion does not cover itself when it is turned by 180 degrees about its center."""
    rows, columns = np.nonzero(lesion.mask)
    turned_rows, turned_columns = (np.rint(2 * at.mean() - at).astype(int) for at in (rows, columns))
    return float(1 - lesion.mask[turned_rows % SIDE, turned_columns % SIDE].mean())


def test_more_melanin_is_darker_and_browner_more_blood_redder() -> None:
    base = Skin(melanin=0.1, blood=0.05, mottle=0.1, furrows=0.01)
    pale, dark, red = (
        skin_density(np.random.default_rng(0), skin).mean((1, 2))
        for skin in (base, replace(base, melanin=0.5), replace(base, blood=0.15))
    )
    np.testing.assert_allclose(dark - pale, 0.4 * MELANIN, rtol=0.06)  # but for the mottle
    np.testing.assert_allclose(red - pale, 0.1 * BLOOD, rtol=1e-3)


def test_clutter_lies_where_it_is_said_to() -> None:
    picture = np.full((3, SIDE, SIDE), 0.7, np.float32)
    np.testing.assert_array_equal(cover(np.random.default_rng(0), picture, NOTHING), picture)
    hairy = cover(np.random.default_rng(0), picture, replace(NOTHING, hairs=5))
    hair = (hairy < 0.6).any(0)
    assert hairy.max() <= 0.7 + 1e-6 and 0.004 < hair.mean() < 0.1
    more = cover(np.random.default_rng(0), picture, replace(NOTHING, hairs=8))
    assert (more[:, hair] < 0.65).any(0).all() and (more < 0.6).any(0).sum() > hair.sum()
    wet = cover(np.random.default_rng(1), picture, replace(NOTHING, bubbles=4))
    assert wet.max() > 0.85 and wet.min() < 0.65
    for side in range(4):
        ruled = cover(np.random.default_rng(2), picture, replace(NOTHING, ruler=side))
        upright = np.rot90(ruled[0], -side)
        assert upright[:, 10:].min() == np.float32(0.7)
        rows = np.flatnonzero(upright[:, 2] < 0.6)
        starts = rows[np.r_[True, np.diff(rows) > 1]]
        np.testing.assert_allclose(np.diff(starts), 10, atol=1)
        assert 1 <= (upright[starts, 7] < 0.6).sum() <= 3  # each fifth is long


@pytest.mark.parametrize("kind", [None, *LESION_KINDS])
def test_a_lesion_has_the_size_and_the_color_that_are_asked_for(kind: LesionKind | None) -> None:
    for seed in range(6):
        mole = settings_of(seed).mole
        lesion = draw_lesion(np.random.default_rng(seed), mole, kind)
        assert lesion.mask.sum() == mole.area
        color = lesion.density.sum((1, 2)) / lesion.share.sum()
        np.testing.assert_allclose(color, mole.color, rtol=1e-3)
        x, y = grid()
        middle = x[lesion.mask].mean(), y[lesion.mask].mean()
        assert np.hypot(middle[0] - mole.middle[0], middle[1] - mole.middle[1]) < 0.5 * np.sqrt(mole.area / np.pi)
        assert lesion.density.min() > -0.5 and np.abs(lesion.network).mean() > 0.5 and np.abs(lesion.dots).mean() > 0.5


def test_benign_lesions_are_regular_and_cancerous_ones_are_not() -> None:
    rough: dict[bool, list[float]] = {False: [], True: []}
    uneven: dict[bool, list[float]] = {False: [], True: []}
    hues: dict[bool, list[float]] = {False: [], True: []}
    for seed in range(30):
        mole = settings_of(seed).mole
        for kind in (None, LESION_KINDS[seed % 3]):
            lesion = draw_lesion(np.random.default_rng(seed), mole, kind)
            rough[kind is not None].append(roughness(lesion))
            uneven[kind is not None].append(unevenness(lesion))
            within = lesion.density[:, binary_erosion(lesion.mask, iterations=2)] / np.array(mole.color)[:, None]
            hues[kind is not None].append(float((within[0] - within[2]).std()))  # 0 for one hue of any depth
    for measure in (rough, uneven, hues):
        assert roc_auc_score([0] * 30 + [1] * 30, measure[False] + measure[True]) > 0.95
    assert max(rough[False]) < 1.25 and max(uneven[False]) < 0.16 and max(hues[False]) < 0.03
    plain = plain_lesion(replace(settings_of(0).mole, aspect=1.0, edge=0.3))
    assert unevenness(plain) < 0.05 and roughness(plain) == pytest.approx(1, abs=0.05)


def test_tones_of_the_kinds() -> None:
    """A regressing lesion has lost pigment in places, a nodular one has bluish ones."""
    lightest, bluest = {}, {}
    for kind in LESION_KINDS:
        tones = []
        for seed in range(24):
            mole = settings_of(seed).mole
            lesion = draw_lesion(np.random.default_rng(100 + seed), mole, kind)
            within = binary_erosion(lesion.mask, iterations=3)
            ratio = lesion.density[:, within] / np.array(mole.color)[:, None]
            tones.append((np.quantile(ratio[1], 0.03), np.quantile(ratio[0] / np.maximum(ratio[2], 0.2), 0.97)))
        lightest[kind], bluest[kind] = np.mean(tones, 0)
    assert lightest["regressing"] < min(lightest["nodular"], lightest["spreading"]) - 0.05
    assert bluest["spreading"] < min(bluest["nodular"], bluest["regressing"]) - 0.05


def test_light_fades_to_the_corners_and_tilts() -> None:
    settings = replace(settings_of(0), vignette=0.2, tilt=(0.0, 0.0), balance=(1.1, 1.0, 0.9))
    even = light(settings)
    np.testing.assert_allclose(even[0] / even[2], 1.1 / 0.9, rtol=1e-5)
    assert even[1, 64, 64] == pytest.approx(1, abs=1e-3) and even[1, 0, 0] == pytest.approx(0.8, abs=0.01)
    tilted = light(replace(settings, tilt=(0.05, 0.0)))[1]
    assert tilted[64, -1] - tilted[64, 0] == pytest.approx(0.1, abs=0.002) and tilted[0, 64] == pytest.approx(
        0.9, abs=5e-3
    )


@pytest.mark.parametrize("kind", [None, *LESION_KINDS])
def test_adjusting_meets_the_targets_whatever_the_lesion(kind: LesionKind | None) -> None:
    rng = np.random.default_rng(7)
    settings = replace(settings_of(4), coarse_detail=0.115, detail=1.25, hues=0.05)
    skin = skin_density(rng, settings.skin)
    plain = light(settings) * np.exp(-skin - plain_lesion(settings.mole).density)
    lesion = draw_lesion(rng, settings.mole, kind)
    picture = adjust(skin, BLOOD[:, None, None] * lesion.halo, lesion, settings)
    np.testing.assert_allclose(picture.mean((1, 2)), plain.mean((1, 2)), atol=1e-4)
    np.testing.assert_allclose(picture.std((1, 2)), settings.contrast * plain.std((1, 2)), rtol=1e-3)
    gray = to_gray(picture.transpose(1, 2, 0)).astype(np.float32)
    whole = np.ones((SIDE, SIDE), bool)
    coarse = sharpness(coarsen(gray), whole[:64, :64])
    assert coarse / gray.std() == pytest.approx(0.115, rel=0.05)
    assert sharpness(gray, whole) / coarse == pytest.approx(1.25, rel=0.08)
    assert 1 - np.corrcoef(picture[0].ravel(), picture[2].ravel())[0, 1] == pytest.approx(0.05, rel=0.2)


def test_a_picture_stays_within_black_and_white() -> None:
    settings = replace(settings_of(1), noise=0.3)
    picture = photograph(np.random.default_rng(0), settings, plain_lesion(settings.mole))
    assert picture.shape == (3, SIDE, SIDE) and picture.min() == 0 and picture.max() == 1


def test_the_file_shows_the_picture_exactly(tmp_path: Path) -> None:
    levels = np.random.default_rng(0).integers(0, 256, (3, SIDE, SIDE))
    data = make_dataset(
        levels.astype(np.float32) / 255, words=("test", "1"), patient="0001", number=1, settings=settings_of(0)
    )
    write_dataset(data, tmp_path / "a.dcm")
    shown, meta = read(tmp_path / "a.dcm")
    np.testing.assert_array_equal(shown, levels.astype(np.float32) / np.float32(255))
    assert meta["warnings"] == [] and meta["photometric"] == "RGB" and not meta["constant"]
    assert meta["spacing"] == pytest.approx([settings_of(0).pixel_mm] * 2)
    assert meta["spacing_origin"] == "pixel_spacing_geometry"


def test_same_seed_same_bytes_other_seed_others(small: Path, tmp_path: Path) -> None:
    again = make_phantom(tmp_path / "again", kind="skin", seed=3, progress=False, **SMALL)
    assert digest(again) == digest(small)
    other = make_phantom(tmp_path / "other", kind="skin", seed=4, progress=False, **SMALL)
    assert not {hash_ for name, hash_ in digest(small).items() if name.endswith(".dcm")} & set(digest(other).values())
    counts = {"num_train": 2, "num_val": 0, "num_test": 0, "num_unlabeled": 0}
    radiograph = make_phantom(tmp_path / "radiograph", kind="radiograph", seed=3, progress=False, **counts)
    roots = (small, other, radiograph)
    uids = [pydicom.dcmread(path).SOPInstanceUID for root in roots for path in root.rglob("*.dcm")]
    assert len(set(uids)) == len(uids)


def test_the_files_of_this_version_do_not_change(small: Path) -> None:
    """A cached set of the same version must be what would be made now; see the same test of the ultrasound."""
    assert DERMOSCOPY_VERSION == 1, "a new version: put its numbers here"
    known = hashlib.sha256()
    means: dict[str, list[float]] = {}
    for path in sorted(small.rglob("*.dcm")):
        data = pydicom.dcmread(path)
        means[path.relative_to(small).as_posix()] = data.pixel_array.mean((0, 1)).tolist()
        del data.PixelData
        known.update(json.dumps(data.to_json_dict(), sort_keys=True).encode())
    known.update((small / "dataset.json").read_bytes())
    assert known.hexdigest() == "81ad09e38df575ac119c94a385cd84f021f7a18f3c6b18afb87120916ed22d0b"
    expected = {
        "test/0001.dcm": [193.71, 153.56, 146.60],
        "test/0002.dcm": [167.11, 111.27, 94.29],
        "test/0004.dcm": [193.74, 153.58, 146.63],
        "training/0001.dcm": [185.59, 135.01, 123.69],
        "training/0003.dcm": [191.12, 138.56, 125.27],
        "validation/0002.dcm": [189.94, 141.11, 123.00],
    }
    for name, colors in expected.items():
        assert means[name] == pytest.approx(colors, abs=0.05)


def test_files_are_valid_dermoscopy_that_the_reader_reads_without_a_warning(default: Path) -> None:
    polarized: Counter[str] = Counter()
    studies: dict[str, set[str]] = {}
    lists = read_list(default)
    entries = lists["validation"] + lists["test"]
    assert {entry["image"] for entry in entries} == {path for path in digest(default) if path.endswith(".dcm")}
    for entry in entries:
        data = pydicom.dcmread(default / entry["image"])
        assert UID(data.SOPClassUID).name == "Dermoscopic Photography Image Storage" and data.Modality == "DMS"
        assert data.file_meta.MediaStorageSOPInstanceUID == data.SOPInstanceUID
        assert (data.SamplesPerPixel, data.PhotometricInterpretation, data.PlanarConfiguration) == (3, "RGB", 0)
        assert (data.Rows, data.Columns) == (SIDE, SIDE)
        assert (data.BitsAllocated, data.BitsStored, data.HighBit, data.PixelRepresentation) == (8, 8, 7, 0)
        # type 1 of the modules Enhanced General Equipment and Dermoscopic Image; type 2 may be empty, but not absent
        assert data.ManufacturerModelName and data.DeviceSerialNumber and data.SoftwareVersions
        assert data.RecognizableVisualFeatures == "NO" and data.AnatomicRegionSequence[0].CodeMeaning == "Skin"
        for keyword in "EmitterColorTemperature OpticalMagnificationFactor AcquisitionContextSequence".split():
            assert keyword in data
        assert (data.ContactMethod, data.ImmersionMedia) == ("CONTACT", "ULTRASOUND_GEL")
        assert str(data.PatientName) == f"PHANTOM^{entry['group']}" and data.PatientBirthDate == ""
        assert 8 < data.PixelSpacing[0] * data.Rows < 18  # millimeters
        polarized[data.LightSourcePolarization] += 1
        studies.setdefault(data.StudyInstanceUID, set()).add(data.PatientID)
        shown, meta = read(default / entry["image"])
        assert meta["warnings"] == [] and meta["masked"] == 0 and meta["box"] == [0, 0, SIDE, SIDE]
        np.testing.assert_array_equal(np.rint(255 * shown).astype(np.uint8), data.pixel_array.transpose(2, 0, 1))
    assert polarized.keys() == {"POLARIZED", "NON_POLARIZED"} and min(polarized.values()) > 40
    assert all(len(patients) == 1 for patients in studies.values())


def test_data_list(default: Path) -> None:
    entries = read_list(default)
    assert [len(entries[split]) for split in ("training", "validation", "test")] == [240, 80, 120]
    assert {e["label"] for e in entries["training"]} == {0}
    kinds = {"normal": 60, "spreading": 20, "nodular": 20, "regressing": 20}
    assert Counter(e["kind"] for e in entries["test"]) == kinds
    assert sum(e["label"] for e in entries["validation"]) == 40
    assert len({e["group"] for e in entries["validation"] if not e["label"]}) >= 20  # a calibration at 5 % needs 19
    labels = [e["label"] for e in entries["test"]]
    assert labels != sorted(labels) and labels != sorted(labels, reverse=True)  # the name does not tell
    groups = [{e["group"] for e in entries[split]} for split in ("training", "validation", "test")]
    assert sum(map(len, groups)) == len(set().union(*groups))


def test_a_pair_shares_skin_light_clutter_and_size_and_not_the_lesion() -> None:
    cases = plan_cases(0, {"test": (6, 6)}, LESION_KINDS, 2)

    def drawn(case: Case) -> Settings:
        return draw_settings(case.machine_rng(0), case.view_rng(0))

    hairs = set()
    for normal in [case for case in cases if case.kind is None]:
        sick = next(case for case in cases if case.kind is not None and case.pair == normal.pair)
        assert drawn(normal) == drawn(sick)
        hairs.add(drawn(normal).clutter.hairs)
        (first, no_mask), (second, mask) = make_dermoscopy(normal, 0), make_dermoscopy(sick, 0)
        assert no_mask is None and mask is not None and mask.shape == (SIDE, SIDE)
        assert (mask > 0).sum() == drawn(normal).mole.area
        assert first.PixelSpacing == second.PixelSpacing and first.PatientID != second.PatientID
        pixels = [np.frombuffer(data.PixelData, np.uint8).astype(float) for data in (first, second)]
        assert 0.3 < np.corrcoef(*pixels)[0, 1] < 0.99
    assert len(hairs) > 1


def test_images_of_a_patient_share_the_skin() -> None:
    cases = [case for case in plan_cases(1, {"training": (40, 0)}, LESION_KINDS, 2)]
    skins: dict[str, set[Skin]] = {}
    for case in cases:
        settings = draw_settings(case.machine_rng(1), case.view_rng(1))
        skins.setdefault(case.patient, set()).add(settings.skin)
    assert all(len(drawn) == 1 for drawn in skins.values()) and len(set().union(*skins.values())) == len(skins) < 40


def test_people_differ() -> None:
    settings = [settings_of(seed) for seed in range(100)]
    tones = [
        float(light(s)[1].mean() * np.exp(-skin_density(np.random.default_rng(0), s.skin)[1]).mean()) for s in settings
    ]
    assert np.ptp(tones) > 0.25
    areas = [s.mole.area / SIDE**2 for s in settings]
    assert min(areas) < 0.11 and max(areas) > 0.2 and max(s.mole.color[1] for s in settings) > 0.9
    assert {s.clutter.ruler for s in settings} == {None, 0, 1, 2, 3}
    assert 0 in {s.clutter.hairs for s in settings} and max(s.clutter.hairs for s in settings) > 5
    assert 0.1 < np.mean([s.clutter.bubbles > 0 for s in settings]) < 0.5


def test_masks_show_lesions_that_are_darker_than_what_is_around(default: Path, pictures: dict[str, np.ndarray]) -> None:
    lists = read_list(default)
    differences = []
    for entry in lists["validation"] + lists["test"]:
        assert ("mask" in entry) == bool(entry["label"])
        if "mask" not in entry:
            continue
        mask = np.asarray(Image.open(default / entry["mask"]))
        assert mask.shape == (SIDE, SIDE) and set(np.unique(mask)) == {0, 255}
        lesion = mask > 0
        assert 0.08 < lesion.mean() < 0.25
        rim = binary_dilation(lesion, iterations=14) & ~binary_dilation(lesion, iterations=6)
        gray = to_gray(pictures[entry["image"]])
        differences.append(gray[rim].mean() - gray[lesion].mean())
        assert (lesion & dark_part(pictures[entry["image"]])).sum() > 0.5 * lesion.sum()
    assert len(differences) == 100 and min(differences) > 0.03 and np.median(differences) > 0.12


def test_no_simple_statistic_tells_a_cancerous_lesion(default: Path, pictures: dict[str, np.ndarray]) -> None:
    lists = read_list(default)
    entries = lists["validation"] + lists["test"]
    labels = [entry["label"] for entry in entries]
    for side in (SIDE, 64):
        views = []
        for entry in entries:
            image = Image.fromarray((255 * pictures[entry["image"]]).round().astype(np.uint8))
            views.append(np.asarray(image.resize((side, side), Image.Resampling.BILINEAR)).astype(np.float64) / 255)
        found = {name: [statistic(view) for view in views] for name, statistic in COLOR_STATISTICS.items()}
        for name, statistic in MORE_STATISTICS.items():  # of a stretched picture, so that some is white and some black
            found[name] = [statistic(np.clip(1.5 * to_gray(view) - 0.25, 0, 1).astype(np.float32)) for view in views]
        for name, values in found.items():
            assert len(set(values)) > 30, f"{name} at {side} x {side} hardly varies"
            assert 0.35 <= roc_auc_score(labels, values) <= 0.65, f"{name} at {side} x {side}"
    files = [(default / entry["image"]).stat().st_size for entry in entries]
    packed = [len(zlib.compress((default / entry["image"]).read_bytes())) for entry in entries]
    assert len(set(files)) <= 3  # not compressed; a made-up UID has not always as many digits
    for sizes in (files, packed, [_jpeg_size(pictures[entry["image"]]) for entry in entries]):
        assert 0.35 <= roc_auc_score(labels, sizes) <= 0.65


def _jpeg_size(picture: np.ndarray) -> int:
    stream = io.BytesIO()
    Image.fromarray((255 * picture).round().astype(np.uint8)).save(stream, "JPEG", quality=85)
    return stream.tell()


def test_what_benign_lesions_do_not_have_tells_a_cancerous_one(default: Path, pictures: dict[str, np.ndarray]) -> None:
    """A model of the benign ones alone, here a linear one, sees it: neither impossible nor trivial."""
    entries = read_list(default)["test"]

    def shrink(levels: np.ndarray) -> np.ndarray:
        small = np.asarray(Image.fromarray(levels).resize((64, 64), Image.Resampling.BILINEAR)).astype(np.float32)
        return ((small - small.mean()) / small.std()).ravel()

    cases = plan_cases(5, {"training": (120, 0)}, LESION_KINDS, 2)
    benign = np.stack(
        [
            shrink(np.frombuffer(make_dermoscopy(case, 5)[0].PixelData, np.uint8).reshape(SIDE, SIDE, 3))
            for case in cases
        ]
    )
    images = np.stack([shrink(np.rint(255 * pictures[entry["image"]]).astype(np.uint8)) for entry in entries])
    model = PCA(24, svd_solver="randomized", random_state=0).fit(benign)
    missed = ((images - model.inverse_transform(model.transform(images))) ** 2).mean(1)
    assert 0.75 < roc_auc_score([entry["label"] for entry in entries], missed) < 0.97


def test_the_folder_has_its_version(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def make(root: Path, *, kind: str, seed: int) -> Path:
        assert kind == "skin"
        (root / "dataset.json").write_text("{}")
        return root

    monkeypatch.setattr("monai_anomaly.phantom.phantom.make_phantom", make)
    assert phantom_dir(2, kind="skin", root=tmp_path) == str(tmp_path / f"phantom-skin-v{DERMOSCOPY_VERSION}-seed2")
