# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

"""YAML and JSON in which a key that is there twice is an error: nobody knows which one was meant."""

from __future__ import annotations

from typing import Any

__all__ = ["once", "parse_yaml"]


def once(pairs: list[tuple[Any, Any]]) -> dict[Any, Any]:
    """Return an object of pairs, for :func:`json.loads`.

    Raises:
        ValueError: naming a key that is there twice.
    """
    content: dict[Any, Any] = {}
    for key, value in pairs:
        if key in content:
            raise ValueError(f"the key '{key}' is there twice")
        content[key] = value
    return content


def parse_yaml(text: str) -> Any:
    """Return what a YAML text holds, plain values only.

    Raises:
        ValueError: when it is none, or a key is there twice.
    """
    import yaml

    class Loader(yaml.SafeLoader):
        """Refuses repeated keys."""

    def construct(loader: Loader, node: yaml.MappingNode) -> dict[Any, Any]:
        loader.flatten_mapping(node)
        return once([(loader.construct_object(k, True), loader.construct_object(v, True)) for k, v in node.value])

    Loader.add_constructor(yaml.resolver.BaseResolver.DEFAULT_MAPPING_TAG, construct)
    try:
        return yaml.load(text, Loader)
    except (yaml.YAMLError, TypeError) as error:  # TypeError: a key that is a list
        raise ValueError(str(error)) from None
