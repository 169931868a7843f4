"""Workflow files on the command line: a path that exists, or an error that suggests one."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path

import click

from fsm_agent.domain.similarity import nearest

_PATTERNS = ("*.yaml", "*.yml")


def workflow_file(text: str) -> Path:
    """The path of a file. Raises ``click.ClickException`` if it is none."""
    path = Path(text)
    if not path.exists():
        raise click.ClickException(f"there is no file {text!r}{_nearest(path)}")
    if path.is_dir():
        raise click.ClickException(f"{text!r} is a folder, and a workflow is a file in it{_nearest(path / path.name)}")
    return path


def existing_file(text: str) -> Path:
    """The path of a file of any kind. Raises ``click.ClickException`` if it is none."""
    path = Path(text)
    if not path.is_file():
        raise click.ClickException(f"there is no file {text!r}" if not path.exists() else f"{text!r} is no file")
    return path


def workflow_files(texts: Iterable[str]) -> list[Path]:
    """Files, and all *.yaml and *.yml in folders; each once."""
    return list(dict.fromkeys(file for text in texts for file in _files_at(text)))


def _files_at(text: str) -> Iterator[Path]:
    path = Path(text)
    if not path.is_dir():
        yield workflow_file(text)
        return
    found = sorted(file for pattern in _PATTERNS for file in path.glob(pattern))
    if not found:
        raise click.ClickException(f"the folder {text!r} has no {' or '.join(_PATTERNS)}")
    yield from found


def _nearest(path: Path) -> str:
    """`` (did you mean `x.yaml`?)``, from files beside the path, here, and in workflows/."""
    folders = dict.fromkeys([path.parent, Path(), Path("workflows")])
    files = [file for folder in folders for pattern in _PATTERNS for file in sorted(folder.glob(pattern))]
    close = nearest(path.stem, [file.stem for file in files])
    return next((f" (did you mean `{file}`?)" for file in files if file.stem == close), "")
