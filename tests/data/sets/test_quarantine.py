# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

"""Bad files among good ones: named or counted, never lost."""

from __future__ import annotations

import json
import logging
from pathlib import Path

import numpy as np
import pytest
import torch
from monai.transforms import Compose
from PIL import Image
from torch.utils.data import DataLoader, Dataset

from monai_anomaly.data.errors import DataListError, ImageReadError
from monai_anomaly.data.picture_facts import PICTURE_FACTS
from monai_anomaly.data.sets.cached import CachedDataset
from monai_anomaly.data.sets.duplicates import warn_of_shared_images
from monai_anomaly.data.sets.epoch_sampler import EpochSampler
from monai_anomaly.data.sets.records import RecordDataset
from monai_anomaly.transforms.preprocessing import Preprocessing
from monai_anomaly.utils.identity import KEY_VARIABLE
from tests.helpers.dicom_files import make_dataset, save

COUNT = 100
BAD = (7, 40, 99)


@pytest.fixture(autouse=True)
def site_key(tmp_path_factory, monkeypatch):
    path = tmp_path_factory.mktemp("key") / "key"
    path.write_bytes(b"the key of one hospital")
    monkeypatch.setenv(KEY_VARIABLE, str(path))


def make_items(root: Path, count: int = COUNT, bad: tuple[int, ...] = BAD) -> list[dict]:
    pictures = np.random.default_rng(0).integers(0, 256, (count, 40, 40), dtype=np.uint8)
    for number, picture in enumerate(pictures):
        Image.fromarray(picture).save(root / f"{number}.png")
        if number in bad:
            (root / f"{number}.png").write_bytes((root / f"{number}.png").read_bytes()[:300])
    return [
        {"image": str(root / f"{n}.png"), "name": f"id{n}", "label": 0, "group": f"p{n}", "index": n}
        for n in range(count)
    ]


def cache(items, transform=None, **options) -> CachedDataset:
    return CachedDataset(items, transform or Preprocessing(16), progress=False, **options)


@pytest.mark.parametrize("workers", [0, 2])
def test_raise_names_the_first(tmp_path: Path, workers):
    with pytest.raises(ImageReadError, match=r"entry 7 \(id7\): ") as caught:
        cache(make_items(tmp_path), num_workers=workers)
    assert caught.value.code == "truncated" and str(tmp_path) not in str(caught.value)


@pytest.mark.parametrize("workers", [0, 2])
def test_quarantine_leaves_out_lists_and_counts(tmp_path: Path, workers, caplog):
    items = make_items(tmp_path)
    path = tmp_path / "new" / "quarantine.jsonl"
    with caplog.at_level(logging.WARNING):
        dataset = cache(items, num_workers=workers, on_bad="quarantine", quarantine_path=path)
    good = [item for item in items if item["index"] not in BAD]
    expected = cache(good)
    assert len(dataset) == len(expected) == COUNT - len(BAD)
    torch.testing.assert_close(dataset.images[:], expected.images[:], rtol=0, atol=0)
    assert dataset.items == expected.items
    lines = [json.loads(line) for line in path.read_text().splitlines()]
    assert lines == dataset.quarantined
    assert [(line["name"], line["index"], line["code"]) for line in lines] == [(f"id{n}", n, "truncated") for n in BAD]
    assert set(lines[0]) == {"name", "index", "code", "reason"} and str(tmp_path) not in path.read_text()
    assert [r.getMessage() for r in caplog.records].count(
        "3 of 100 images cannot be read and are left out: truncated 3."
    ) == 1


@pytest.mark.parametrize("workers", [0, 2])
def test_loaders_see_what_is_left(tmp_path: Path, workers):
    dataset = cache(make_items(tmp_path, 10, (3,)), on_bad="quarantine", max_bad_share=0.2)
    batches = list(DataLoader(dataset, batch_size=4, num_workers=workers))
    assert torch.cat([batch["index"] for batch in batches]).tolist() == [0, 1, 2, 4, 5, 6, 7, 8, 9]
    assert sum(len(b["image"]) for b in DataLoader(dataset, 4, sampler=EpochSampler(dataset, 12, seed=0))) == 12


def test_the_share_is_a_limit_and_the_list_is_written_first(tmp_path: Path):
    items = make_items(tmp_path)
    path = tmp_path / "quarantine.jsonl"
    assert len(cache(items, on_bad="quarantine", max_bad_share=0.03)) == 97
    with pytest.raises(DataListError, match=r"3 of 100 images cannot be read .*max_bad_share=0\.029"):
        cache(items, on_bad="quarantine", max_bad_share=0.029, quarantine_path=path)
    assert len(path.read_text().splitlines()) == 3


def test_nothing_left(tmp_path: Path):
    items = make_items(tmp_path, 3, (0, 1, 2))
    with pytest.raises(DataListError, match="none of the 3 images can be read"):
        cache(items, on_bad="quarantine", max_bad_share=1.0)


def test_the_list_of_a_good_run_is_empty(tmp_path: Path):
    path = tmp_path / "quarantine.jsonl"
    path.write_text("an old list")
    dataset = cache(make_items(tmp_path, 2, ()), on_bad="quarantine", quarantine_path=path)
    assert path.read_text() == "" and dataset.quarantined == []


@pytest.mark.parametrize("options", [{"on_bad": "skip"}, {"max_bad_share": 1.5}, {"max_bad_share": True}])
def test_options_are_checked(options):
    with pytest.raises(ValueError, match=next(iter(options))):
        cache([{"image": "a"}], **options)


