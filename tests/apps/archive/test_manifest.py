# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

import pytest

from monai_anomaly.apps.archive.manifest import begin_or_go_on, make_manifest
from monai_anomaly.apps.archive.place import ResultPlace
from monai_anomaly.utils.exceptions import ConfigError

ITEMS = [{"name": "a"}, {"name": "b"}]


def test_a_run_goes_on_with_its_own_results_only(tmp_path):
    place = ResultPlace(str(tmp_path))
    manifest = make_manifest(ITEMS, 10, {"weights": "0" * 64, "map_range": (0.0, 1.0)})
    begin_or_go_on(place, manifest, resume=True)
    begin_or_go_on(place, manifest, resume=True)
    with pytest.raises(ConfigError, match="another run: go on with --resume"):
        begin_or_go_on(place, manifest, resume=False)
    for changed in (
        make_manifest(ITEMS, 10, {"weights": "1" * 64, "map_range": (0.0, 1.0)}),
        make_manifest(ITEMS, 11, {"weights": "0" * 64, "map_range": (0.0, 1.0)}),
        make_manifest([{"name": "a"}, {"name": "c"}], 10, {"weights": "0" * 64, "map_range": (0.0, 1.0)}),
        make_manifest(ITEMS[::-1], 10, {"weights": "0" * 64, "map_range": (0.0, 1.0)}),
    ):
        with pytest.raises(ConfigError, match=r"another run \((weights|shard_size|names of the files) was"):
            begin_or_go_on(place, changed, resume=True)


@pytest.mark.parametrize("name", ["manifest.json", "records/part-000000.parquet"])
def test_what_nobody_knows_is_left_alone(name, tmp_path):
    place = ResultPlace(str(tmp_path))
    place.write(name, b"{half")
    with pytest.raises(ConfigError, match="name an empty place"):
        begin_or_go_on(place, make_manifest(ITEMS, 10, {}), resume=True)
    assert place.read(name) == b"{half"
