"""Annotations checked at run time; `conftest.py` lays it over the package as it is imported."""

from beartype import BeartypeConf, beartype

checked = beartype(
    conf=BeartypeConf(is_pep484_tower=True)
)  # an int where a float is asked for, as type checkers have it

# All but the checker's inner loops, which would take three times as long: argmaxability/test_annotations.py has theirs.
MODULES = (
    *(
        "labels",
        "spectrum",
        "precision",
        "seriation",
        "inference",
        "linen",
        "nnx",
        "encoders",
        "argmaxability.of_heads",
    ),
    *("files", "heads", "losses", "metrics", "data", "figures", "training"),
)
PACKAGES = [f"sigfft.{name}" for name in MODULES]
