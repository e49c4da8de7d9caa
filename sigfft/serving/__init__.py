"""A trained model as one file that a server reloads without training code: `save` and `load`.

The file holds the encoder and the head as compiled-ahead functions of a batch of any size, their parameters, thresholds
and the names of labels. `Served` answers from it with labels, scores, sets and names.
"""

from sigfft.serving.exporting import save as save
from sigfft.serving.served import Named as Named
from sigfft.serving.served import Served as Served
from sigfft.serving.served import load as load
