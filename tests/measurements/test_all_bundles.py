# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

from measurements import all_bundles


def test_every_bundle_on_every_phantom_and_what_is_given(monkeypatch):
    asked = []

    def benchmark(bundles, data, **options):
        asked.append((list(bundles), list(data), options))
        return len(asked) == 1

    monkeypatch.setattr(all_bundles, "run_benchmark", benchmark)
    monkeypatch.setattr(all_bundles, "phantom_dir", lambda kind: f"phantom of {kind}")
    assert all_bundles.main(["out", "a", "b"]) == 0
    assert all_bundles.main(["out", "a", "--phantoms=0", "--bundles", "ocad", "--seeds=4", "--max_minutes=.5"]) == 1
    (bundles, data, options), second = asked
    assert {"embedding", "ocad", "sagan", "sepiad", "simsid"} <= set(bundles)
    assert data == ["phantom of ultrasound", "phantom of radiograph", "phantom of skin", "a", "b"]
    assert options == {"seeds": [0, 1, 2], "max_minutes": 2.0, "output_dir": "out"}
    assert second == (["ocad"], ["a"], {"seeds": [4], "max_minutes": 0.5, "output_dir": "out"})
