"""How the site is built: `scripts/docs`. Nothing is fetched, neither by the build nor by its pages.

The tools are those of the field. Furo is the theme of Gymnasium's site (in a fork of its own), SciPy's tutorials are
text notebooks that MyST-NB executes, and the reference of all of them is autodoc's.
"""

import os
import sys
import sysconfig
from pathlib import Path

from nbclient import NotebookClient

import bandit_env

sys.path.insert(0, str(Path(__file__).parent / "_extensions"))
os.environ["PATH"] = os.pathsep.join([sysconfig.get_path("scripts"), os.environ["PATH"]])  # notebooks call bandit-env
os.environ |= {"COLUMNS": "110", "TTY_COMPATIBLE": "0"}  # there they print as into a file: no colours, no escapes

project = "bandit_env"
author = "The bandit_env developers"
copyright = author
version = release = bandit_env.__version__

extensions = [
    "myst_nb",
    "sphinx.ext.autodoc",
    "sphinx.ext.napoleon",
    "sphinx_copybutton",
    "docstrings",
    "mathml",
    "present",
    "reference",
    "run_command",
]
exclude_patterns = ["_build", "_extensions", "figures", "learning"]

# Markdown and text notebooks; every notebook runs in each build, and one that fails or warns fails the build.
myst_enable_extensions = ["colon_fence", "deflist", "dollarmath"]
myst_heading_anchors = 4
nb_execution_mode = "force"
nb_execution_timeout = 600  # seconds a cell, on a machine that has other things to do
nb_execution_raise_on_error = True
nb_execution_in_temp = True
NotebookClient.coalesce_streams = True  # what a command prints comes in pieces; MyST-NB would end each with a new line
nb_output_stderr = "remove-warn"  # a cell that may say something there has the tag `remove-stderr`

# Docstrings: Google's sections, and single backticks for code.
default_role = "code"
autodoc_member_order = "bysource"
autodoc_typehints = "none"  # shapes and units are in the docstrings, and types in the code; as in SciPy's
autodoc_preserve_defaults = True
napoleon_numpy_docstring = False
napoleon_use_ivar = True
toc_object_entries = False
python_maximum_signature_line_length = 88
nitpicky = True
nitpick_ignore_regex = [("py:.*", r"(?!(bandit_env|agents)\.).*|.*\._.*")]  # others' names: no inventory is fetched

html_theme = "furo"
html_title = f"bandit_env {release}"
html_static_path = ["_static"]
html_css_files = ["site.css"]
html_show_sphinx = False
html_copy_source = False
html_math_renderer = "mathml"
html_theme_options = {"navigation_with_keys": True}
pygments_style = "friendly"
pygments_dark_style = "monokai"
copybutton_exclude = ".linenos, .gp, .go"
