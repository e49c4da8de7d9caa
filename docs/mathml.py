"""Formulas as MathML, which browsers draw by themselves: pages load nothing from elsewhere."""

from docutils import nodes
from docutils.utils.math.latex2mathml import tex2mathml


def setup(app):
    """A renderer named "mathml" for `html_math_renderer`."""
    app.add_html_math_renderer("mathml", (_inline, None), (_display, None))
    return {"parallel_read_safe": True, "parallel_write_safe": True}


def _inline(translator, node):
    translator.body.append(tex2mathml(node.astext(), as_block=False))
    raise nodes.SkipNode


def _display(translator, node):
    translator.body.append(f'<div class="math">{tex2mathml(node.astext(), as_block=True)}</div>')
    raise nodes.SkipNode
