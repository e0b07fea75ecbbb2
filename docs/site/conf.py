# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

"""How Sphinx builds the site: ``make docs`` writes it to docs/_build/html, and a warning is an error.

The source is the whole repository, so that a link means the same on the site as in the repository. The notebooks are
run, each in an empty folder, and an error in one of them is an error of the build.
"""

from __future__ import annotations

import os
import re
import sys
from pathlib import Path
from typing import Any

import numpy.typing
from myst_nb.core import render
from nbformat import NotebookNode
from sphinx.application import Sphinx
from torchvision.models import VisionTransformer, WeightsEnum

import monai_anomaly
from monai_anomaly.bundle import pool_checking, training_summary
from monai_anomaly.guard.pool_check import PoolCheck
from monai_anomaly.handlers.scoring import gallery_pictures
from monai_anomaly.networks.nets.features import transformer_stages, weights_file
from monai_anomaly.report.evaluation_numbers import Case

# What these modules import for their types alone, as it takes long; autodoc reads signatures with it.
gallery_pictures.Case = Case
transformer_stages.VisionTransformer = VisionTransformer
pool_checking.PoolCheck = PoolCheck
training_summary.PoolCheck = PoolCheck
weights_file.WeightsEnum = WeightsEnum
sys.modules["npt"] = numpy.typing  # the name in the signatures, for autodoc_type_aliases

project = "monai_anomaly"
author = "monai_anomaly contributors"
copyright = "2026, monai_anomaly contributors"
version = release = monai_anomaly.__version__

root_doc = "docs/index"
include_patterns = ["docs/*.md", "docs/notebooks/*.md", "docs/api.rst", "docs/api/*.rst"]
include_patterns += ["bundles/*/docs/README.md", "*.md"]
exclude_patterns = [".venv", "build", "docs/_build", "README.md"]  # the front page is docs/index.md
source_suffix = {".rst": "restructuredtext", ".md": "myst-nb"}  # in this order: autosummary writes the first

extensions = [
    "myst_nb",
    "sphinx.ext.autodoc",
    "sphinx.ext.autosummary",
    "sphinx.ext.napoleon",
    "sphinx.ext.viewcode",
]
myst_heading_anchors = 4

nb_execution_mode = "force"
nb_execution_in_temp = True
nb_execution_raise_on_error = True
nb_execution_timeout = 900  # seconds, of a cell; a busy machine takes many
nb_merge_streams = True
nb_render_markdown_format = "gfm"  # with tables
nb_output_stderr = "remove"  # progress bars, and what libraries warn of; a cell that fails is an error all the same
# Commands in the notebooks are those of this environment.
os.environ["PATH"] = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
os.environ["TQDM_DISABLE"] = "1"

# What has environments of its own, see integrations.
autodoc_mock_imports = ["monai.deploy", "monailabel"]
autosummary_ignore_module_all = False  # a module shows what its __all__ names
autodoc_member_order = "bysource"
# What SQLAlchemy gives a class of tables has its own site.
autodoc_default_options = {"members": True, "show-inheritance": True, "exclude-members": "metadata, registry"}
autodoc_type_aliases = {"npt.ArrayLike": "numpy.typing.ArrayLike"}
napoleon_numpy_docstring = False
napoleon_use_rtype = False  # types are in the signatures, what "Returns:" holds is prose

highlight_language = "none"  # a block without a language is a drawing, a folder or a formula

html_theme = "furo"
html_title = f"monai_anomaly {release}"
templates_path = [str(Path(__file__).with_name("templates"))]
html_extra_path = ["front"]
html_show_sourcelink = False

nitpicky = True
nitpick_ignore_regex = [
    # Python and other packages have sites of their own.
    ("py:.*", r"(abc|argparse|collections|contextlib|datetime|enum|io|json|multiprocessing|os|pathlib)\..*"),
    ("py:.*", r"(socket|ssl|types|typing|zipfile)\..*"),
    ("py:.*", r"(ignite|itk|jinja2|markupsafe|monai|nibabel|np|numpy|npt|PIL|pydicom)\..*"),
    ("py:.*", r"(fsspec|pa|pyarrow|ray|scipy|skimage|sklearn|torch|torchvision)\..*"),
    ("py:.*", r"(_orm|_schema|evt|fastapi|highdicom|monailabel|pynetdicom|requests|sqlalchemy|starlette)\..*"),
    # Names that a module has for itself, and so no page; a NamedTuple's signature has all names as they are written.
    ("py:.*", r"monai_anomaly\..*\._\w+"),
    ("py:.*", r"monai_anomaly\.transforms\.patch_draw\.Draw(In|Out)?"),
    (
        "py:(class|exc)",
        r"ApplicationEntity|Dataset|Datastore|Floats|HTTPException|Module|PackageNotFoundError|Path|Session|Tensor",
    ),
]
if "DOCS_INTERSPHINX" in os.environ:  # links to those sites, where there is an internet
    extensions.append("sphinx.ext.intersphinx")
    intersphinx_mapping = {
        "python": ("https://docs.python.org/3", None),
        "numpy": ("https://numpy.org/doc/stable", None),
        "torch": ("https://docs.pytorch.org/docs/stable", None),
        "monai": ("https://monai.readthedocs.io/en/stable", None),
        "ignite": ("https://docs.pytorch.org/ignite", None),
        "pydicom": ("https://pydicom.github.io/pydicom/stable", None),
    }


def join_streams(outputs: list[NotebookNode]) -> list[NotebookNode]:
    """Return the outputs of a cell with one stream of each name, as it was written."""
    joined: list[NotebookNode] = []
    streams: dict[str, NotebookNode] = {}
    for output in outputs:
        name = output.get("name", "")
        if output["output_type"] == "stream" and name in streams:
            streams[name]["text"] += output["text"]
            continue
        if output["output_type"] == "stream":
            streams[name] = output
        joined.append(output)
    return joined


render.coalesce_streams = join_streams  # MyST-NB's breaks the line where a piece of a stream ends


def keep_prose(app: Sphinx, what: str, name: str, obj: object, options: object, lines: list[str]) -> None:
    """Put a comment before the text of an attribute, where napoleon would take the words before a colon for a type."""
    if what in {"attribute", "data", "property"}:
        lines[:0] = ["..", ""]


def readable_signature(
    app: Sphinx, what: str, name: str, obj: object, options: object, signature: str | None, returns: str | None
) -> tuple[str | None, str | None]:
    """Write what Sphinx cannot parse as Python: the default of a dataclass's field, and an alias in a union."""
    if signature:
        signature = re.sub(r"= <[^>]*>", "= ...", signature)
        signature = re.sub(r"TypeAliasForwardRef\('([\w.]+)'\)", r"\1", signature)
    return signature, returns


def fold_navigation(app: Sphinx, page: str, template: str, context: dict[str, Any], doctree: object) -> None:
    """Open the way to the page in the navigation only: with all modules on all pages, that took most of the build."""
    if toctree := context.get("toctree"):
        context["toctree"] = lambda **options: toctree(**{**options, "collapse": True})


def setup(app: Sphinx) -> None:
    app.connect("html-page-context", fold_navigation, priority=400)  # before the theme
    app.connect("autodoc-process-docstring", keep_prose, priority=400)  # before napoleon
    app.connect("autodoc-process-signature", readable_signature)
