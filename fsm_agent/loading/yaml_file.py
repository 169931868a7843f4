"""Workflow files: YAML 1.2 in, every mistake with its line and column out; and workflows as YAML again."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path as FilePath
from typing import Any, Final, TypeAlias

import yaml
import yamlcore

from fsm_agent.check.codes import concerns_states
from fsm_agent.check.document_checks import examine
from fsm_agent.dialect.child_workflows import DEEPEST_CHILD
from fsm_agent.dialect.positions import locate, told_once
from fsm_agent.dialect.reader import ResolveModel, is_invalid
from fsm_agent.domain.finding import Finding, Path
from fsm_agent.domain.json import Json
from fsm_agent.domain.workflow import Workflow
from fsm_agent.errors import WorkflowInvalid
from fsm_agent.loading.yaml_text import LARGEST, composed, text_of

__all__ = ["LARGEST", "Check", "dump", "inspect_file", "inspect_text", "load", "loads"]

#: A further look at a workflow without mistakes; its findings get places like all others.
Check: TypeAlias = Callable[[Workflow], Iterable[Finding]]


def load(path: str | FilePath, *, resolve_model: ResolveModel | None = None) -> Workflow:
    """The workflow that a file declares; raises ``WorkflowInvalid`` with every mistake in it, or about it."""
    return _valid(*inspect_file(path, resolve_model=resolve_model))


def loads(text: str, *, file: str = "<string>", resolve_model: ResolveModel | None = None) -> Workflow:
    """A workflow from a text, as ``load`` reads it from a file; places name it ``file``."""
    return _valid(*inspect_text(text, file=file, resolve_model=resolve_model))


def inspect_file(
    path: str | FilePath, *, resolve_model: ResolveModel | None = None, checks: Iterable[Check] = ()
) -> tuple[Workflow | None, list[Finding]]:
    """The workflow, ``None`` if there are errors, and all findings in the order of the file; those of files that it
    embeds come after them."""
    return _Files(resolve_model, tuple(checks)).inspect(FilePath(path))


def inspect_text(
    text: str,
    *,
    file: str = "<string>",
    folder: FilePath | None = None,
    resolve_model: ResolveModel | None = None,
    checks: Iterable[Check] = (),
) -> tuple[Workflow | None, list[Finding]]:
    """As ``inspect_file``. ``folder`` is where the files are that the text may embed; without it, it may embed none.
    ``checks`` run only once the declaration itself has no mistakes."""
    return _Files(resolve_model, tuple(checks)).read(text, file, folder)


@dataclass
class _Files:
    """The file of a workflow and those that it embeds, each read once."""

    resolve_model: ResolveModel | None
    checks: tuple[Check, ...]
    #: what has come of those that have been read, by their resolved paths
    known: dict[FilePath, Workflow | None] = field(default_factory=dict)
    #: those that are being read, each of which embeds the next
    open: list[FilePath] = field(default_factory=list)

    def inspect(self, path: FilePath) -> tuple[Workflow | None, list[Finding]]:
        try:
            text = text_of(path)
        except WorkflowInvalid as error:
            return None, list(error.findings)
        self.open.append(path.resolve())
        try:
            return self.read(text, str(path), path.parent)
        finally:
            self.open.pop()

    def read(self, text: str, file: str, folder: FilePath | None = None) -> tuple[Workflow | None, list[Finding]]:
        """What the text of a file says; ``folder`` is where the files are that it may embed."""
        try:
            document, composer = composed(text.removeprefix("\ufeff"), file)
        except WorkflowInvalid as error:
            return None, list(error.findings)
        below: list[Finding] = []
        resolve = partial(self._child, folder, below) if folder else None
        workflow, mistakes = examine(document, resolve_model=self.resolve_model, resolve_workflow=resolve)
        positions = composer.positions
        findings = composer.findings + [each for each in mistakes if not composer.is_explained(each.path)]
        if workflow is not None and not is_invalid(findings + below):
            elsewhere = tuple(_embedded(document))  # what is found there has been told by those files themselves
            for check in self.checks:
                findings += [each for each in check(workflow) if not any(map(partial(_is_in, each.path), elsewhere))]
        is_right = workflow is not None and not is_invalid(findings + below)
        findings = told_once(findings, positions, but=concerns_states)
        return workflow if is_right else None, locate(findings, positions) + below

    def _child(self, folder: FilePath, below: list[Finding], name: str) -> Workflow | None:
        """The workflow of a file that another one names; raises ``ValueError`` if it may not, and leaves what is wrong
        with it in ``below``."""
        path = _inside(folder, name)
        if path in self.open:
            way = [*self.open[self.open.index(path) :], path]
            raise ValueError(f"it would contain itself: {' -> '.join(each.name for each in way)}")
        if len(self.open) > DEEPEST_CHILD:
            raise ValueError(f"files may stand {DEEPEST_CHILD} deep within one, and this one is deeper")
        if path not in self.known:
            self.known[path], findings = self.inspect(folder / name)
            below += findings
        return self.known[path]


def _inside(folder: FilePath, name: str) -> FilePath:
    """The resolved path of a file below ``folder``; raises ``ValueError``."""
    try:
        path, home = (folder / name).resolve(), folder.resolve()
    except (OSError, RuntimeError) as error:  # a loop of links
        raise ValueError(f"it cannot be found: {error}") from None
    if path.suffix not in {".yaml", ".yml"}:
        raise ValueError("a workflow is a file that ends in .yaml or .yml")
    if FilePath(name).is_absolute() or ".." in FilePath(name).parts or not path.is_relative_to(home):
        raise ValueError("a file can embed files of its own folder, and of folders in it, and this is elsewhere")
    if not path.is_file():
        raise ValueError("there is no such file")
    return path


def _embedded(document: Json, path: Path = ()) -> Iterator[Path]:
    """Where a document embeds other files."""
    for name, child in document.get("workflows", {}).items():
        where = (*path, "workflows", name)
        if isinstance(child, str):
            yield where
        else:
            yield from _embedded(child, where)


def _is_in(path: Path, place: Path) -> bool:
    return path[: len(place)] == place


def dump(document: Json) -> str:
    """Readable YAML that reads as ``document`` again, by YAML 1.2 and, but for keys such as ``on``, by 1.1 too."""
    return yaml.dump(document, Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=1_000)


def _valid(workflow: Workflow | None, findings: list[Finding]) -> Workflow:
    if workflow is None:
        raise WorkflowInvalid(findings)
    return workflow


class _Dumper(yaml.SafeDumper):
    """Block style without aliases; a value that some version of YAML would take for more than text is quoted."""

    #: what a YAML 1.1 reader takes for true or false; fine as a key (``on``), quoted as a value
    _TRUTHS: Final = frozenset({"y", "n", "yes", "no", "on", "off", "true", "false"})

    #: what YAML 1.1 takes for a line break, and 1.2 for a character
    _ODD_BREAKS: Final = ("\x85", "\u2028", "\u2029")

    def ignore_aliases(self, data: Any) -> bool:  # noqa: ARG002  every value is written where it stands
        return True

    def increase_indent(self, flow: bool = False, indentless: bool = False) -> Any:  # noqa: ARG002, FBT001, FBT002
        return super().increase_indent(flow, indentless=False)

    def represent_text(self, text: str) -> yaml.ScalarNode:
        if any(each in text for each in self._ODD_BREAKS):
            style = '"'
        elif "\n" in text:
            style = "|"
        else:
            style = "'" if text.lower() in self._TRUTHS else ""
        return self.represent_scalar("tag:yaml.org,2002:str", text, style)

    def represent_keys(self, mapping: dict[str, Json]) -> yaml.MappingNode:
        node = self.represent_mapping("tag:yaml.org,2002:map", mapping, flow_style=not mapping)
        for key, _ in node.value:
            if key.style == "'":
                key.style = None
        return node


def _resolvers() -> dict[str, list[Any]]:
    """What a plain scalar may be taken for by YAML 1.2 or 1.1, but for the words that 1.1 takes for truth values."""
    found = {first: list(rules) for first, rules in yamlcore.CCoreLoader.yaml_implicit_resolvers.items()}
    for first, rules in yaml.SafeDumper.yaml_implicit_resolvers.items():
        found.setdefault(first, []).extend(rule for rule in rules if rule[0] != "tag:yaml.org,2002:bool")
    return found


_Dumper.yaml_implicit_resolvers = _resolvers()
_Dumper.add_representer(str, _Dumper.represent_text)
_Dumper.add_representer(dict, _Dumper.represent_keys)
