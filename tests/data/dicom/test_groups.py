# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pydicom.dataset import Dataset
from pydicom.uid import BreastTomosynthesisImageStorage, EnhancedUSVolumeStorage

from monai_anomaly.data.image_reader import ClinicalImageReader
from tests.helpers.dicom_files import make_dataset, read, refusal, save

FRAMES = np.random.default_rng(0).integers(0, 4096, (3, 40, 56), dtype=np.uint16)
TOP = {"RescaleSlope": 7, "RescaleIntercept": 5, "WindowCenter": 1, "WindowWidth": 9, "PixelSpacing": [9, 9]}


def item(**elements: Any) -> Dataset:
    dataset = Dataset()
    for keyword, value in elements.items():
        setattr(dataset, keyword, value)
    return dataset


def group(slope: float, center: float, spacing: float) -> dict[str, list[Dataset]]:
    return {
        "PixelValueTransformationSequence": [item(RescaleSlope=slope, RescaleIntercept=-3, RescaleType="US")],
        "FrameVOILUTSequence": [item(WindowCenter=center, WindowWidth=2001)],
        "PixelMeasuresSequence": [item(PixelSpacing=[spacing, spacing])],
    }


def make_enhanced(shared: dict[str, Any] | None, frames: list[dict[str, Any]], **elements: Any) -> Dataset:
    dataset = make_dataset(FRAMES, BitsStored=12, HighBit=11, **elements)
    dataset.SOPClassUID = dataset.file_meta.MediaStorageSOPClassUID = BreastTomosynthesisImageStorage
    if shared is not None:
        dataset.SharedFunctionalGroupsSequence = [item(**shared)]
    if frames:
        dataset.PerFrameFunctionalGroupsSequence = [item(**frame) for frame in frames]
    return dataset


def shown(frame: int, slope: float, center: float) -> np.ndarray:
    return np.clip((FRAMES[frame].astype(float) * slope - 3 - (center - 0.5)) / 2000 + 0.5, 0, 1)  # PS3.3 C.11.2.1.2


def test_each_frame_has_its_own(tmp_path: Path):
    frames = [group(1 + n, 1000 + 100 * n, 0.1 + n) for n in range(3)]
    path = save(tmp_path / "a.dcm", make_enhanced(None, frames, **TOP))
    for n in (2, 0, 1):
        image, meta = read(path, frame=n)
        np.testing.assert_allclose(image[0], shown(n, 1 + n, 1000 + 100 * n), atol=1e-6)
        assert meta["spacing"] == pytest.approx([0.1 + n] * 2) and meta["voi"] and meta["warnings"] == []
    reader = ClinicalImageReader(channels=None)
    for n, decoded in enumerate(reader.read_frames(path)):
        np.testing.assert_array_equal(decoded.pixels, read(path, frame=n)[0])


def test_shared_ones_hold_where_a_frame_has_none(tmp_path: Path):
    frames = [{}, {"FrameVOILUTSequence": [item(WindowCenter=500, WindowWidth=2001)]}, {}]
    path = save(tmp_path / "a.dcm", make_enhanced(group(2, 1000, 0.3), frames, **TOP))
    for n, center in enumerate((1000, 500, 1000)):
        image, meta = read(path, frame=n)
        np.testing.assert_allclose(image[0], shown(n, 2, center), atol=1e-6)
        assert meta["spacing"] == [0.3, 0.3]


def test_a_group_replaces_all_of_its_elements(tmp_path: Path):
    group_of_all = {"FrameVOILUTSequence": [item(WindowCenter=1000, WindowWidth=2001)]}
    path = save(tmp_path / "a.dcm", make_enhanced(group_of_all, [], VOILUTFunction="SIGMOID"))
    np.testing.assert_allclose(read(path)[0][0], np.clip((FRAMES[1] - 999.5) / 2000 + 0.5, 0, 1), atol=1e-6)


def test_groups_without_these_leave_the_top_alone(tmp_path: Path):
    frames = [{"FrameContentSequence": [item(FrameAcquisitionNumber=n)]} for n in range(3)]
    top = {"WindowCenter": 1000, "WindowWidth": 2001, "PixelSpacing": [0.5, 0.5]}
    image, meta = read(save(tmp_path / "a.dcm", make_enhanced({}, frames, **top)), frame=2)
    np.testing.assert_allclose(image[0], np.clip((FRAMES[2] - 999.5) / 2000 + 0.5, 0, 1), atol=1e-6)
    assert meta["spacing"] == [0.5, 0.5]


def test_shutter_of_a_frame(tmp_path: Path):
    shutter = {
        "ShutterShape": "RECTANGULAR",
        "ShutterLeftVerticalEdge": 11,
        "ShutterRightVerticalEdge": 56,
        "ShutterUpperHorizontalEdge": 1,
        "ShutterLowerHorizontalEdge": 40,
    }
    frames = [{}, {"FrameDisplayShutterSequence": [item(**shutter)]}, {}]
    path = save(tmp_path / "a.dcm", make_enhanced(None, frames))
    assert [read(path, frame=n)[1]["masked"] for n in range(3)] == pytest.approx([0, 10 / 56, 0])


def test_volume_of_ultrasound_is_read(tmp_path: Path):
    dataset = make_enhanced(None, [group(1, 1000, 0.1)] * 3)
    dataset.SOPClassUID = dataset.file_meta.MediaStorageSOPClassUID = EnhancedUSVolumeStorage
    assert read(save(tmp_path / "a.dcm", dataset))[1]["spacing"] == [0.1, 0.1]


@pytest.mark.parametrize("text", [b"nan ", b"abcd", b"0   ", b"1e09"])
def test_numbers_of_a_frame_are_checked(tmp_path: Path, text: bytes):
    path = tmp_path / "a.dcm"
    save(path, make_enhanced(None, [group(1, 9, 1), group(7.25, 9, 1), group(1, 9, 1)]))
    path.write_bytes(path.read_bytes().replace(b"7.25", text))
    assert read(path, frame=0)[0].shape == (1, 40, 56)
    error = refusal(path, frame=1)
    assert error.code == "non_finite" and "(0028,1053) Rescale Slope" in error.message


def test_fewer_groups_than_frames(tmp_path: Path):
    error = refusal(save(tmp_path / "a.dcm", make_enhanced(None, [group(1, 9, 1)] * 2)))
    assert error.code == "inconsistent" and "(5200,9230) Per-Frame Functional Groups Sequence" in error.message
