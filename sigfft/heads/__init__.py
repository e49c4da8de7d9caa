"""Output layers as pure functions; `Head` says what one is."""

from sigfft.heads.base import Circle as Circle
from sigfft.heads.base import Head as Head
from sigfft.heads.base import Params as Params
from sigfft.heads.bottleneck import bottleneck_head as bottleneck_head
from sigfft.heads.dft import dft_head as dft_head
from sigfft.heads.make import make as make
from sigfft.heads.retrofit import retrofit_head as retrofit_head
from sigfft.heads.sigmoid import sigmoid_head as sigmoid_head
