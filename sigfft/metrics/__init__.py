"""Multi-label metrics from logits and padded label sets, in one streaming pass.

metrics = make_metrics(n_labels, ks=(1, 3, 5))
state = metrics.init()
for logits, labels, mask in batches:
    state = metrics.update(state, logits, labels, mask)
metrics.compute(state)  # {"P@1": ..., "R@1": ..., ..., "micro F1": ..., "exact match": ...}
"""

from sigfft.metrics.ranking import propensities as propensities
from sigfft.metrics.streaming import Metrics as Metrics
from sigfft.metrics.streaming import Predictions as Predictions
from sigfft.metrics.streaming import State as State
from sigfft.metrics.streaming import make_metrics as make_metrics
from sigfft.metrics.streaming import predict as predict
