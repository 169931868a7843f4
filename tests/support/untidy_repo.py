"""An untidy folder: with what ruff fixes by itself, what it fixes on request, and what it cannot fix."""

from __future__ import annotations

from pathlib import Path

#: the rules by which it is looked at
SELECT = "F,E4,E7,E9,B"

#: neither its line ends nor its letters are those of a plain file
_PATHS = "import os.path\r\n\r\nNAME = 'café'\r\nif not os.path.exists(NAME) == True:\r\n    pass\r\n".encode()

FILES = {
    "app.py": b"""import os
import sys, json


def add(item, items=[]):
    if item == None:
        return not item in items
    items.append(f"nothing")
    return items
""",
    "lib/paths.py": b"import re\r\n" + _PATHS,
    "lib/broken.py": b"def open(:\n",
    "lib/tidy.py": b"X = 1\n",
    "notes.txt": b"import os\n",
}

#: what becomes of it when the first unsafe fix is applied, the second is skipped, and all others are
TIDY_FILES = {
    **FILES,
    "app.py": b"""

def add(item, items=None):
    if items is None:
        items = []
    if item == None:
        return item not in items
    items.append("nothing")
    return items
""",
    "lib/paths.py": _PATHS,
}


def write_untidy_repo(folder: Path) -> Path:
    """Write it; returns the folder."""
    for name, content in FILES.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(content)
    return folder


def tree(folder: Path) -> dict[str, bytes]:
    """Every file that is there now."""
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}
