"""What works with the core's dependencies alone, and what says which extra it needs."""

import ast
import os
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
# Those that extras bring. The hook stands for an environment without them.
REFUSED = ["absl", "array_record", "flax", "grain", "matplotlib", "ml_collections", "optax", "orbax", "tensorboardX"]
REFUSED += ["tensorflow_datasets", "anywidget", "starlette", "uvicorn"]
CORE_ALONE = f"""
import importlib.abc, sys

class Refuses(importlib.abc.MetaPathFinder):
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in {REFUSED}:
            raise ModuleNotFoundError(f"No module named {{name!r}}", name=name)

sys.meta_path.insert(0, Refuses())
"""
README = (ROOT / "README.md").read_text(encoding="utf-8")
(CHECKERS_EXAMPLE,) = (
    code for code in re.findall(r"```python\n(.*?)```", README, re.DOTALL) if "sigfft.check(" in code
)


def printed(code, folder):
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-c", CORE_ALONE + code]
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()


def test_the_checker_runs_in_the_core(tmp_path):
    commands = """
import numpy as np
from sigfft.cli import main
np.savez("W.npz", weight=weight)
open("sets.txt", "w").write("3\\n3,17\\n")
import sigfft.doctor
sigfft.doctor.heads = lambda: "tried elsewhere"
head = sigfft.bottleneck_head(6, 2, feature_dim=3)
sigfft.save_head("head.safetensors", head, head.init(jax.random.key(0)))
for command in (
    "check --weights W.npz --labels sets.txt --out v.jsonl",
    "verify v.jsonl --weights W.npz",
    "reach --weights head.safetensors",
    "count --labels 7 --dim 3",
    "doctor --workdir .",
):
    assert main(command.split()) == 0, command
    print("done:", command.split()[0])
"""
    lines = printed(f"{CHECKERS_EXAMPLE}import jax{commands}", tmp_path)
    counts = ast.literal_eval(next(line for line in lines if line.startswith("{")))
    assert sum(counts.values()) == 3
    done = [line.split()[1] for line in lines if line.startswith("done:")]
    assert done == ["check", "verify", "reach", "count", "doctor"]
    lacks = "sigfft[flax] lacks flax; sigfft[plot] lacks matplotlib; "
    lacks += "sigfft[explore] lacks anywidget, starlette, uvicorn; sigfft[train] lacks absl, array_record, grain,"
    assert any(line.startswith(f"extras:   {lacks}") for line in lines)


def test_heads_and_losses_run_in_the_core(tmp_path):
    code = """
import jax, sigfft
head = sigfft.dft_head(n_labels=40, max_cardinality=2, feature_dim=12, spread=3)
loss = lambda params: sigfft.losses.bce(head, params, jax.numpy.ones((2, 12)), sigfft.labels.pad([[0], [1, 2]], 40))
params = jax.eval_shape(head.init, jax.random.key(0))
print(jax.eval_shape(jax.grad(loss), params) == params)
"""
    assert printed(code, tmp_path) == ["True"]


def test_what_is_missing_is_named_by_the_part_that_needs_it(tmp_path):
    parts = {
        "sigfft.nnx": "sigfft.nnx needs flax: pip install 'sigfft[flax]'",
        "sigfft.linen": "sigfft.linen needs flax: pip install 'sigfft[flax]'",
        "sigfft.encoders": "sigfft.encoders needs flax: pip install 'sigfft[flax]'",
        "sigfft.figures": "sigfft.figures needs matplotlib: pip install 'sigfft[plot]'",
        "sigfft.explorer.widget": "sigfft.explore needs anywidget: pip install 'sigfft[explore]'",
        "sigfft.explorer.server": "sigfft explore needs uvicorn: pip install 'sigfft[explore]'",
        "sigfft.data": "sigfft.data needs",
        "sigfft.training": "sigfft.training needs",
    }
    code = f"""
import importlib
for part in {list(parts)}:
    try:
        importlib.import_module(part)
    except ModuleNotFoundError as error:
        print(error)
"""
    said = printed(code, tmp_path)
    assert all(line.startswith(expected) for line, expected in zip(said, parts.values(), strict=True)), said
    assert said[-1].endswith("pip install 'sigfft[train]'")


def test_a_module_of_our_own_that_is_missing_is_no_matter_of_extras():
    from sigfft.extras import needs

    with pytest.raises(ModuleNotFoundError, match=r"^No module named 'sigfft\.none'$"), needs("flax", "sigfft.nnx"):
        import sigfft.none  # noqa: F401


def test_the_errors_name_extras_that_there_are():
    extras = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["optional-dependencies"]
    sources = [path.read_text(encoding="utf-8") for path in (ROOT / "sigfft").rglob("*.py")]
    named = {extra for text in sources for extra in re.findall(r'needs\("(\w+)"', text)}
    assert {"flax", "plot", "train"} <= named <= extras.keys()
    assert extras["all"] == ["sigfft[flax,plot,train,explore]"]
