"""Losses on sparse targets: label ids, never a (batch, n_labels) 0/1 matrix."""

from sigfft.losses.blocked import sum_over_labels as sum_over_labels
from sigfft.losses.heads import asymmetric as asymmetric
from sigfft.losses.heads import bce as bce
from sigfft.losses.heads import of_head as of_head
from sigfft.losses.logits import asymmetric_with_logits as asymmetric_with_logits
from sigfft.losses.logits import bce_with_logits as bce_with_logits
from sigfft.losses.logits import with_logits as with_logits
from sigfft.losses.multinomial import softmax as softmax
from sigfft.losses.multinomial import softmax_by_blocks as softmax_by_blocks
from sigfft.losses.multinomial import softmax_with_logits as softmax_with_logits
from sigfft.losses.per_label import LOSSES as LOSSES
from sigfft.losses.per_label import PerLabelLoss as PerLabelLoss
from sigfft.losses.per_label import asymmetric_loss as asymmetric_loss
from sigfft.losses.per_label import binary_cross_entropy as binary_cross_entropy
from sigfft.losses.per_label import focal_loss as focal_loss
from sigfft.losses.sampled import of_sampled as of_sampled
from sigfft.losses.weights import REDUCTIONS as REDUCTIONS
