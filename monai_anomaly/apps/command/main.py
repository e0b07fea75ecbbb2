# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

"""``monai-anomaly``, also ``python -m monai_anomaly``: the command line is looked at before anything heavy is imported.

Exit codes: 0 done, 1 an error that the message explains, 2 a command line that makes no sense, 130 ended by
Ctrl-C, 143 by SIGTERM;
``inspect`` also has 3 some files were refused, 141 the reader of the output has gone; ``audit verify`` has 3 a log is
not whole; ``accept`` has 3 not accepted; ``drift`` has 3 an alarm.
"""

from __future__ import annotations

import argparse
import difflib
import sys
from collections.abc import Sequence
from typing import Any

from monai_anomaly.apps.command.bundle_verbs import BUNDLE_VERBS, wants_help
from monai_anomaly.apps.command.completion import complete, finished_words, is_asked
from monai_anomaly.apps.command.failing import fail, usage_error
from monai_anomaly.apps.command.verbs.accept import add_accept
from monai_anomaly.apps.command.verbs.audit import add_audit
from monai_anomaly.apps.command.verbs.benchmark import add_benchmark
from monai_anomaly.apps.command.verbs.bundles import add_bundles
from monai_anomaly.apps.command.verbs.consensus import add_consensus, run_consensus
from monai_anomaly.apps.command.verbs.drift import add_drift
from monai_anomaly.apps.command.verbs.export import add_export, run_export
from monai_anomaly.apps.command.verbs.inspect import add_inspect
from monai_anomaly.apps.command.verbs.label_app import add_label_app
from monai_anomaly.apps.command.verbs.pool_curve import add_pool_curve
from monai_anomaly.apps.command.verbs.predict import add_predict, run_predict
from monai_anomaly.apps.command.verbs.queue import add_queue
from monai_anomaly.apps.command.verbs.report import add_report
from monai_anomaly.apps.command.verbs.serve import add_serve
from monai_anomaly.utils.exceptions import (
    AuditError,
    CacheError,
    CalibrationError,
    CheckpointError,
    ConfigError,
    TrainingError,
    WeightsError,
)
from monai_anomaly.utils.waiting_threads import shorten_spinning

__all__ = ["main"]

RUNNERS = {
    **{name: verb.run for name, verb in BUNDLE_VERBS.items()},
    "predict": run_predict,
    "export": run_export,
    "consensus": run_consensus,
}
"""Verbs whose options are a bundle's keys."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a verb and return the exit code."""
    shorten_spinning()
    words = list(sys.argv[1:] if arguments is None else arguments)
    try:
        return _run(words)
    except (
        AuditError,
        CacheError,
        CalibrationError,
        CheckpointError,
        ConfigError,
        TrainingError,
        WeightsError,
    ) as error:
        return fail(error, 1)
    except KeyboardInterrupt:
        print("ended by SIGINT.", file=sys.stderr)
        return 130


def _run(words: list[str]) -> int:
    if is_asked():
        complete(_completed_parser(finished_words()))
    if words and words[0] in RUNNERS and not wants_help(words):
        return RUNNERS[words[0]](words[1:])
    parser, known = _parser(words)
    if not words:
        parser.print_help()
        return 2
    if not words[0].startswith("-") and words[0] not in known:
        near = difflib.get_close_matches(words[0], known, n=1, cutoff=0.5)
        hint = f"the nearest is '{near[0]}'" if near else f"there are {', '.join(known)}"
        return usage_error(f"there is no verb '{words[0]}'; {hint}.")
    options = vars(parser.parse_args(words))
    verb = options.pop("verb")
    return verb(**options) or 0


def _completed_parser(words: list[str]) -> argparse.ArgumentParser:
    """Return the parser for a line that is not finished, with what can be known from it."""
    try:
        return _parser(words)[0]
    except ConfigError:
        return _parser([])[0]


class _Version(argparse.Action):
    def __call__(self, parser: argparse.ArgumentParser, *others: Any) -> None:
        from monai_anomaly.apps.command.version import version_text

        print(version_text())
        parser.exit()


def _parser(words: Sequence[str]) -> tuple[argparse.ArgumentParser, list[str]]:
    """Return the parser, in which the verb of these words knows its bundle's keys, and the names of the verbs."""
    parser = argparse.ArgumentParser(
        prog="monai-anomaly",
        description="Anomaly detection for MONAI. Each verb of a bundle prints the 'python -m monai.bundle' line that "
        "it stands for.",
        epilog="'monai-anomaly VERB --help' says more.",
        allow_abbrev=False,
    )
    parser.add_argument(
        "--version", action=_Version, nargs=0, default=argparse.SUPPRESS, help="print versions and the device, and exit"
    )
    verbs = parser.add_subparsers(title="verbs", required=True, metavar="verb")
    for name, verb in BUNDLE_VERBS.items():
        verb.add(verbs, words[1:] if words[:1] == [name] else ())
    add_predict(verbs, words[1:] if words[:1] == ["predict"] else ())
    add_export(verbs)
    add_consensus(verbs, words[:1] == ["consensus"])
    add_report(verbs)
    add_bundles(verbs)
    add_inspect(verbs)
    add_audit(verbs)
    add_accept(verbs)
    add_drift(verbs)
    add_benchmark(verbs)
    add_pool_curve(verbs)
    add_serve(verbs)
    add_queue(verbs)
    add_label_app(verbs)
    return parser, list(verbs.choices)
