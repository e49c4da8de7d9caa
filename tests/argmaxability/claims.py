"""Single claims about layers given as arrays, as tests write them."""

import numpy as np

from sigfft.argmaxability.layer import Layer
from sigfft.argmaxability.proofs.certificate import proves_certificates
from sigfft.argmaxability.proofs.witness import proves_witnesses
from sigfft.argmaxability.search.system import System


def witness_holds(weight, bias, rule, labels, witness):
    """Whether an activation is proved to yield a set."""
    layer = Layer.of(weight, bias, rule)
    return bool(proves_witnesses(layer, layer.pad([labels]), np.asarray(witness)[None])[0])


def certificate_holds(weight, bias, rule, labels, certificate):
    """Whether a certificate is proved."""
    layer = Layer.of(weight, bias, rule)
    return bool(proves_certificates(layer, layer.pad([labels]), [certificate])[0])


def system_of(weight, bias=None, rule="threshold"):
    """The sign system of a layer."""
    return System.of(Layer.of(weight, bias, rule))
