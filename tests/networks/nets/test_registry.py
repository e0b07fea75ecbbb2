# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

import pytest

from monai_anomaly.networks.nets.detector import Detector
from monai_anomaly.networks.nets.registry import DETECTORS, detector_class, make_detector
from monai_anomaly.utils.exceptions import CheckpointError


@pytest.mark.parametrize("name", DETECTORS)
def test_a_name_is_that_of_a_detector_s_class(name):
    kind = detector_class(name)
    assert kind.__name__ == name and issubclass(kind, Detector)


def test_a_detector_is_made_as_the_spec_says():
    network = {"image_size": 32, "in_channels": 1, "encoder": {"channels": [8, 8]}, "decoder": {"channels": [8, 8]}}
    detector = make_detector({"detector": "OCAD", "network": network})
    assert (type(detector).__name__, detector.image_size, detector.in_channels) == ("OCAD", 32, 1)


@pytest.mark.parametrize("name", ["sepiad", "Module", None])
def test_an_unknown_name_is_one_sentence(name):
    with pytest.raises(CheckpointError) as caught:
        make_detector({"detector": name, "network": {}})
    sentence = str(caught.value)
    assert (
        f"'{name}' is no detector" in sentence
        and "Consensus, Embedding, OCAD, SAGAN, SEPIAD, SimSID; install" in sentence
    )
    assert "\n" not in sentence


def test_arguments_that_its_class_does_not_take_are_one_sentence():
    with pytest.raises(CheckpointError, match=r"SAGAN cannot be made .*of_the_future.*correct them, or install"):
        make_detector({"detector": "SAGAN", "network": {"of_the_future": 1}})
