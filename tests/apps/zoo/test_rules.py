# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from monai_anomaly.apps.zoo.bundle_zip import bundle_files
from monai_anomaly.apps.zoo.rules import read_metadata, zoo_findings
from monai_anomaly.utils.exceptions import ConfigError
from tests.helpers.repository import ROOT

FILES = bundle_files(ROOT / "bundles" / "ocad")


def found(files: dict[str, bytes], name: str = "ocad") -> list[str]:
    return [str(finding) for finding in zoo_findings(name, files)]


def changed(file: str, change: Callable[[Any], Any]) -> dict[str, bytes]:
    """Return the bundle's files with one of them changed."""
    content = json.loads(FILES[f"configs/{file}.json"])
    change(content)
    return {**FILES, f"configs/{file}.json": json.dumps(content).encode()}


def without_interval(config: dict[str, Any]) -> None:
    for handler in config["train"]["handlers"]:
        if handler["_target_"].endswith(".Validation"):
            handler["interval"] = 1


@pytest.mark.parametrize(
    ("file", "change", "told"),
    [
        ("metadata", lambda m: m.pop("numpy_version"), "'numpy_version' is a required property"),
        ("metadata", lambda m: m.update(supported_apps=["monai-label"]), "[supported_apps]: ['monai-label'] is not"),
        ("metadata", lambda m: m.update(version="9.9"), "[changelog]: it does not say what is new in version '9.9'"),
        ("metadata", lambda m: m.update(version="latest", changelog={"latest": ""}), "[version]: it is no version"),
        ("metadata", lambda m: m["required_packages_version"].update(a=">=1"), "[a]: it is no version that pip"),
        ("metadata", lambda m: m.pop("name"), "[name]: it is missing"),
        ("metadata", lambda m: m["network_data_format"]["outputs"].clear(), "it has no 'pred'"),
        (
            "metadata",
            lambda m: m["network_data_format"]["inputs"]["image"].update(num_channels="1"),
            "[network_data_format#inputs#image]",
        ),
        ("inference", lambda c: c.pop("network_def"), "configs/inference.json [network_def]: the zoo asks"),
        ("train", lambda c: c["train"]["dataset"].pop("data"), "configs/train.json [train#dataset#data]"),
        ("train", lambda c: c["validate"].pop("handlers"), "configs/train.json [validate#handlers]"),
        ("train", lambda c: c.pop("val_interval"), "configs/train.json [val_interval]"),
        ("train", without_interval, "configs/train.json [val_interval]"),
    ],
)
def test_one_thing_that_the_zoo_refuses(file, change, told):
    findings = found(changed(file, change))
    assert len(findings) == 1 and told in findings[0]


@pytest.mark.parametrize("file", ["LICENSE", "configs/inference.json", "docs/README.md"])
def test_a_file_is_missing(file):
    assert found({name: data for name, data in FILES.items() if name != file}) == [
        f"{file}: the zoo needs it and it is missing"
    ]


@pytest.mark.parametrize("data", [b"", b"[]", b"{", b"\xff"])
def test_metadata_that_cannot_be_read(data):
    with pytest.raises(ConfigError, match=r"configs/metadata.json: it is missing or no JSON object"):
        read_metadata({"configs/metadata.json": data})


@pytest.mark.parametrize("name", ["lesion_detection", "a_Classification", "my-bundle", "anomaly_vision", "1st", ""])
def test_names_that_the_zoo_or_label_misreads(name):
    assert len(found(FILES, name)) == 1


def test_a_large_file_is_refused_and_large_weights_are_not():
    large = bytes(25 * 10**6 + 1)
    assert found({**FILES, "models/model.pt": large}) == []
    assert found({**FILES, "docs/picture.png": large}) == ["docs/picture.png: it has more than 25 MB"]
