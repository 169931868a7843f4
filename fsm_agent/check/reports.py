"""Reports of findings: text for people, JSON for programs, annotations for pull requests."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping
from typing import Final

from fsm_agent.domain.finding import Finding, Severity


def as_text(findings: Iterable[Finding]) -> str:
    """One line each: ``file:line:col: CODE message``."""
    return "\n".join(map(str, findings))


def as_json(findings: Iterable[Finding]) -> str:
    """A JSON list."""
    return json.dumps([finding.to_json() for finding in findings], indent=2, ensure_ascii=False)


def as_github(findings: Iterable[Finding]) -> str:
    """One workflow command per finding; the page of a pull request shows it at the line."""
    return "\n".join(map(_command, findings))


#: ``--format`` -> the function that makes the report
FORMATS: Final[Mapping[str, Callable[[Iterable[Finding]], str]]] = {
    "text": as_text,
    "json": as_json,
    "github": as_github,
}


#: severities that have other names there
_LEVELS: Final = {Severity.NOTE: "notice"}


def _command(finding: Finding) -> str:
    place = finding.place
    where = {"file": place.file, "line": place.line, "col": place.column} if place else {}
    shown = ",".join(f"{key}={_property(str(value))}" for key, value in {**where, "title": finding.code}.items())
    return f"::{_LEVELS.get(finding.severity, finding.severity)} {shown}::{_escaped(finding.message)}"


def _escaped(text: str) -> str:
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _property(text: str) -> str:
    return _escaped(text).replace(":", "%3A").replace(",", "%2C")
