"""Workflow files: YAML 1.2 in, every mistake with its line and column out; and workflows as YAML again."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path as FilePath
from typing import Any, Final, TypeAlias

import yaml
import yamlcore

from fsm_agent.check.examine import examine
from fsm_agent.dialect.positions import locate
from fsm_agent.dialect.read import ResolveModel, is_invalid
from fsm_agent.errors import WorkflowInvalid
from fsm_agent.finding import Finding
from fsm_agent.jsontypes import Json
from fsm_agent.parsing import LARGEST, composed, text_of
from fsm_agent.workflow import Workflow

__all__ = ["LARGEST", "Check", "dump", "inspect_file", "inspect_text", "load", "loads"]

#: A further look at a workflow without mistakes; its findings get places like all others.
Check: TypeAlias = Callable[[Workflow], Iterable[Finding]]


def load(path: str | FilePath, *, resolve_model: ResolveModel | None = None) -> Workflow:
    """The workflow that a file declares; raises ``WorkflowInvalid`` with every mistake in it, or about it."""
    return _valid(*inspect_file(path, resolve_model=resolve_model))


def loads(text: str, *, file: str = "<string>", resolve_model: ResolveModel | None = None) -> Workflow:
    """As ``load``; ``file`` is what places say."""
    return _valid(*inspect_text(text, file=file, resolve_model=resolve_model))


def inspect_file(
    path: str | FilePath, *, resolve_model: ResolveModel | None = None, checks: Iterable[Check] = ()
) -> tuple[Workflow | None, list[Finding]]:
    """The workflow, ``None`` if there are errors, and all findings in the order of the file."""
    try:
        text = text_of(FilePath(path))
    except WorkflowInvalid as error:
        return None, list(error.findings)
    return inspect_text(text, file=str(path), resolve_model=resolve_model, checks=checks)


def inspect_text(
    text: str, *, file: str = "<string>", resolve_model: ResolveModel | None = None, checks: Iterable[Check] = ()
) -> tuple[Workflow | None, list[Finding]]:
    """As ``inspect_file``. ``checks`` run only once the declaration itself has no mistakes."""
    try:
        document, composer = composed(text.removeprefix("\ufeff"), file)
    except WorkflowInvalid as error:
        return None, list(error.findings)
    workflow, mistakes = examine(document, resolve_model=resolve_model)
    findings = composer.findings + [each for each in mistakes if each.path not in composer.explained]
    if workflow is not None and not is_invalid(findings):
        for check in checks:
            findings += check(workflow)
    return None if is_invalid(findings) else workflow, locate(findings, composer.positions)


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
