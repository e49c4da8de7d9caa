"""Multi-label output layers that can output every set of up to k labels, and a checker that proves it."""

from sigfft import labels as labels
from sigfft import losses as losses
from sigfft import metrics as metrics
from sigfft import spectrum as spectrum
from sigfft.argmaxability import check as check
from sigfft.argmaxability import check_head as check_head
from sigfft.argmaxability import verify as verify
from sigfft.heads import Head as Head
from sigfft.heads import bottleneck_head as bottleneck_head
from sigfft.heads import dft_head as dft_head
from sigfft.heads import sigmoid_head as sigmoid_head

__version__ = "0.1.0"
