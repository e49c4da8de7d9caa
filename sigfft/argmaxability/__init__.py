"""Which label sets can a layer output? Verdicts with proofs, and closed forms for the cyclic matrix.

`rules` and `layer` say what is asked; `search` proposes, `proofs` accepts; `decide`, `batches` and `checker` bring the
two together; `of_heads` is about this package's heads, `theory` about closed forms.
"""

from sigfft.argmaxability.checker import check as check
from sigfft.argmaxability.explanation import explain as explain
from sigfft.argmaxability.neighbours import nearest as nearest
from sigfft.argmaxability.of_heads.head_report import HeadReport as HeadReport
from sigfft.argmaxability.of_heads.head_report import check_head as check_head
from sigfft.argmaxability.of_heads.planning import plan as plan
from sigfft.argmaxability.of_heads.reachability import Reach as Reach
from sigfft.argmaxability.of_heads.reachability import reach as reach
from sigfft.argmaxability.proofs.certificate import Certificate as Certificate
from sigfft.argmaxability.proofs.verdicts import VerificationError as VerificationError
from sigfft.argmaxability.proofs.verification import verify as verify
from sigfft.argmaxability.proofs.witness import ExactWitness as ExactWitness
from sigfft.argmaxability.report import Report as Report
from sigfft.argmaxability.theory.shares import coverage as coverage
