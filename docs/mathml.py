"""Formulas as MathML, which browsers draw by themselves: pages load nothing from elsewhere."""

import html
import re

from docutils import nodes
from docutils.utils.math.latex2mathml import tex2mathml


def setup(app):
    """A renderer named "mathml" for `html_math_renderer`."""
    app.add_html_math_renderer("mathml", (_inline, None), (_display, None))
    app.connect("doctree-resolved", _with_punctuation)
    return {"parallel_read_safe": True, "parallel_write_safe": True}


def _with_punctuation(app, doctree, page):
    """Gives a formula the comma behind it: a browser would begin a line with that."""
    for formula in list(doctree.findall(nodes.math)):
        behind = formula.next_node(descend=False, siblings=True)
        found = re.match(r"[^\w\s]+", behind) if isinstance(behind, nodes.Text) else None
        if found:
            formula["behind"] = found[0]
            behind.parent.replace(behind, nodes.Text(behind[found.end() :]))


def _inline(translator, node):
    formula = tex2mathml(node.astext(), as_block=False)
    translator.body.append(f'<span class="formula">{formula}{html.escape(node.get("behind", ""))}</span>')
    raise nodes.SkipNode


def _display(translator, node):
    translator.body.append(f'<div class="math">{tex2mathml(node.astext(), as_block=True)}</div>')
    raise nodes.SkipNode
