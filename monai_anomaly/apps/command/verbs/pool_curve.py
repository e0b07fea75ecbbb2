# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

"""``pool_curve``: what an unlabeled pool is worth."""

from __future__ import annotations

from typing import Any

from monai_anomaly.apps.arguments import count, pool_shares, pool_sizes
from monai_anomaly.apps.command.verbs.grid_options import add_grid_options, run_grid

__all__ = ["add_pool_curve"]


def add_pool_curve(verbs: Any) -> None:
    """Add the verb to the parser."""
    text = "measure what an unlabeled pool is worth, by its size and its share of abnormal images"
    advice = (
        "In each split half of the test patients are the pool and the others are tested; labels of the pool are used "
        "to make the shares and for nothing else. Finished cells in --output_dir are kept: the same command goes on "
        "where it was ended. Exit codes: 0 all cells are done (but for pools that a data set is too small for), 1 some "
        "failed or another error, 130 interrupted (what is done is in the table)."
    )
    parser = verbs.add_parser("pool_curve", help=text, description=f"{text.capitalize()}.", epilog=advice)
    parser.add_argument(
        "--bundles",
        nargs="+",
        default=["embedding"],
        metavar="VARIANT",
        help="bundles that learn from a pool, each in quotes: its folder or its name in bundles/, then overlays and "
        "KEY=VALUE, as in 'embedding' 'sagan' (default: embedding)",
    )
    parser.add_argument("--dataset_dir", nargs="+", required=True, metavar="DIR", help="folders of data sets")
    parser.add_argument(
        "--shares",
        type=pool_shares,
        default=[0.0, 0.05, 0.1, 0.2, 0.3, 0.5, None],
        metavar="X,X",
        help="of abnormal images in the pool; 'as_it_comes' draws without looking (default: "
        "0,.05,.1,.2,.3,.5,as_it_comes)",
    )
    parser.add_argument(
        "--sizes",
        type=pool_sizes,
        default=[None],
        metavar="N,N",
        help="of the pool, as in 50,100,all; 'all' takes as many images as a share allows (default: all)",
    )
    parser.add_argument("--splits", type=count, default=6, metavar="N", help="of the test patients (default: 6)")
    add_grid_options(parser, result="curve")
    parser.set_defaults(verb=_pool_curve)


def _pool_curve(**options: Any) -> int:
    from monai_anomaly.apps.pool_curve.run_pool_curve import run_pool_curve

    return run_grid(lambda: run_pool_curve(**options))
