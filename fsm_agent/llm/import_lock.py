"""One thread at a time imports the library of models, or has it read functions.

CPython 3.11 can fail with a ``SystemError`` when two threads parse source at once (python/cpython#106905): the one
imports, the other looks into the docstring of a tool.
"""

from __future__ import annotations

import threading
from typing import Final

READING: Final = threading.RLock()
