import subprocess
import sys

PROGRAM = """
from jaxtyping import install_import_hook

with install_import_hook("sigfft", "beartype.beartype"):
    import sigfft
    from sigfft.argmaxability import epsilon, search, theory
    from sigfft.argmaxability.search import refine
    from sigfft.projection import Projection

import numpy as np

random = np.random.default_rng(0)
weight, bias = random.standard_normal((9, 3)), random.standard_normal(9)
for rule, sets in {"threshold": [[], [1, 2], [3]], "argmax": [[1], [5]], "top_k": [[1, 2], [0, 7]]}.items():
    for offset in (None, bias):
        report = sigfft.check(weight, sets, offset, rule, probes=4)
        report.save("verdicts.jsonl")
        assert sigfft.verify("verdicts.jsonl", weight, offset)["undecided"] == 0
        assert len(type(report).load("verdicts.jsonl")) == len(sets)
        explained = sigfft.explain(weight.T, np.array(sets[1]), offset, rule, transposed=True)
        near = sigfft.nearest(weight, sets[1], offset, rule)
        for told in (report, explained, near):
            assert repr(told.named(list("abcdefghi"))) and told._repr_html_() and told.to_dicts() is not None
        search.enumerate_sets(weight, offset, rule, cardinality=2, n_directions=50)
apart = np.array([[1e-200, 0.0], [0.0, 1e200], [-1.0, 1.0]])  # decided by frames, with an exact witness
fed = Projection(random.standard_normal((2, 4)), random.standard_normal(2))
for projection, domain in ((None, "any"), (None, (0.5, None)), (fed, "nonnegative"), (fed, (-1.0, 2.0))):
    report = sigfft.check(apart, [[0], [0, 1], []], np.array([-1e200, 1.0, 1.0]), domain=domain, projection=projection)
    report.save("verdicts.jsonl")
    sigfft.verify("verdicts.jsonl", apart, np.array([-1e200, 1.0, 1.0]), projection=projection)
refine._FRAMES = 0
sigfft.check(1 + 1e-12 * weight, [[0], [1, 2]])
epsilon.epsilon_argmaxable(weight, sigfft.check(weight, [[1], [2, 3]]))
search.braid_reflect(weight, np.arange(9))
theory.sign_vectors(weight[:5]), theory.circuits(weight[:5]), theory.witness([1, 2], 9, 2)
assert len(sigfft.coverage(weight, 2, samples=5, exhaustive=3)) == 2
try:
    sigfft.check(weight, [[1.5]])
except Exception as error:
    assert "TypeCheckError" in type(error).__name__
else:
    raise AssertionError("annotations were not checked")
"""


def test_the_checkers_annotations_hold(tmp_path):
    """In a process of its own: its functions are called so often that checks in all tests would cost minutes."""
    done = subprocess.run([sys.executable, "-c", PROGRAM], cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
