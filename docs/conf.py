"""The documentation site: `python -m sphinx -W --keep-going docs docs/_build/html`.

What is drawn, copied or told by the package is made here, at each build, below docs/made: figures by `pictures.py`, the
notebooks, and what each command says of itself.
"""

import contextlib
import io
import os
import shutil
import sys
from pathlib import Path

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE))

import pictures

import sigfft
from sigfft import cli, manual

project, author = "sigfft", "the sigfft authors"
release = version = sigfft.__version__
copyright = author

extensions = [
    "myst_nb",  # pages in Markdown; notebooks with the outputs that they are stored with
    "sphinx.ext.autodoc",
    "sphinx.ext.napoleon",
    "sphinx_copybutton",
    "mathml",
    "signatures",
]
exclude_patterns = ["_build", "made/*.md"]
html_theme = "furo"
html_title = f"sigfft {release}"
html_static_path = ["_static"]
html_css_files = ["sigfft.css"]
pygments_dark_style = "github-dark"  # the theme's own underlines modules as if they were links
html_math_renderer = "mathml"
html_show_sourcelink = False
copybutton_prompt_text = r"\$ |>>> |\.\.\. "
copybutton_prompt_is_regexp = True

myst_enable_extensions = ["dollarmath", "amsmath", "colon_fence", "deflist", "attrs_inline"]
myst_heading_anchors = 3
nb_execution_mode = "off"
suppress_warnings = ["ref.python"]  # a word in backticks that names several things links to one of them

# A name in backticks is a link where it names something on these pages, and else code.
default_role = "py:obj"
add_module_names = False
autodoc_typehints = "signature"
autodoc_typehints_format = "short"
autodoc_member_order = "bysource"
autodoc_preserve_defaults = True
autodoc_default_options = {"members": True}
maximum_signature_line_length = 90  # a longer one has each argument on a line of its own
napoleon_numpy_docstring = False
napoleon_use_ivar = True  # attributes of tuples are entries of their class alone
napoleon_attr_annotations = False
napoleon_custom_sections = ["Reference"]
nitpicky = True
# Code in backticks, types of NumPy and JAX, and an error that no user meets.
nitpick_ignore_regex = [("py:obj", ".*"), ("py:class", ".*"), ("py:exc", "Preempted")]


def help_of(*command):
    """What a command says of itself, in lines of 90 characters."""
    with contextlib.suppress(SystemExit), contextlib.redirect_stdout(io.StringIO()) as said:
        cli.main([*command, "--help"])
    return f"## {' '.join(['sigfft', *command])}\n\n```text\n{said.getvalue()}```\n"


made = HERE / "made"
pictures.draw_all(made)
os.environ["COLUMNS"] = "92"
(made / "help.md").write_text("\n".join([help_of(), *map(help_of, manual.EXAMPLES)]), encoding="utf-8")
shutil.rmtree(HERE / "notebooks", ignore_errors=True)
shutil.copytree(HERE.parent / "notebooks", HERE / "notebooks", ignore=shutil.ignore_patterns("[!0-9]*"))