def deep(error: type[BaseException], wrap: bool):
    """A transform in which a library raises for the third item; ``wrap`` puts it into MONAI's Compose."""

    def transform(item):
        if item["index"] == 2:
            raise error
        return {**item, "image": torch.full((1, 2, 2), float(item["index"]))}

    return Compose([transform]) if wrap else transform


@pytest.mark.parametrize("workers", [0, 2])
@pytest.mark.parametrize("wrap", [False, True])
@pytest.mark.parametrize(
    ("error", "code"), [(StopIteration, "decode_failed"), (MemoryError, "budget"), (RecursionError, "decode_failed")]
)
def test_no_exception_ends_the_loop_silently(error, code, wrap, workers):
    items = [{"image": "x", "name": f"id{n}", "index": n} for n in range(6)]
    with pytest.raises(ImageReadError, match=r"entry 2 \(id2\)") as caught:
        cache(items, deep(error, wrap), num_workers=workers)
    assert caught.value.code == code
    dataset = cache(items, deep(error, wrap), num_workers=workers, on_bad="quarantine", max_bad_share=0.2)
    assert [item["index"] for item in dataset.items] == [0, 1, 3, 4, 5]
    assert dataset.images[:][:, 0, 0, 0].tolist() == [0, 1, 3, 4, 5]
    assert [item["code"] for item in dataset.quarantined] == [code]


@pytest.mark.parametrize("workers", [0, 2])
def test_a_bug_is_not_a_bad_file(workers):
    items = [{"image": "x", "index": n} for n in range(6)]
    with pytest.raises(KeyError):
        cache(items, deep(KeyError, False), num_workers=workers, on_bad="quarantine", max_bad_share=1.0)


def make_cine_with_too_few_fragments(root: Path) -> list[dict]:
    """Three good files and a compressed cine of 5 frames of which 3 are there."""
    items = make_items(root, 3, ())
    cine = make_dataset(np.random.default_rng(1).integers(0, 256, (3, 40, 40), dtype=np.uint8))
    cine.compress("1.2.840.10008.1.2.5", encoding_plugin="pydicom")
    cine.NumberOfFrames = 5
    return [*items[:2], {**items[0], "image": save(root / "cine.dcm", cine), "name": "cine", "index": 2}, items[2]]


class Plain(Dataset):
    """What anyone writes."""

    def __init__(self, items):
        self.items, self.transform = items, Preprocessing(16)

    def __len__(self):
        return len(self.items)

    def __getitem__(self, index):
        return self.transform(self.items[index])


@pytest.mark.parametrize("workers", [0, 2])
@pytest.mark.parametrize("frame", [None, 4])
def test_a_cine_with_missing_frames_is_never_passed_over(tmp_path: Path, workers, frame):
    items = make_cine_with_too_few_fragments(tmp_path)
    if frame is not None:
        items[2]["frame"] = frame
    records = [
        r
        for batch in DataLoader(RecordDataset(items, Preprocessing(16), (1, 16, 16)), 1, num_workers=workers)
        for r in batch["code"]
    ]
    assert records == ["", "", "frame_count", ""]
    with pytest.raises((ImageReadError, RuntimeError), match=r"frame_count|ImageReadError"):
        list(DataLoader(Plain(items), batch_size=1, num_workers=workers))


def test_nothing_kept_is_a_path(tmp_path: Path):
    (item,) = make_items(tmp_path, 1, ())
    item |= {"mask": "", "frames": "all", "source": str(tmp_path), "patient": "DOE", "patient_hash": "DOE"}
    dataset = cache([item])
    known = {"image", "name", "label", "group", "index", "row", "frame", "warnings", *PICTURE_FACTS}
    assert set(dataset[0]) == known
    Image.fromarray(np.full((40, 40), 255, np.uint8)).save(tmp_path / "mask.png")
    for name in ("0.png", "none.png"):
        listed = {"image": str(tmp_path / name), "mask": str(tmp_path / "mask.png"), "name": "id0", "index": 0}
        record = RecordDataset([listed], Preprocessing(16), (1, 16, 16))[0]
        assert not [value for value in record.values() if isinstance(value, str) and str(tmp_path) in value]


def test_the_frame_that_an_item_names_is_decoded(tmp_path: Path):
    cine = np.stack([np.full((40, 40), value, np.uint8) for value in (0, 51, 102, 204)])
    path = save(tmp_path / "a.dcm", make_dataset(cine))
    dataset = cache([{"image": path, "frame": n, "index": 0} for n in (3, 1)] + [{"image": path, "index": 0}])
    assert dataset.images[:][:, 0, 0, 0].tolist() == pytest.approx([0.8, 0.2, 0.4])
    assert [item["frame"] for item in dataset.items] == [3, 1, 2]


def test_copies_are_counted_and_shared_ones_reported(tmp_path: Path, caplog):
    items = make_items(tmp_path, 6, ())
    Image.open(tmp_path / "1.png").save(tmp_path / "copy.bmp")
    copy = {**items[1], "image": str(tmp_path / "copy.bmp")}
    with caplog.at_level(logging.WARNING):
        training = cache([*items[:4], copy, items[0]])
        assert training.duplicates == [[0, 5], [1, 4]]
        assert "2 of 6 images are copies" in caplog.text
        caplog.clear()
        validation = cache([items[4], copy, items[5]])
        assert caplog.text == "" and validation.duplicates == []
        assert warn_of_shared_images(training, validation) == [1]
        assert "1 of 3 validation images are in the training data too" in caplog.text
        caplog.clear()
        assert warn_of_shared_images(training, cache(items[4:])) == [] and caplog.text == ""
