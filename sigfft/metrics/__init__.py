"""Multi-label metrics from logits and padded label sets, in one streaming pass.

::

    metrics = make_metrics(n_labels, ks=(1, 3, 5))
    state = metrics.init()
    for logits, labels, mask in batches:
        state = metrics.update(state, logits, labels, mask)
    metrics.compute(state)  # {"P@1": ..., "R@1": ..., ..., "micro F1": ..., "exact match": ...}

Thresholds and areas under curves come from `make_histograms`, in the same way.
"""

from sigfft.metrics.auc import Areas as Areas
from sigfft.metrics.auc import area_under_curve as area_under_curve
from sigfft.metrics.curves import Binned as Binned
from sigfft.metrics.curves import Curves as Curves
from sigfft.metrics.curves import best_for_examples as best_for_examples
from sigfft.metrics.curves import curves_of as curves_of
from sigfft.metrics.histograms import Counts as Counts
from sigfft.metrics.histograms import Histograms as Histograms
from sigfft.metrics.histograms import make_histograms as make_histograms
from sigfft.metrics.ranking import propensities as propensities
from sigfft.metrics.streaming import Metrics as Metrics
from sigfft.metrics.streaming import Predictions as Predictions
from sigfft.metrics.streaming import State as State
from sigfft.metrics.streaming import make_metrics as make_metrics
from sigfft.metrics.streaming import predict as predict
from sigfft.metrics.thresholds import Thresholds as Thresholds
from sigfft.metrics.thresholds import choose_thresholds as choose_thresholds
from sigfft.metrics.thresholds import logit_of as logit_of
from sigfft.metrics.thresholds import rule_bias as rule_bias
