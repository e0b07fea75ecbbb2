# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

import csv
import json
import math
import re

import numpy as np
import pytest
import torch
from sklearn.metrics import roc_auc_score

from monai_anomaly.calibration.calibration import Calibration
from monai_anomaly.data.sets.duplicates import fingerprint, pixel_hash
from monai_anomaly.handlers.scoring.evaluation_report import EvaluationReport
from monai_anomaly.report.gallery import Gallery, Picture
from monai_anomaly.report.gallery_view import gallery_map_range
from monai_anomaly.utils.heatmap import map_to_levels
from tests.helpers.parsed_page import ParsedPage
from tests.helpers.stub_evaluator import StubDetector, make_evaluator, make_items

VALUES = [0.1, 0.5, 0.3, 0.9, 0.2, 0.4, 0.8]
LABELS = [0, 1, 0, 1, 0, 1, 0]
CALIBRATION = Calibration(tuple(np.linspace(0, 1, 50)), tuple(range(50)), "a" * 64, "b" * 64, "c" * 64, "middle", "max")
HOSTILE = '<script>alert(1)</script>"\'&<img src="http://evil.example/x.png">.png'


class RefuseBright:
    """An input guard."""

    def check_all(self, images, facts):
        return ["It is <too> bright." if float(image.max()) > 0.75 else "" for image in images]


def _evaluate(tmp_path, items=None, network=None, **options):
    report = EvaluationReport(tmp_path / "out", n_bootstrap=50, **options)
    make_evaluator(make_items(VALUES, LABELS) if items is None else items, [report], network).run()
    return tmp_path / "out"


def _page(folder) -> ParsedPage:
    return ParsedPage((folder / "report.html").read_text(encoding="utf-8"))


def _scores(items) -> list[float]:
    return [float((2 * item["image"]).mean(dtype=torch.float64)) for item in items]


def test_writes_three_files_and_says_where(tmp_path, capsys):
    folder = _evaluate(tmp_path)
    assert sorted(p.name for p in folder.iterdir()) == ["metrics.json", "report.html", "scores.csv"]
    printed = capsys.readouterr().out
    assert str(folder / "report.html") in printed
    assert f"{roc_auc_score(LABELS, VALUES):.3f}" in printed


def test_what_the_reader_had_to_assume_is_counted_and_said(tmp_path, capsys):
    items = [item | {"warnings": ""} for item in make_items(VALUES, LABELS)]
    for index in (1, 3):
        items[index]["warnings"] = f"the mask was turned by {index}"
    metrics = json.loads((_evaluate(tmp_path, items) / "metrics.json").read_text())
    first = items[1]["name"]
    assert metrics["warnings"] == [{"times": 2, "first": first, "text": "the mask was turned by 1"}]
    assert f"read with warning  2: the mask was turned by 1 (first: {first})" in capsys.readouterr().out


