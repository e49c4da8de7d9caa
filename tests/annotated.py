"""Annotations checked at run time; `conftest.py` lays this over the package as it is imported."""

from beartype import BeartypeConf, beartype

# With PEP 484's tower an int is a float, as type checkers have it.
checked = beartype(conf=BeartypeConf(is_pep484_tower=True))

# All but the checker's inner loops, which would take 2.5 times as long: argmaxability/test_annotations.py has theirs.
MODULES = ["labels", "spectrum", "precision", "seriation", "inference", "linen", "nnx", "encoders", "files", "heads"]
MODULES += ["losses", "metrics", "data", "figures", "training", "argmaxability.of_heads", "serving", "explorer"]
PACKAGES = [f"sigfft.{name}" for name in MODULES]
