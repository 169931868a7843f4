"""Which workflow files under some paths are there now, and which were in a base revision."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Final, NamedTuple

import click

from fsm_agent.cli.input.paths import workflow_file
from fsm_agent.cli.input.revisions import Repository

_SUFFIXES: Final = frozenset({".yaml", ".yml"})


class FilePair(NamedTuple):
    """A file as it is now, and as it was; one of them may be missing. That of the base is a copy."""

    #: how the file is called in messages
    name: str
    #: what it was called in the base revision, where it was there
    old_name: str | None
    old: Path | None
    new: Path | None

    @property
    def is_certainly_same(self) -> bool:
        """Whether both are the same text, which embeds no file that might have changed."""
        if self.old is None or self.new is None:
            return False
        text = self.new.read_bytes()
        return b"workflows" not in text and text == self.old.read_bytes()


class Located(NamedTuple):
    """All files under some paths, and where they are."""

    repository: Repository
    pairs: tuple[FilePair, ...]


@contextmanager
def files_since(revision: str, paths: Iterable[str]) -> Iterator[Located]:
    """The workflow files under these paths, each file and each folder once. In folders they are the ``*.yaml`` and
    ``*.yml`` of the folder itself. The copies are there for as long as the context is.

    Raises ``click.ClickException`` for a path that is there neither now nor in the revision, for an unknown revision,
    and where there is no repository.
    """
    named = [Path(path) for path in dict.fromkeys(paths)]
    repository = Repository(named[0])
    repository.commit(revision)
    with ExitStack() as stack:
        copies: dict[Path, Path] = {}
        for path in named:
            folder = _folder(path)
            if folder not in copies:
                copies[folder] = stack.enter_context(repository.folder_of(revision, folder))
        pairs = [pair for path in named for pair in _pairs(path, copies, revision)]
        yield Located(repository, tuple(dict.fromkeys(pairs)))


def _folder(path: Path) -> Path:
    return path.parent if _is_file(path) else path


def _is_file(path: Path) -> bool:
    """Whether a path names a file; of one that is gone, its suffix says so."""
    return path.is_file() or (not path.is_dir() and path.suffix in _SUFFIXES)


def _pairs(path: Path, copies: Mapping[Path, Path], revision: str) -> Iterator[FilePair]:
    copy = copies[_folder(path)]
    names = [path.name] if _is_file(path) else sorted({*_names(path), *_names(copy)})
    found = [pair for name in names for pair in _pair(_folder(path) / name, copy / name)]
    if not found and not _is_file(path) and path.is_dir():
        raise click.ClickException(
            f"the folder {str(path)!r} has no *.yaml or *.yml, neither now nor in revision {revision!r}"
        )
    if not found:
        workflow_file(str(path))  # raises, with a suggestion
    yield from found


def _names(folder: Path) -> Iterator[str]:
    if folder.is_dir():
        yield from (each.name for each in folder.iterdir() if each.suffix in _SUFFIXES and each.is_file())


def _pair(now: Path, then: Path) -> Iterator[FilePair]:
    new, old = (now if now.is_file() else None), (then if then.is_file() else None)
    if new is not None or old is not None:
        yield FilePair(str(now), None if old is None else str(now), old, new)
