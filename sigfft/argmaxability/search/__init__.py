"""Search for witnesses and certificates. What it finds are proposals; `proofs` accepts them or not."""

from sigfft.argmaxability.search.braid import braid_reflect as braid_reflect
from sigfft.argmaxability.search.enumeration import enumerate_sets as enumerate_sets
