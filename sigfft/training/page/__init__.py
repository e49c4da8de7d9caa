"""The page of a run, or of several side by side: one HTML file that asks for nothing outside of itself."""

from sigfft.training.page.document import write_page as write_page
