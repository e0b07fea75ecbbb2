# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0
"""How a report looks: light and dark, on a telephone, a screen and paper."""

from __future__ import annotations

__all__ = ["STYLE"]

STYLE = """
:root { color-scheme: light dark; --text: #1c1f23; --quiet: #5a6270; --page: #ffffff; --card: #f4f5f7; --line: #d4d8de;
  --normal: #1f6fb5; --abnormal: #c2410c; --mask: #00e5a8; }
@media (prefers-color-scheme: dark) { :root { --text: #e8eaed; --quiet: #a2abb8; --page: #14171b; --card: #1f242a;
  --line: #39414b; --normal: #6cb2f2; --abnormal: #ff9a62; } }
@media print { :root { color-scheme: light; --text: #000000; --quiet: #444b55; --page: #ffffff; --card: #ffffff;
  --line: #b9bfc7; --normal: #1f6fb5; --abnormal: #c2410c; } }
* { box-sizing: border-box; }
body { margin: 0 auto; padding: 2rem 1.5rem 4rem; max-width: 72rem; background: var(--page); color: var(--text);
  font: 1rem/1.5 system-ui, sans-serif; }
h1 { font-size: 1.5rem; margin: 0 0 1rem; overflow-wrap: anywhere; } h2 { font-size: 1.15rem; margin: 2.25rem 0 .5rem; }
h3 { font-size: 1rem; margin: 1.5rem 0 .5rem; }
p { max-width: 46rem; margin: .5rem 0; overflow-wrap: anywhere; } .quiet, figcaption { color: var(--quiet); }
.headline { display: flex; flex-wrap: wrap; gap: .75rem 2.5rem; align-items: baseline; }
.headline strong { font-size: 3.25rem; line-height: 1; font-variant-numeric: tabular-nums; }
dl.counts { display: flex; flex-wrap: wrap; gap: .5rem 2rem; margin: 1rem 0; } dl.counts div { min-width: 6rem; }
dt { color: var(--quiet); font-size: .875rem; } dd { margin: 0; font-weight: 600; font-variant-numeric: tabular-nums; }
.charts { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(18rem, 100%), 1fr)); gap: 1.5rem;
  max-width: 52rem; }
figure { margin: 0; } .chart { width: 100%; height: auto; fill: var(--quiet); font-size: 11px; }
.axis { fill: none; stroke: var(--quiet); } .grid { stroke: var(--line); stroke-width: .5; }
.band { fill: var(--text); fill-opacity: .13; }
.curve { fill: none; stroke: var(--text); stroke-width: 2; } .chance { stroke: var(--quiet); stroke-dasharray: 4 4; }
path.normal { fill: var(--normal); fill-opacity: .35; stroke: var(--normal); stroke-width: 1.5; }
path.abnormal { fill: var(--abnormal); fill-opacity: .35; stroke: var(--abnormal); stroke-width: 1.5;
  stroke-dasharray: 5 2; }
path.threshold { stroke: var(--text); stroke-width: 1.5; stroke-dasharray: 2 2; } text.threshold { fill: var(--text); }
b.normal { color: var(--normal); } b.abnormal { color: var(--abnormal); }
.bar { display: flex; gap: .6rem; align-items: center; margin: .75rem 0; font-variant-numeric: tabular-nums; }
.bar img { flex: 0 1 16rem; min-width: 0; height: 1rem; border: 1px solid var(--line); }
.gallery { display: grid; grid-template-columns: repeat(auto-fill, minmax(min(19rem, 100%), 1fr)); gap: 1rem; }
.card { background: var(--card); border: 1px solid var(--line); border-radius: .5rem; padding: .6rem; }
.tiles { display: flex; gap: .3rem; } .tile { flex: 1 1 0; min-width: 0; max-width: 9rem; }
.tile div { position: relative; }
.tile img { display: block; width: 100%; height: auto; image-rendering: pixelated; }
.tile svg { position: absolute; inset: 0; width: 100%; height: 100%; fill: none; stroke: var(--mask); stroke-width: 2; }
.tile small { color: var(--quiet); font-size: .75rem; }
.card > figcaption { margin-top: .4rem; font-size: .85rem; overflow-wrap: anywhere; }
.scroll { overflow-x: auto; margin: .75rem 0; } table { border-collapse: collapse; font-size: .9rem; }
caption { text-align: left; color: var(--quiet); padding-bottom: .3rem; }
th, td { text-align: left; vertical-align: top; padding: .3rem 1.5rem .3rem 0; border-bottom: 1px solid var(--line); }
th { font-weight: 500; color: var(--quiet); } td { overflow-wrap: break-word; font-variant-numeric: tabular-nums; }
td small, th small { display: block; color: var(--quiet); }
td small { white-space: nowrap; } td small.why { white-space: normal; min-width: 9rem; max-width: 14rem; }
th[scope=row] { min-width: 8rem; max-width: 24rem; color: var(--text); }
@media (max-width: 30rem) { body { padding: 1.25rem 1rem 3rem; } th, td { padding-right: .8rem; }
  th[scope=row] { min-width: 6rem; } .facts th, .facts td { display: block; max-width: none; }
  .facts th { border: 0; padding-bottom: 0; overflow-wrap: anywhere; } .facts td { overflow-wrap: anywhere; } }
@media print { body { padding: 0; max-width: none; font-size: 10pt; } h2, h3 { break-after: avoid; }
  figure, tr, .card, .headline { break-inside: avoid; } .scroll { overflow: visible; }
  * { print-color-adjust: exact; } }
"""
