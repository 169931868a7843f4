"""Workflow files of git revisions: their folder is brought into a temporary one, so that the files which a workflow
embeds are there too.

Files are read from git's objects and not with ``git archive``, since that leaves out what ``.gitattributes`` marks so,
and would unpack all of a repository for a file at its top. Nothing of the repository is changed or run.
"""

from __future__ import annotations

import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path, PurePosixPath
from typing import Final

import click

_SUFFIXES: Final = (".yaml", ".yml")
#: modes of ordinary files; links and submodules are left out
_FILES: Final = frozenset({"100644", "100755"})


class Repository:
    """The git repository around a path."""

    def __init__(self, path: Path) -> None:
        """Raises ``click.ClickException`` if git is not installed, or there is no repository."""
        whole = path.absolute()
        folder = next((each for each in (whole, *whole.parents) if each.is_dir()), Path.cwd())
        done = _git("rev-parse", "--show-toplevel", folder=folder)
        if done.returncode:
            raise click.ClickException(f"{str(path)!r} is in no git repository, so there are no revisions of it")
        self.folder = Path(done.stdout.decode().removesuffix("\n"))

    def commit(self, revision: str) -> str:
        """The id of the commit that a revision names; raises ``click.ClickException`` if it names none."""
        wanted = f"{revision}^{{commit}}"
        done = self._git("rev-parse", "--verify", "--quiet", wanted)
        if done.returncode or not revision:
            raise click.ClickException(f"there is no revision {revision!r} in the git repository {self.folder}")
        return done.stdout.decode().strip()

    @contextmanager
    def file_of(self, revision: str, path: Path) -> Iterator[Path]:
        """A copy of the file as it is in a revision, with the workflow files of its folder and those below. Raises
        ``click.ClickException`` if the revision has no such file."""
        name = self.name(path)
        with self.folder_of(revision, path.parent) as copy:
            if not (file := copy / name.name).is_file():
                raise click.ClickException(f"there is no file {str(name)!r} in revision {revision!r}")
            yield file

    @contextmanager
    def folder_of(self, revision: str, folder: Path) -> Iterator[Path]:
        """A copy of the workflow files of a folder and of those below, as they are in a revision; it is empty if there
        were none. Raises ``click.ClickException`` for an unknown revision."""
        commit = self.commit(revision)
        # the folder's own name may be a link, and what stands in git is what it leads to
        name = str(self.name(folder / "_").parent)
        prefix = "" if name == "." else f"{name}/"
        blobs = dict(self._blobs(commit, prefix))
        with tempfile.TemporaryDirectory(prefix="fsm-agent-") as place:
            for each, content in zip(blobs, self._contents(list(blobs.values())), strict=True):
                target = Path(place, each.removeprefix(prefix))
                target.parent.mkdir(parents=True, exist_ok=True)
                target.write_bytes(content)
            yield Path(place)

    def name(self, path: Path) -> PurePosixPath:
        """The path from the top of the repository, as git names it. Raises ``click.ClickException`` if it is not in the
        repository."""
        whole = path.parent.resolve() / path.name
        try:
            return PurePosixPath(whole.relative_to(self.folder.resolve()).as_posix())
        except ValueError:
            raise click.ClickException(f"{str(path)!r} is not in the git repository {self.folder}") from None

    def _blobs(self, commit: str, folder: str) -> Iterator[tuple[str, str]]:
        """Name from the top -> id of the content, of the workflow files in a folder and below."""
        listed = self._git("ls-tree", "-r", "-z", "--full-tree", commit, *([f":(literal){folder}"] if folder else []))
        for line in listed.stdout.decode(errors="surrogateescape").split("\0"):
            facts, _, name = line.partition("\t")
            if name.endswith(_SUFFIXES) and (fields := facts.split())[0] in _FILES:
                yield name, fields[2]

    def _contents(self, ids: list[str]) -> Iterator[bytes]:
        """The contents of objects, in one call."""
        done = self._git("cat-file", "--batch", given="".join(f"{each}\n" for each in ids).encode())
        at = 0
        for _ in ids:
            end = done.stdout.index(b"\n", at)
            size = int(done.stdout[at:end].split()[-1])
            yield done.stdout[end + 1 : end + 1 + size]
            at = end + size + 2

    def _git(self, *words: str, given: bytes = b"") -> subprocess.CompletedProcess[bytes]:
        return _git(*words, folder=self.folder, given=given)


def _git(*words: str, folder: Path, given: bytes = b"") -> subprocess.CompletedProcess[bytes]:
    """Raises ``click.ClickException`` if git is not installed."""
    command = ["git", "-C", str(folder), *words]
    try:
        return subprocess.run(command, input=given, capture_output=True, check=False)  # noqa: S603 - git, by its name
    except FileNotFoundError:
        raise click.ClickException("git is not installed, and revisions need it: give two files instead") from None
