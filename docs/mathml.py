"""Formulas as MathML, which browsers draw by themselves: pages load nothing from elsewhere."""

import re

from docutils import nodes
from docutils.utils.math.latex2mathml import tex2mathml


def setup(app):
    """A renderer named "mathml" for `html_math_renderer`."""
    app.add_html_math_renderer("mathml", (_inline, None), (_display, None))
    return {"parallel_read_safe": True, "parallel_write_safe": True}


def _inline(translator, node):
    translator.body.append(tex2mathml(node.astext(), as_block=False))
    behind = node.next_node(descend=False, siblings=True)
    if behind is not None and re.match(r"[^\w\s]", behind.astext()):
        translator.body.append("&#8288;")  # a word joiner: no line begins with the comma behind a formula
    raise nodes.SkipNode


def _display(translator, node):
    translator.body.append(f'<div class="math">{tex2mathml(node.astext(), as_block=True)}</div>')
    raise nodes.SkipNode
