"""Output layers as pure functions; `Head` says what one is."""

from sigfft.heads.bottleneck import BottleneckHead as BottleneckHead
from sigfft.heads.dft import DFTHead as DFTHead
from sigfft.heads.head import Circle as Circle
from sigfft.heads.head import Head as Head
from sigfft.heads.head import Params as Params
from sigfft.heads.head import per_label_params as per_label_params
from sigfft.heads.layer import feature_layer as feature_layer
from sigfft.heads.layer import stored_layer as stored_layer
from sigfft.heads.published import load_published as load_published
from sigfft.heads.retrofitted import RetrofitHead as RetrofitHead
from sigfft.heads.retrofitted import retrofit as retrofit
from sigfft.heads.saved import KINDS as KINDS
from sigfft.heads.saved import load_head as load_head
from sigfft.heads.saved import make as make
from sigfft.heads.saved import save_head as save_head
from sigfft.heads.service import Service as Service
from sigfft.heads.sigmoid import SigmoidHead as SigmoidHead
from sigfft.heads.sizes import enough_spread as enough_spread
from sigfft.heads.sizes import least_features as least_features

bottleneck_head, dft_head, retrofit_head, sigmoid_head = BottleneckHead, DFTHead, RetrofitHead, SigmoidHead
