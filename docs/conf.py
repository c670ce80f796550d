"""Sphinx: README and docstrings as pages. ``sphinx-build -W docs docs/_build``."""

from taskaffinity import __version__

project = "taskaffinity"
author = "The taskaffinity maintainers"
release = __version__
extensions = ["myst_nb", "sphinx.ext.autodoc", "sphinx.ext.napoleon"]
exclude_patterns = ["_build", "notebooks/*/**"]  # docs/notebooks is a link to the notebooks
html_theme = "furo"

nb_execution_mode = "off"  # the notebooks hold their outputs
myst_heading_anchors = 3
suppress_warnings = ["myst.header"]  # README's own levels

autodoc_mock_imports = ["torch", "transformers", "ray"]  # the pages are built without them
autodoc_member_order = "bysource"
autodoc_typehints = "signature"
autodoc_default_options = {"members": True, "undoc-members": False}
autodoc_preserve_defaults = True
napoleon_google_docstring = False
napoleon_use_rtype = False
napoleon_use_ivar = True
