"""Workflow files: YAML 1.2 is read, with line and column of each mistake, and workflows are written as YAML."""

from __future__ import annotations

import re
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

#: line breaks of YAML 1.1, which are characters in 1.2, and what changes the direction of text: they stand in double
#: quotes, as escapes
_UNSEEN: Final = re.compile("[\x85\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069]")

#: another check of a workflow without mistakes; its findings get places too
Check: TypeAlias = Callable[[Workflow], Iterable[Finding]]


def load(path: str | FilePath, *, resolve_model: ResolveModel | None = None) -> Workflow:
    """The workflow in a file; raises ``WorkflowInvalid`` with all mistakes."""
    return _valid(*inspect_file(path, resolve_model=resolve_model))


def loads(text: str, *, file: str = "<string>", resolve_model: ResolveModel | None = None) -> Workflow:
    """The workflow in a text, like ``load``; its places name it ``file``."""
    return _valid(*inspect_text(text, file=file, resolve_model=resolve_model))


def inspect_file(
    path: str | FilePath, *, resolve_model: ResolveModel | None = None, checks: Iterable[Check] = ()
) -> tuple[Workflow | None, list[Finding]]:
    """The workflow (``None`` if there are errors), and all findings in the order of the file, embedded files last."""
    return _Files(resolve_model, tuple(checks)).inspect(FilePath(path))


def inspect_text(
    text: str,
    *,
    file: str = "<string>",
    folder: FilePath | None = None,
    resolve_model: ResolveModel | None = None,
    checks: Iterable[Check] = (),
) -> tuple[Workflow | None, list[Finding]]:
    """Like ``inspect_file``. ``folder`` contains the files that the text may embed; without it, the text may embed
    none. ``checks`` run only if the declaration itself has no mistakes."""
    return _Files(resolve_model, tuple(checks)).read(text, file, folder)


@dataclass
class _Files:
    """The file of a workflow and the files that it embeds; each is read once."""

    resolve_model: ResolveModel | None
    checks: tuple[Check, ...]
    #: resolved path -> workflow, or ``None`` if the file has mistakes
    known: dict[FilePath, Workflow | None] = field(default_factory=dict)
    #: the files that are being read; each one embeds the next
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
        """The workflow in the text of a file, and the findings; ``folder`` contains the files that it may embed."""
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
            elsewhere = tuple(_embedded(document))  # findings inside these paths belong to the embedded files
            for check in self.checks:
                findings += [each for each in check(workflow) if not any(map(partial(_is_in, each.path), elsewhere))]
        is_right = workflow is not None and not is_invalid(findings + below)
        findings = told_once(findings, positions, but=concerns_states)
        return workflow if is_right else None, locate(findings, positions) + below

    def _child(self, folder: FilePath, below: list[Finding], name: str) -> Workflow | None:
        """The workflow in an embedded file; its findings go to ``below``. Raises ``ValueError`` if it may not be
        embedded."""
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
    except (OSError, RuntimeError) as error:  # links may form a loop
        raise ValueError(f"it cannot be found: {error}") from None
    if path.suffix not in {".yaml", ".yml"}:
        raise ValueError("a workflow is a file that ends in .yaml or .yml")
    if FilePath(name).is_absolute() or ".." in FilePath(name).parts or not path.is_relative_to(home):
        raise ValueError("a file can embed files of its own folder, and of folders in it, and this is elsewhere")
    if not path.is_file():
        raise ValueError("there is no such file")
    return path


def _embedded(document: Json, path: Path = ()) -> Iterator[Path]:
    """The paths at which a document embeds other files."""
    for name, child in document.get("workflows", {}).items():
        where = (*path, "workflows", name)
        if isinstance(child, str):
            yield where
        else:
            yield from _embedded(child, where)


def _is_in(path: Path, place: Path) -> bool:
    return path[: len(place)] == place


def dump(document: Json) -> str:
    """Readable YAML that is read as ``document`` again, by YAML 1.2, and by 1.1 except for keys such as ``on``."""
    text: str = yaml.dump(document, Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=1_000)
    return _UNSEEN.sub(lambda found: f"\\u{ord(found[0]):04x}", text)


def _valid(workflow: Workflow | None, findings: list[Finding]) -> Workflow:
    if workflow is None:
        raise WorkflowInvalid(findings)
    return workflow


class _Dumper(yaml.SafeDumper):
    """Writes block style without aliases. A text is quoted if some version of YAML would read it as another type."""

    #: words that YAML 1.1 reads as true or false; allowed as a key (``on``), but quoted as a value
    _TRUTHS: Final = frozenset({"y", "n", "yes", "no", "on", "off", "true", "false"})

    def ignore_aliases(self, data: Any) -> bool:  # noqa: ARG002  every value is written where it stands
        return True

    def increase_indent(self, flow: bool = False, indentless: bool = False) -> Any:  # noqa: ARG002, FBT001, FBT002
        return super().increase_indent(flow, indentless=False)

    def represent_text(self, text: str) -> yaml.ScalarNode:
        if _UNSEEN.search(text):
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
    """How a plain scalar may be read by YAML 1.2 or 1.1, without the truth values of 1.1."""
    found = {first: list(rules) for first, rules in yamlcore.CCoreLoader.yaml_implicit_resolvers.items()}
    for first, rules in yaml.SafeDumper.yaml_implicit_resolvers.items():
        found.setdefault(first, []).extend(rule for rule in rules if rule[0] != "tag:yaml.org,2002:bool")
    return found


_Dumper.yaml_implicit_resolvers = _resolvers()
_Dumper.add_representer(str, _Dumper.represent_text)
_Dumper.add_representer(dict, _Dumper.represent_keys)
