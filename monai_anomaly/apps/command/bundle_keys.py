# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

"""The keys of a bundle as its card explains them."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from monai_anomaly.utils.bundle_folders import Bundle

__all__ = ["Key", "bundle_keys"]

ROW = re.compile(r"^\| `(\w+)` \| ([\w, ]+) \| (.+?) \| (.+) \|$", flags=re.MULTILINE)


@dataclass(frozen=True)
class Key:
    """A key of a configuration.

    Args:
        name: of the key.
        default: its value, for a person.
        meaning: a sentence, or nothing where the card has none.
    """

    name: str
    default: str
    meaning: str


def bundle_keys(bundle: Bundle, config: Mapping[str, Any], names: tuple[str, ...]) -> list[Key]:
    """Return the keys that a user may set.

    Args:
        bundle: the bundle, whose card has a table of keys.
        config: the configuration that runs.
        names: of the files that it was made of.

    Returns:
        The card's rows for these files, in its order; for a bundle without a card, the configuration's plain values.
    """
    rows = _card_rows(bundle.folder / "docs" / "README.md")
    told = [
        (key, default, meaning) for key, where, default, meaning in rows if _belongs(where, names) and key in config
    ]
    if told:
        return [Key(key, _default(config[key], default), meaning) for key, default, meaning in told]
    plain = {key: value for key, value in config.items() if not isinstance(value, (dict, list)) and key.isidentifier()}
    return [Key(key, _default(value, "computed"), "") for key, value in plain.items() if key != "run"]


def _card_rows(card: Path) -> list[tuple[str, str, str, str]]:
    if not card.is_file():
        return []
    _, _, section = card.read_text(encoding="utf-8").partition("\n## Keys\n")
    return ROW.findall(section.split("\n## ")[0])


def _belongs(where: str, names: tuple[str, ...]) -> bool:
    return where == "all" or not {part.strip() for part in where.split(",")}.isdisjoint(names)


def _default(value: Any, told: str) -> str:
    """Return the configuration's value where it can be read, else what the card says."""
    if isinstance(value, Mapping):
        return str(value["_target_"]).rpartition(".")[2] if "_target_" in value else told
    if isinstance(value, str) and value.startswith(("$", "@", "%")):
        return told.replace("`", "")
    return json.dumps(value)
