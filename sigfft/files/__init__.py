"""Files that this package reads and writes: whole or not at all, nothing unpickled, faults named by file and line."""

from sigfft.files.atomic import check_writable as check_writable
from sigfft.files.atomic import naming_full_disk as naming_full_disk
from sigfft.files.atomic import replacing as replacing
from sigfft.files.atomic import write_text as write_text
