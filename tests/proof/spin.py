"""SPIN, which is run."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

from .promela import model
from .subjects import Subject


def broken(subjects: list[Subject], folder: Path) -> list[list[bool]]:
    """For each subject, and each of its properties, whether SPIN finds a run that breaks it."""
    text, names = model(subjects)
    (folder / "model.pml").write_text(text)
    _run(folder, "spin", "-a", "model.pml")
    _run(folder, "cc", "-O0", "-w", "-o", "pan", "pan.c")
    return [[_is_broken(folder, name) for name in claims] for claims in names]


def _is_broken(folder: Path, claim: str) -> bool:
    told = _run(folder, "./pan", "-a", "-E", "-m20000", "-w14", "-N", claim)
    errors = re.search(r"errors: (\d+)", told)
    assert errors is not None, told
    assert "max search depth too small" not in told, told
    return errors[1] != "0"


def _run(folder: Path, *words: str) -> str:
    done = subprocess.run(words, cwd=folder, capture_output=True, text=True, check=False)
    assert done.returncode == 0 or words[0] == "./pan", f"{words}\n{done.stdout[-2000:]}{done.stderr[-2000:]}"
    return done.stdout
