# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

from ignite.engine import Events

from monai_anomaly.engines.consensus_inferer import ConsensusInferer
from monai_anomaly.engines.evaluator import isolate_failures
from monai_anomaly.handlers.scoring.items import evaluated_items
from monai_anomaly.handlers.scoring.member_says import MemberSays
from tests.engines.test_consensus_inferer import Refusing
from tests.helpers.detectors import small_images
from tests.helpers.stub_evaluator import make_evaluator
from tests.networks.nets.consensus.test_consensus import consensus

FAILS = 100.0


class Collected:
    """Keeps the items of an evaluator, as what writes records gets them."""

    def __init__(self) -> None:
        self.items: list[dict] = []

    def attach(self, engine) -> None:
        engine.add_event_handler(Events.ITERATION_COMPLETED, lambda engine: self.items.extend(evaluated_items(engine)))


def test_images_that_were_scored_have_their_members_wherever_the_handler_is_listed():
    network, seen = consensus(), Collected()

    def fail(module, inputs):
        if float(inputs[0].max()) >= FAILS:
            raise RuntimeError("too large")

    network.register_forward_pre_hook(fail)
    network.detectors[0].register_forward_pre_hook(fail)
    images = small_images(network, 4, seed=1)
    images[2] += FAILS
    status = ["ok", "rejected", "ok", "ok"]
    items = [{"image": image, "name": str(i), "status": status[i]} for i, image in enumerate(images)]
    inferer = ConsensusInferer(Refusing("simsid"))
    handlers = [seen, MemberSays(inferer, network)]
    make_evaluator(items, handlers, network, inferer=inferer, iteration_update=isolate_failures).run()
    for place in (0, 3):
        assert vars(inferer.said(images[place], network)) == {
            key: seen.items[place][key] for key in ("members", "left_out")
        }
        assert seen.items[place]["members"]["simsid"] is None
    assert not any("members" in seen.items[place] for place in (1, 2)) and "too large" in seen.items[2]["forward_error"]
