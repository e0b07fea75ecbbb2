# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

"""``--key value`` on the command line, checked against a bundle's configuration and written as MONAI takes it."""

from __future__ import annotations

import shlex
from collections.abc import Mapping, Sequence
from typing import Any

from monai_anomaly.utils.exceptions import ConfigError
from monai_anomaly.utils.override_keys import PATH_KEYS, SWITCHES, TRACKING_KEYS, check_keys

__all__ = ["check_overrides", "command_line", "parsed", "split_words"]

Overrides = dict[str, str]

WORDS = {"true": "True", "false": "False", "null": "$None", "None": "$None"}
"""What people write for Python's words; MONAI drops a bare None and takes the others as texts."""

OF_A_SWITCH = frozenset(("true", "false", "null", "none", "yes", "no", "on", "off", "0", "1"))
"""What can only be meant as a switch's value, in lower case, also where :func:`check_overrides` will refuse it."""

OF_MONAI = frozenset(("tracking", "logging_file", "meta_file"))
"""Arguments of ``monai.bundle run`` that are no keys and make sense with a verb."""


def split_words(words: Sequence[str]) -> tuple[list[str], Overrides]:
    """Return the words before and between options, and the value of each key, as MONAI takes it.

    A key may be written with ``-`` for ``_``, its value after ``=`` or a space; a key alone is True, and a switch is
    alone before any word but ``True``, ``False`` and the like. The last of several values counts.

    Raises:
        ConfigError: for an option that does not begin with ``--`` and a name.
    """
    others: list[str] = []
    overrides: Overrides = {}
    rest = list(words)
    while rest:
        word = rest.pop(0)
        if not word.startswith("-") or word == "-":
            others.append(word)
            continue
        key, equals, value = word[2:].partition("=")
        if not word.startswith("--") or not key:
            raise ConfigError(f"'{word}' is no option: keys begin with -- and a name.")
        key = key.replace("-", "_")
        if not equals:
            value = rest.pop(0) if rest and _is_value(key, rest[0]) else "True"
        overrides[key] = _as_monai_reads(key, value)
    return others, overrides


def _is_value(key: str, word: str) -> bool:
    """Return whether the word after a key is its value."""
    if key in SWITCHES:
        return word.lower() in OF_A_SWITCH or word.startswith(("$", "@", "%"))
    return not word.startswith("--")


def _as_monai_reads(key: str, value: str) -> str:
    """Return the text that MONAI's command line reads as what was meant."""
    if key in PATH_KEYS and value not in WORDS and parsed(value) != value:
        return repr(value)  # a folder 2024, or one with a comma in its name
    return WORDS.get(value, value)


def parsed(text: str) -> Any:
    """Return the value that MONAI's command line reads."""
    from fire.parser import DefaultParseValue

    return DefaultParseValue(text)


def check_overrides(overrides: Mapping[str, str], config: Mapping[str, Any]) -> None:
    """Refuse a key that the configuration does not know, or a value that cannot be its.

    Raises:
        ConfigError: naming the nearest known key.
    """
    allowed = OF_MONAI | (TRACKING_KEYS if "tracking" in overrides else frozenset())
    check_keys({key: parsed(text) for key, text in overrides.items() if key not in allowed}, config)


def command_line(words: Sequence[str]) -> str:
    """Return a line to copy into a shell."""
    return " ".join(map(_quoted, words))


def _quoted(word: str) -> str:
    if "'" in word and not set(word) & set('"$`\\!'):
        return f'"{word}"'
    return shlex.quote(word)
