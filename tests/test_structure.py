"""What imports what: arrows downwards only, and proofs that trust no solver."""

import ast
import graphlib
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parents[1] / "sigfft"
FLOORS = [  # a module imports from its own floor or from one above it in this list
    {
        "labels",
        "domains",
        "extras",
        "terminal",
        "projection",
        "precision",
        "priors",
        "varying",
        "fourier",
        "meshes",
        "spectrum",
        "seriation",
        "files",
        "metrics",
        "encoders",
    },
    {"heads", "data", "embedding", "figures"},
    {"losses", "inference", "predict", "visits", "linen", "nnx", "argmaxability", "serving"},
    {"", "training", "trained", "explorer"},
    {"inputs", "answers", "manual"},
    {"conversions", "doctor", "exploring", "exports", "imports", "launching", "pages", "reaching", "sweeping"},
    {"cli"},
    {"__main__"},
]
SOLVERS = ("scipy.", "highspy.", "jax.", "sigfft.argmaxability.search.", "sigfft.heads.")


def module_name(path: Path) -> str:
    parts = path.relative_to(PACKAGE.parent).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


MODULES = {module_name(path): path for path in PACKAGE.rglob("*.py")}


def imports(module: str, also_lazy: bool = True) -> set[str]:
    """Modules that a module imports by name, those inside functions too."""
    tree = ast.parse(MODULES[module].read_text(encoding="utf-8"))
    found = set()
    for node in ast.walk(tree) if also_lazy else tree.body:
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{module} imports by a relative name"
            members = {f"{node.module}.{alias.name}" for alias in node.names}
            found |= {name if name in MODULES else str(node.module) for name in members}
    return found - {module}


def floor(module: str) -> int:
    """The floor that a module of the package stands on."""
    part = module.removeprefix("sigfft").removeprefix(".").split(".")[0]
    return next(i for i, parts in enumerate(FLOORS) if part in parts)


def test_every_module_stands_on_one_floor():
    for module in MODULES:
        floor(module)
    assert sum(len(parts) for parts in FLOORS) == len(set().union(*FLOORS))


@pytest.mark.parametrize("module", sorted(MODULES))
def test_arrows_point_downwards(module):
    own = {name for name in imports(module) if name.split(".")[0] == "sigfft" and name != "sigfft"}
    assert not {name for name in own if floor(name) > floor(module)}
    if module.startswith("sigfft.argmaxability"):
        assert not {name for name in own if name.startswith(("sigfft.training", "sigfft.data"))}


def test_no_file_imports_itself_by_a_detour():
    graph = {module: imports(module) & MODULES.keys() - {"sigfft"} for module in MODULES}
    for package in ("heads", "losses", "data", "files", "metrics", "figures", "encoders", "training", "argmaxability"):
        graph[f"sigfft.{package}"] = graph.get(f"sigfft.{package}", set())
    graphlib.TopologicalSorter(graph).prepare()  # raises CycleError


def test_proofs_trust_no_solver_and_no_search():
    seen, left = set(), {module for module in MODULES if module.startswith("sigfft.argmaxability.proofs")}
    assert {"sigfft.argmaxability.proofs.exact", "sigfft.argmaxability.proofs.certificate"} <= left
    while left:
        module = left.pop()
        seen.add(module)
        asked = imports(module)
        if not module.endswith(("rules", "labels")):  # which take arrays of a forward pass in JAX as well
            assert not {name for name in asked if f"{name}.".startswith(SOLVERS)}, module
        left |= {name for name in asked if name in MODULES and name != "sigfft"} - seen


@pytest.mark.parametrize("module", sorted(MODULES))
def test_no_function_has_the_name_of_its_module(module):
    tree = ast.parse(MODULES[module].read_text(encoding="utf-8"))
    defined = {node.name for node in tree.body if isinstance(node, ast.FunctionDef | ast.ClassDef)}
    assert module.rpartition(".")[2] not in defined


def test_files_are_read_in_one_sitting():
    lengths = sorted(len(path.read_text(encoding="utf-8").splitlines()) for path in MODULES.values())
    assert lengths[-1] <= 300
