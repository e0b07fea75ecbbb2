# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

import dataclasses

import pytest
from pydicom import dcmread
from pydicom.dataset import Dataset
from pydicom.uid import UID

from monai_anomaly.utils.exceptions import ConfigError
from tests.dicom_results.test_dicom_results import MODEL, made_of, read, source_of

ROOT = "1.2.826.0.1.3680043.10.12345"
IMAGE = "examples_palette.dcm"
ROOTED = dataclasses.replace(MODEL, uid_root=ROOT)


def _uids(dataset: Dataset) -> set[str]:
    """All UIDs of an object and its header, but those of the standard."""
    found: set[str] = set()
    for part in (dataset, getattr(dataset, "file_meta", Dataset())):
        found |= {str(item.value) for item in part.iterall() if item.VR == "UI"}
    return {uid for uid in found if not uid.startswith("1.2.840.10008.")}


@pytest.mark.parametrize("root", [ROOT, "1.2", "1." + "9" * 38])
def test_all_new_uids_of_all_objects_are_below_the_root_valid_and_the_same_again(root: str) -> None:
    given = _uids(dcmread(source_of(IMAGE)))
    implementation = {str(read(made).file_meta.ImplementationClassUID) for made in made_of(IMAGE).values()}
    model = dataclasses.replace(MODEL, uid_root=root)
    objects = made_of(IMAGE, model=model)
    assert sorted(objects) == ["sc", "seg", "seg_binary", "sr"]
    for made in objects.values():
        new = _uids(read(made)) - given - implementation
        assert len(new) >= 2
        assert all(uid.startswith(f"{root}.") and UID(uid).is_valid and len(uid) <= 64 for uid in new)
    assert [made.content for made in made_of(IMAGE, model=model).values()] == [m.content for m in objects.values()]


def test_another_root_or_model_has_other_uids_and_the_same_series_number() -> None:
    models = [MODEL, ROOTED, dataclasses.replace(MODEL, uid_root="1.2"), dataclasses.replace(ROOTED, weights="c" * 64)]
    uids = [model.uid("instance", "1.2.3", "sr") for model in models]
    assert len(set(uids)) == len(models)
    assert uids[0].startswith("2.25.") and uids[1] == ROOTED.uid("instance", "1.2.3", "sr")
    assert ROOTED.uid("a", "b") != ROOTED.uid("ab")
    assert ROOTED.series_number("sr") == MODEL.series_number("sr")


def test_a_root_that_is_none_is_refused() -> None:
    with pytest.raises(ConfigError, match="uid_root"):
        dataclasses.replace(MODEL, uid_root="1.2.")
