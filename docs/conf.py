"""How the site is built: `scripts/docs`. Nothing is fetched, neither by the build nor by its pages.

The tools are those of the field. Furo is the theme of Gymnasium's site (in a fork of its own), SciPy's tutorials are
text notebooks that MyST-NB executes, and the reference of all of them is autodoc's.
"""

import os
import sys
import sysconfig
from pathlib import Path

import bandit_env

sys.path.insert(0, str(Path(__file__).parent / "_extensions"))
os.environ["PATH"] = os.pathsep.join([sysconfig.get_path("scripts"), os.environ["PATH"]])  # notebooks call bandit-env
os.environ |= {"COLUMNS": "110", "NO_COLOR": "1", "JUPYTER_PLATFORM_DIRS": "1"}

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
nb_execution_timeout = 120
nb_execution_raise_on_error = True
nb_execution_in_temp = True
nb_merge_streams = True
nb_output_stderr = "remove-warn"  # a cell that may say something there has the tag `remove-stderr`

# Docstrings: Google's sections, and single backticks for code.
default_role = "code"
autodoc_member_order = "bysource"
autodoc_typehints = "signature"
autodoc_preserve_defaults = True
napoleon_numpy_docstring = False
napoleon_use_ivar = True
python_use_unqualified_type_names = True
python_maximum_signature_line_length = 88
nitpicky = True
nitpick_ignore_regex = [
    ("py:.*", r"(?!(bandit_env|agents)\.).*"),  # other projects' names: no inventory is fetched
    ("py:.*", r".*\._.*|bandit_env\.(experiment\.(cell|chunk)|world\.(start|traffic|effects))\..*"),  # internal types
]

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
