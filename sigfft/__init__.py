"""Multi-label output layers that can output every set of up to k labels, and a checker that proves it."""

from typing import Any

from sigfft import inference as inference
from sigfft import labels as labels
from sigfft import losses as losses
from sigfft import metrics as metrics
from sigfft import serving as serving
from sigfft import spectrum as spectrum
from sigfft.argmaxability import Certificate as Certificate
from sigfft.argmaxability import Report as Report
from sigfft.argmaxability import VerificationError as VerificationError
from sigfft.argmaxability import check as check
from sigfft.argmaxability import check_head as check_head
from sigfft.argmaxability import coverage as coverage
from sigfft.argmaxability import explain as explain
from sigfft.argmaxability import nearest as nearest
from sigfft.argmaxability import plan as plan
from sigfft.argmaxability import reach as reach
from sigfft.argmaxability import verify as verify
from sigfft.embedding import label_embedding as label_embedding
from sigfft.explorer import explore as explore
from sigfft.heads import Head as Head
from sigfft.heads import bottleneck_head as bottleneck_head
from sigfft.heads import dft_head as dft_head
from sigfft.heads import feature_layer as feature_layer
from sigfft.heads import load_head as load_head
from sigfft.heads import retrofit as retrofit
from sigfft.heads import retrofit_head as retrofit_head
from sigfft.heads import save_head as save_head
from sigfft.heads import sigmoid_head as sigmoid_head
from sigfft.priors import label_priors as label_priors
from sigfft.seriation import label_order as label_order
from sigfft.trained import load_weights as load_weights

__version__ = "0.1.0"


def __getattr__(name: str) -> Any:
    if name == "predict":  # its name before 0.1; the alias stays for one release
        import importlib

        return importlib.import_module("sigfft.predict")
    raise AttributeError(f"module 'sigfft' has no attribute {name!r}")
