"""Output layers as pure functions; `Head` says what one is."""

from sigfft.heads.base import Circle as Circle
from sigfft.heads.base import Head as Head
from sigfft.heads.base import Params as Params
from sigfft.heads.bottleneck import bottleneck_head as bottleneck_head
from sigfft.heads.dft import dft_head as dft_head
from sigfft.heads.layer import feature_layer as feature_layer
from sigfft.heads.layer import stored_layer as stored_layer
from sigfft.heads.retrofitting import retrofit as retrofit
from sigfft.heads.retrofitting import retrofit_head as retrofit_head
from sigfft.heads.saved import load_head as load_head
from sigfft.heads.saved import make as make
from sigfft.heads.saved import save_head as save_head
from sigfft.heads.sigmoid import sigmoid_head as sigmoid_head
