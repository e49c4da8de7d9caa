"""Which label sets can a layer output? Verdicts with proofs, and closed forms for the cyclic matrix."""

from sigfft.argmaxability.certificate import Certificate, VerificationError, verify
from sigfft.argmaxability.check import check, check_head
from sigfft.argmaxability.coverage import coverage
from sigfft.argmaxability.report import Report
from sigfft.argmaxability.truths import HeadReport

__all__ = ["Certificate", "HeadReport", "Report", "VerificationError", "check", "check_head", "coverage", "verify"]
