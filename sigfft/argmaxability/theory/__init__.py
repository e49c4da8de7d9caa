"""Closed forms for the cyclic matrix, oriented matroids of small layers, and shares of all label sets."""

from sigfft.argmaxability.theory.cyclic import sign_changes as sign_changes
from sigfft.argmaxability.theory.cyclic import witness as witness
from sigfft.argmaxability.theory.oriented import circuits as circuits
from sigfft.argmaxability.theory.oriented import cocircuits as cocircuits
from sigfft.argmaxability.theory.oriented import orthogonal_complement as orthogonal_complement
from sigfft.argmaxability.theory.oriented import sign_vectors as sign_vectors
