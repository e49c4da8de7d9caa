"""The name of `sigfft.inference` before 0.1; it goes with the next release."""

import warnings

from sigfft.inference import BLOCK_SIZE as BLOCK_SIZE
from sigfft.inference import PredictedSets as PredictedSets
from sigfft.inference import TopLabels as TopLabels
from sigfft.inference import label_sets as label_sets
from sigfft.inference import predictions as predictions
from sigfft.inference import top_k as top_k

warnings.warn("sigfft.predict is now sigfft.inference", DeprecationWarning, stacklevel=2)
