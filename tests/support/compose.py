"""The files of examples/deploy: what Compose and a builder of images read in them."""

from __future__ import annotations

import json
import re
import shlex
import shutil
from collections.abc import Mapping
from functools import cached_property, partial
from pathlib import Path
from typing import Any, Final, NamedTuple

import yaml

ROOT: Final = Path(__file__).parents[2]
DEPLOY: Final = ROOT / "examples" / "deploy"
_VARIABLE: Final = re.compile(r"\$\{(?P<name>\w+)(?::(?P<how>[-?])(?P<rest>[^}]*))?\}")


def interpolated(said: Any, environment: Mapping[str, str]) -> Any:
    """What is said, with the values of variables in its texts. Raises ``KeyError`` for one that must be there."""
    if isinstance(said, dict):
        return {name: interpolated(each, environment) for name, each in said.items()}
    if isinstance(said, list):
        return [interpolated(each, environment) for each in said]
    return _VARIABLE.sub(partial(_value, environment), said) if isinstance(said, str) else said


def _value(environment: Mapping[str, str], found: re.Match[str]) -> str:
    given = environment.get(found["name"], "")
    if not given and found["how"] != "-":
        raise KeyError(found["name"])
    return given or found["rest"]


def variables(text: str) -> set[tuple[str, str | None]]:
    """Those that ``text`` names, each with its default, or ``None`` if it must be given."""
    return {(each["name"], each["rest"] if each["how"] == "-" else None) for each in _VARIABLE.finditer(text)}


class ComposeFile:
    """compose.yaml with the variables of a file ``.env``."""

    path: Final = DEPLOY / "compose.yaml"

    def __init__(self, **environment: str) -> None:
        self.text = self.path.read_text(encoding="utf-8")
        #: all that is said, as Compose reads it
        self.whole: dict[str, Any] = interpolated(yaml.safe_load(self.text), environment)
        self.services: dict[str, dict[str, Any]] = self.whole["services"]

    @property
    def ours(self) -> dict[str, dict[str, Any]]:
        """The services that run our image."""
        return {name: each for name, each in self.services.items() if "build" in each}


class Instruction(NamedTuple):
    """A line of a container file."""

    name: str
    rest: str

    @property
    def words(self) -> list[str]:
        """Its words, in the form of a list or of a command line."""
        found = json.loads(self.rest) if self.rest.startswith("[") else shlex.split(self.rest)
        return [str(each) for each in found]


class ContainerFile:
    """The container file, instruction by instruction."""

    path: Final = DEPLOY / "Dockerfile"

    def __init__(self) -> None:
        lines = self.path.read_text(encoding="utf-8").replace("\\\n", " ").splitlines()
        told = [line.partition(" ") for line in lines if line.strip() and not line.startswith("#")]
        self.instructions = [Instruction(name, rest.strip()) for name, _, rest in told]

    @cached_property
    def stages(self) -> list[list[Instruction]]:
        """The instructions of each stage, which begins with FROM."""
        found: list[list[Instruction]] = []
        for each in self.instructions:
            if each.name == "FROM":
                found.append([])
            found[-1].append(each)
        return found

    def only(self, name: str) -> Instruction:
        """The instruction of that name in the last stage."""
        [found] = [each for each in self.stages[-1] if each.name == name]
        return found

    def copy(self, stage: int, folder: Path) -> None:
        """Copy into ``folder``, which is new, what a stage copies from the repository into the folder it works in."""
        folder.mkdir()
        for each in self.copies(stage):
            *sources, target = each.words
            for source in map(ROOT.joinpath, sources):
                if source.is_dir():
                    shutil.copytree(source, folder / target, ignore=shutil.ignore_patterns("__pycache__"))
                else:
                    (folder / target).mkdir(exist_ok=True)
                    shutil.copy(source, folder / target)

    def copies(self, stage: int) -> list[Instruction]:
        """What a stage copies from the repository, and from no other stage."""
        return [each for each in self.stages[stage] if each.name == "COPY" and not each.rest.startswith("--from=")]
