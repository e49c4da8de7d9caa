"""A layer explored by hand, in a notebook or on a local page: switch labels on, and read the verdict.

`session` answers, `lanes` keeps answers from waiting for each other, `desk` takes requests; `widget` and `server` carry
them to the same page, whose files are in `static`.
"""

from sigfft.explorer.notebook import explore as explore
from sigfft.explorer.session import Session as Session