def test_the_csv_holds_every_image_in_order_and_full_precision(tmp_path):
    items = make_items(VALUES, LABELS)
    items[2]["name"] = 'a,b "c".png'
    with open(_evaluate(tmp_path, items) / "scores.csv", newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    answers = ["p_value", "decision", "decision_reason"]
    assert list(rows[0]) == ["image", "label", "score", "group", "frames", "frame", *answers]
    assert {(row["p_value"], row["decision"]) for row in rows} == {("", "uncalibrated")}
    assert [row["image"] for row in rows] == [item["name"] for item in items]
    assert [int(row["label"]) for row in rows] == LABELS
    assert [float(row["score"]) for row in rows] == _scores(items)
    assert [row["group"] for row in rows] == [item["group"] for item in items]


def test_the_numbers_agree_with_scikit_learn(tmp_path):
    metrics = json.loads((_evaluate(tmp_path, details={"seed": 7}) / "metrics.json").read_text())
    assert metrics["auroc"] == pytest.approx(roc_auc_score(LABELS, VALUES))
    assert (metrics["n_normal"], metrics["n_abnormal"], metrics["n_groups"]) == (4, 3, 4)
    assert metrics["details"]["seed"] == 7 and metrics["details"]["torch"] == str(torch.__version__)
    assert metrics["rejected"] == []


def test_every_score_gets_a_p_value_and_a_decision(tmp_path):
    items = make_items(VALUES, LABELS)
    folder = _evaluate(tmp_path, items, calibration=CALIBRATION, guard=RefuseBright(), false_alarm_rate=0.1)
    with open(folder / "scores.csv", newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    threshold = CALIBRATION.threshold(0.1)
    for row, score, value in zip(rows, _scores(items), VALUES, strict=True):
        assert float(row["p_value"]) == CALIBRATION.p_value(score)
        decided = "anomalous" if score >= threshold else "normal"
        assert row["decision"] == ("not_applicable" if value > 0.75 else decided)
        assert (row["decision_reason"] == "It is <too> bright.") == (value > 0.75)
    assert json.loads((folder / "metrics.json").read_text())["guard"]["n_refused_normal"] == 1


def test_a_rate_that_the_calibration_does_not_support_leaves_the_rest(tmp_path):
    folder = _evaluate(tmp_path, calibration=CALIBRATION, false_alarm_rate=0.01)
    metrics = json.loads((folder / "metrics.json").read_text())
    assert metrics["operating_points"]["thresholds"]["0.05"]["threshold"] is not None
    assert metrics["decisions"]["normal"]["uncalibrated"] == 4
    assert "there is no decision: it takes normals of 99 patients; here are 50" in _page(folder).text


def test_the_page_says_what_was_decided(tmp_path):
    folder = _evaluate(tmp_path, calibration=CALIBRATION, guard=RefuseBright(), false_alarm_rate=0.1)
    page, html = _page(folder), (folder / "report.html").read_text(encoding="utf-8")
    thresholds = [CALIBRATION.threshold(alpha) for alpha in (0.05, 0.1)]
    assert html.count('<path class="threshold"') == 2
    assert all(f"{value:#.4g}" in page.text for value in thresholds)
    assert "refused 1 of 4 normal and 1 of 3 abnormal images" in page.text and "It is <too> bright." in page.text
    assert page.text.count("the input guard refuses this image") == 2
    links = [attributes["href"] for tag, attributes in page.tags if tag == "a"]
    assert sorted(links) == ["#image-1", "#image-2"]  # the brightest are the most anomalous
    assert "it takes normals of 99 patients; here are 50" in page.text
    assert "nobody knows the labels of new images" in page.text and "Best F1" in page.text


def test_the_page_says_that_there_is_no_calibration_and_no_guard(tmp_path):
    text = _page(_evaluate(tmp_path)).text
    assert "There is no calibration" in text and "never shown are scored like any other" in text
    assert "Not measured: the data list has no masks." in text and "Subgroups" not in text


def test_subgroups_are_columns_of_the_list(tmp_path):
    items = make_items(VALUES, LABELS)
    for i, item in enumerate(items):
        item["machine"] = ["A", "<b>"][i % 2]
    folder = _evaluate(tmp_path, items, subgroups=["machine"])
    assert list(json.loads((folder / "metrics.json").read_text())["subgroups"]["machine"]) == ["A", "<b>"]
    assert "it takes 20 of each" in _page(folder).text
    with pytest.raises(ValueError, match="subgroups names 'site'"):
        _evaluate(tmp_path / "other", items, subgroups=["site"])
    assert not (tmp_path / "other").exists()


def test_maps_are_measured_where_masks_are(tmp_path):
    items = make_items(VALUES, LABELS, mask=torch.zeros(1, 8, 6))
    items[3]["mask"] = (items[3]["image"] > 0).float()
    folder = _evaluate(tmp_path, items, calibration=CALIBRATION)
    pixels = json.loads((folder / "metrics.json").read_text())["pixel_level"]
    maps = torch.stack([2 * item["image"][0] for item in items]).numpy().ravel()
    masks = torch.stack([item["mask"][0] for item in items]).numpy().ravel()
    assert pixels["pixel_auroc"]["value"] == pytest.approx(roc_auc_score(masks, maps))
    assert "7 images, 1 of them with 1 annotated regions" in _page(folder).text


def test_a_mask_of_another_size_writes_nothing(tmp_path):
    items = make_items(VALUES, LABELS, mask=torch.zeros(1, 8, 7))
    with pytest.raises(ValueError, match="differ in size"):
        _evaluate(tmp_path, items)
    assert not (tmp_path / "out").exists()


def test_images_without_a_group_are_their_own(tmp_path):
    items = [{k: v for k, v in item.items() if k != "group"} for item in make_items(VALUES, LABELS)]
    folder = _evaluate(tmp_path, items)
    assert json.loads((folder / "metrics.json").read_text())["n_groups"] == len(items)
    assert "each counts as a patient" in _page(folder).text


def test_a_second_run_of_the_same_evaluator_starts_anew(tmp_path):
    report = EvaluationReport(tmp_path, n_bootstrap=20)
    evaluator = make_evaluator(make_items(VALUES, LABELS), [report])
    evaluator.run()
    first = (tmp_path / "metrics.json").read_bytes()
    evaluator.run()
    assert (tmp_path / "metrics.json").read_bytes() == first


def test_the_gallery_is_ordered_and_every_map_is_on_one_scale(tmp_path):
    items = make_items(VALUES, LABELS)
    images = _page(_evaluate(tmp_path, items)).images()[1:]  # the first is the color bar
    order = np.argsort(_scores(items))[::-1]
    assert len(images) == 3 * len(items)
    assert [alt for alt, _ in images[2::3]] == [f"Anomaly map of {items[i]['name']}" for i in order]
    maps = [2 * items[i]["image"][0].numpy() for i in order]
    scale = (0.0, float(np.quantile(np.stack(maps), 0.995)))
    for anomaly_map, (_, shown) in zip(maps, images[2::3], strict=True):
        assert np.array_equal(shown, map_to_levels(anomaly_map, scale))
    for i, (alt, shown) in zip(order, images[0::3], strict=True):
        assert alt == f"Input image {items[i]['name']}, {('normal', 'abnormal')[LABELS[i]]}"
        assert np.abs(shown - 255 * items[i]["image"][0].numpy()).max() <= 0.5
    for i, (_, shown) in zip(order, images[1::3], strict=True):
        assert np.abs(shown - 255 * items[i]["image"][0].numpy() / 2).max() <= 0.5


def test_a_given_map_range_is_used_and_shown(tmp_path):
    items = make_items(VALUES, LABELS)
    page = _page(_evaluate(tmp_path, items, map_range=(-1, 4)))
    alts = [alt for alt, _ in page.images()]
    assert "from -1, dark, to 4, bright" in alts[0]
    shown = page.images()[3][1]
    assert np.array_equal(shown, map_to_levels(2 * items[3]["image"][0].numpy(), (-1.0, 4.0)))


def test_pictures_have_the_aspect_of_their_box(tmp_path):
    items = make_items(VALUES, LABELS, box=(0, 0, 0, 0))  # unknown: that of the image
    items[3]["box"] = (10, 20, 310, 170)
    page = _page(_evaluate(tmp_path, items))
    cards = [attributes["style"] for _, attributes in page.tags if attributes.get("class") == "card"]
    assert [style.startswith("--aspect: 2.0000") for style in cards] == [True] + [False] * 6  # the highest score first
    assert all(style.startswith("--aspect: 0.7500") for style in cards[1:])


def test_a_method_without_reconstruction_shows_two_pictures(tmp_path):
    page = _page(_evaluate(tmp_path, network=StubDetector(reconstructs=False)))
    assert len(page.images()) == 1 + 2 * len(VALUES)
    assert not any("Reconstruction" in alt for alt, _ in page.images())


def test_reconstructs_in_eval_mode_and_leaves_the_mode(tmp_path):
    modes = []
    network = StubDetector().train()
    network.reconstruct = lambda image: modes.append(network.training) or image
    _evaluate(tmp_path, network=network, gallery=2)
    assert modes == [False, False] and network.training


def test_the_gallery_can_be_short_or_absent(tmp_path):
    assert len(_page(_evaluate(tmp_path, gallery=2)).images()) == 1 + 3 * 2
    assert _page(_evaluate(tmp_path, gallery=0)).images() == []


def test_a_mask_is_outlined_where_it_is(tmp_path):
    mask = torch.zeros(1, 8, 6)
    mask[0, 2:5, 1:3] = 1
    items = make_items(VALUES, LABELS, mask=torch.zeros(1, 8, 6))
    items[3]["mask"] = mask
    html = (_evaluate(tmp_path, items) / "report.html").read_text(encoding="utf-8")
    paths = re.findall(r'vector-effect="non-scaling-stroke" d="([^"]+)"', html)
    assert len(paths) == 1
    points = np.array([[float(v) for v in pair.split()] for pair in re.split("[ML]", paths[0].rstrip("Z")) if pair])
    assert points.min(axis=0).tolist() == [1, 2] and points.max(axis=0).tolist() == [3, 5]  # x, y: pixel edges
    assert "annotated lesion outlined" in html


def test_file_names_cannot_become_markup(tmp_path):
    items = make_items(VALUES, LABELS)
    items[3]["name"] = HOSTILE
    items[1]["name"] = "caf\udce9.png"  # a name that is no UTF-8
    folder = _evaluate(tmp_path, items, title="<script>t</script>", details={"<i>": "<script>d</script>"})
    page = _page(folder)
    assert "script" not in {tag for tag, _ in page.tags}
    assert f"Anomaly map of {HOSTILE}" in [alt for alt, _ in page.images()]
    assert HOSTILE in page.text and "<script>d</script>" in page.text
    assert "caf\\udce9.png" in (folder / "scores.csv").read_text(encoding="utf-8")


def test_nothing_on_the_page_is_fetched(tmp_path):
    html = (_evaluate(tmp_path) / "report.html").read_text(encoding="utf-8")
    assert "http:" not in html and "https:" not in html and "//" not in re.sub(r"base64,[^\"]+", "", html)
    for tag, attributes in ParsedPage(html).tags:
        assert tag not in {"script", "link", "iframe", "object", "base"}
        assert attributes.get("src", "data:").startswith("data:") and attributes.get("href", "#").startswith("#")
        if tag == "img":
            assert attributes["alt"] or attributes["class"] == "over"
        if tag == "svg":
            assert attributes.get("aria-label") or attributes.get("aria-hidden") == "true"


def test_unreadable_files_are_listed_and_count_nowhere(tmp_path, caplog):
    items = make_items([*VALUES, 0.0], [*LABELS, 1], status="ok", code="", reason="")
    items[7].update(status="rejected", code="truncated", reason="The file <ends> early.")
    folder = _evaluate(tmp_path, items)
    metrics = json.loads((folder / "metrics.json").read_text())
    expected = [{"image": "test/case_7.dcm", "code": "truncated", "reason": "The file <ends> early."}]
    assert metrics["rejected"] == expected
    assert metrics["n_abnormal"] == 3 and metrics["auroc"] == pytest.approx(roc_auc_score(LABELS, VALUES))
    assert "truncated: The file <ends> early." in _page(folder).text
    assert "1 files could not be read" in caplog.text


def test_copies_are_counted(tmp_path, caplog):
    metrics = json.loads((_evaluate(tmp_path) / "metrics.json").read_text())
    assert metrics["n_copies"] == 0 and "copies" not in caplog.text
    folder = _evaluate(tmp_path, make_items([*VALUES, VALUES[0], VALUES[0], VALUES[2]], [*LABELS, 0, 1, 0]))
    assert json.loads((folder / "metrics.json").read_text())["n_copies"] == 3
    assert "3 images are copies" in caplog.text and "copies of an image" in _page(folder).text


def test_a_pool_that_differed_is_said_above_all_numbers(tmp_path):
    before, _, after = _page(_evaluate(tmp_path / "a", pool_warning="Sharpness alone.")).text.partition(
        "Sharpness alone."
    )
    assert "pool that it learned from differs from the normals:" in before and after and "ROC AUC" not in before
    assert "differs from the normals" not in _page(_evaluate(tmp_path / "b")).text


def test_a_training_that_was_cut_short_is_said_above_all_numbers(tmp_path):
    folder = _evaluate(tmp_path / "cut", unfinished="30 of 300 iterations of the training")
    assert json.loads((folder / "metrics.json").read_text())["unfinished"] == "30 of 300 iterations of the training"
    before, _, after = _page(folder).text.partition("cut short by its time budget: 30 of 300 iterations")
    assert after and "ROC AUC" not in before
    folder = _evaluate(tmp_path / "whole")
    assert json.loads((folder / "metrics.json").read_text())["unfinished"] == ""
    assert "cut short" not in _page(folder).text


def test_training_images_are_counted(tmp_path, caplog):
    items = make_items(VALUES, LABELS)
    known = [fingerprint(pixel_hash(item["image"])) for item in items[:2]]
    folder = _evaluate(tmp_path, items, fingerprints=torch.tensor([*known, 5]))
    assert json.loads((folder / "metrics.json").read_text())["n_trained_on"] == 2
    assert "2 of these images are training images" in _page(folder).text and "2 of 7 images" in caplog.text
    folder = _evaluate(tmp_path / "new", items[2:], fingerprints=torch.tensor(known))
    assert json.loads((folder / "metrics.json").read_text())["n_trained_on"] == 0
    assert "training images:" not in _page(folder).text
    assert json.loads((_evaluate(tmp_path / "old") / "metrics.json").read_text())["n_trained_on"] is None


@pytest.mark.parametrize(
    ("values", "labels", "match"),
    [
        ([0.1, 0.2], [0, 0], "only normal images .*undefined"),
        ([0.1, math.nan, 0.2], [0, 1, 0], "'test/case_1.dcm' is nan"),
    ],
)
def test_an_undefined_result_writes_nothing(tmp_path, values, labels, match):
    with pytest.raises(ValueError, match=match):
        _evaluate(tmp_path, make_items(values, labels))
    assert not (tmp_path / "out").exists()


def test_an_error_leaves_the_report_of_before(tmp_path):
    folder = _evaluate(tmp_path)
    before = {p.name: p.read_bytes() for p in folder.iterdir()}
    network = StubDetector()
    network.reconstruct = lambda image: 1 / 0
    with pytest.raises(ZeroDivisionError):
        _evaluate(tmp_path, network=network)
    assert {p.name: p.read_bytes() for p in folder.iterdir()} == before


def test_an_evaluator_that_does_not_decollate_is_refused(tmp_path):
    evaluator = make_evaluator([], [])
    with pytest.raises(TypeError, match="decollate=True"):
        evaluator.state.output = {"pred": torch.zeros(1)}
        EvaluationReport(tmp_path).collect(evaluator)


def test_equal_scores_are_an_error_and_no_number(tmp_path):
    with pytest.raises(ValueError, match="All 3 scores are equal"):
        _evaluate(tmp_path, make_items([0.0, 0.0, 0.0], [0, 1, 0]))
    assert not list(tmp_path.iterdir())


def test_the_scale_of_a_gallery_leaves_single_bright_positions_out():
    bright = np.full((40, 40), 0.5, dtype=np.float32)
    bright[0, 0] = 1000.0
    gallery = Gallery(2)
    gallery.add(Picture("a", 0, 1.0, np.zeros((1, 40, 40), np.float32), bright))
    assert gallery_map_range(gallery) == (0.0, 0.5)
    gallery.add(Picture("b", 0, 1.0, np.zeros((1, 40, 40), np.float32), bright - 1000.5))
    assert gallery_map_range(gallery)[0] == -1000.0
