# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

"""What ``$`` expressions do, from their text alone."""

from __future__ import annotations

import ast
import re
import warnings
from collections.abc import Iterator, Mapping

from monai_anomaly.apps.bundle_check.finding import shown
from monai_anomaly.apps.bundle_check.names import attribute_problem, is_module, name_problem

__all__ = ["Import", "expression_problems", "read_import", "reference_problem"]

_REFERENCE = re.compile(r"@(?:\w*)(?:::\w*)*")  # MONAI's own
_REFERENCES = "__local_refs"  # what MONAI calls them where it evaluates an expression

_FUNCTIONS = frozenset(
    "abs all any bool dict divmod enumerate float frozenset int isinstance len list max min range reversed round set "
    "slice sorted str sum tuple zip".split()
)
_NODES = (
    *(ast.Expression, ast.Constant, ast.Name, ast.Attribute, ast.Subscript, ast.Slice, ast.Starred, ast.keyword),
    *(ast.BinOp, ast.UnaryOp, ast.BoolOp, ast.Compare, ast.IfExp, ast.Tuple, ast.List, ast.Dict, ast.Set, ast.Call),
    *(ast.ListComp, ast.SetComp, ast.DictComp, ast.GeneratorExp, ast.comprehension, ast.Lambda),
    *(ast.arguments, ast.arg, ast.expr_context, ast.boolop, ast.operator, ast.unaryop, ast.cmpop),
)
_LONGEST = 10_000

Import = tuple[str, str, str]
"""The name that an import binds, what that stands for, and what is imported."""


def read_import(text: str) -> Import | None:
    """Read an import expression as MONAI does, which takes the first name of the first statement.

    Args:
        text: the expression without its ``$``.

    Returns:
        None for another expression.
    """
    tree = _parse(text, "exec")
    first = tree.body[0] if isinstance(tree, ast.Module) and tree.body else None
    if isinstance(first, ast.ImportFrom):
        name = f"{'.' * first.level}{first.module or ''}.{first.names[0].name}"
        return first.names[0].asname or first.names[0].name, name, name
    if isinstance(first, ast.Import):
        alias = first.names[0]
        root = alias.name.split(".")[0]
        return (alias.asname, alias.name, alias.name) if alias.asname else (root, root, alias.name)
    return None


def reference_problem(text: str) -> str:
    """Say why a reference may not be used: through ``@imports`` whole modules would be handed on."""
    for reference in _REFERENCE.findall(text.replace("#", "::")):
        parts = reference[1:].split("::")
        if not parts[-1] or "imports" in parts:
            return f"refers to '{shown(reference)}', and so to imported modules"
    return ""


def expression_problems(text: str, imports: Mapping[str, str]) -> Iterator[str]:
    """Yield what an expression does beyond references, arithmetic and calls of what a bundle may be made of.

    Args:
        text: the expression without its ``$``.
        imports: what the names stand for that the configuration's imports bind.
    """
    # as MONAI writes it before it hands it to Python, so that both read the same
    text = _REFERENCE.sub(lambda found: f"{_REFERENCES}['{found.group()[1:]}']", text.replace("#", "::"))
    tree = _parse(text, "eval")
    if tree is None:
        yield "is no expression of Python"
        return
    own = _own_names(tree) - {_REFERENCES}
    inner: set[ast.AST] = {n.value for n in ast.walk(tree) if isinstance(n, ast.Subscript) and _is_reference(n)}
    for node in ast.walk(tree):
        if not isinstance(node, _NODES):
            yield f"has a {type(node).__name__}, which is more than references and arithmetic"
        elif isinstance(node, (ast.Attribute, ast.Name)) and node not in inner:
            inner.update(ast.walk(node) if _chain(node) else ())
            if problem := _problem(node, imports, own):
                yield problem


def _parse(text: str, mode: str) -> ast.AST | None:
    if len(text) > _LONGEST:
        return None
    try:
        with warnings.catch_warnings():  # of odd escapes, which would print the stranger's line
            warnings.simplefilter("ignore")
            return ast.parse(text, mode=mode)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return None


def _own_names(tree: ast.AST) -> set[str]:
    """Return the names that lambdas and comprehensions bind."""
    names = {node.arg for node in ast.walk(tree) if isinstance(node, ast.arg)}
    return names | {n.id for n in ast.walk(tree) if isinstance(n, ast.Name) and isinstance(n.ctx, ast.Store)}


def _is_reference(node: ast.Subscript) -> bool:
    name = node.value.id if isinstance(node.value, ast.Name) else ""
    return name == _REFERENCES and isinstance(node.slice, ast.Constant)


def _chain(node: ast.Attribute | ast.Name) -> list[str]:
    """Return the parts of a dotted name; empty for an attribute of something else than a name."""
    parts: list[str] = []
    here: ast.expr = node
    while isinstance(here, ast.Attribute):
        parts.append(here.attr)
        here = here.value
    return [here.id, *reversed(parts)] if isinstance(here, ast.Name) else []


def _problem(node: ast.Attribute | ast.Name, imports: Mapping[str, str], own: set[str]) -> str:
    chain = _chain(node)
    if isinstance(node, ast.Attribute) and not chain:  # of a call's result, a reference, a text
        return attribute_problem(node.attr)
    first, *others = chain
    if first in own or first in _FUNCTIONS:
        return next((problem for part in others if (problem := attribute_problem(part))), "")
    if first not in imports:
        return f"uses '{shown(first)}', which no import of an allowed package gives"
    name = ".".join((imports[first], *others))
    if is_module(name):
        return f"hands on the module '{shown(name)}'"
    problem = name_problem(name)
    return problem and f"uses '{shown(name)}', which {problem}"
