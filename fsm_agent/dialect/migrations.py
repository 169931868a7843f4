"""Readers of ``migrations``. Old names are trusted, since older versions of the workflow are not known here."""

from __future__ import annotations

import re
from typing import Any

from fsm_agent.dialect.codes import Code
from fsm_agent.dialect.context import ReadContext, subject
from fsm_agent.dialect.keys import DATA_CHANGES, FIELD, FUNCTION, MIGRATION, STATE_PATH
from fsm_agent.dialect.scalars import names
from fsm_agent.domain.finding import Path
from fsm_agent.domain.json import Json
from fsm_agent.domain.migration import Migration
from fsm_agent.domain.text import shortened


def migrations(context: ReadContext, value: Json, path: Path) -> tuple[Migration, ...] | None:
    if not context.is_a(list, value, path, "a list of migrations, each with `from`"):
        return None
    return tuple(_migration(context, entry, (*path, index)) for index, entry in enumerate(value))


def _migration(context: ReadContext, value: Json, path: Path) -> Migration:
    found = context.entries(MIGRATION, value, path)
    data: dict[str, Any] = found.pop("data", {})
    return Migration(found.pop("from", 0), **found, **data)


def data_changes(context: ReadContext, value: Json, path: Path) -> dict[str, Any]:
    return context.entries(DATA_CHANGES, value, path)


def state_renames(context: ReadContext, value: Json, path: Path) -> dict[str, str] | None:
    """Old dotted path -> new dotted path."""
    if not context.is_a(dict, value, path):
        return None
    for old in value:
        _is_path(context, old, (*path, old), at_key=True)
    return {old: new for old, new in value.items() if _is_path(context, new, (*path, old))}


def _is_path(context: ReadContext, name: Json, path: Path, *, at_key: bool = False) -> bool:
    if not isinstance(name, str):
        return context.is_a(str, name, path, "the dotted path of a state")
    if re.fullmatch(STATE_PATH, name):
        return True
    message = f"{shortened(name)} is no path of a state: write its names from the top level, with dots between them"
    context.note(Code.BAD_NAME, message, path, at_key=at_key)
    return False


def field_renames(context: ReadContext, value: Json, path: Path) -> dict[str, str] | None:
    if not context.is_a(dict, value, path):
        return None
    found: dict[str, str] = {}
    for old, new in value.items():
        where = (*path, old)
        context.is_name(old, where, FIELD)
        if context.is_a(str, new, where, "the name of a field") and context.is_name(new, where, FIELD, at_key=False):
            found[old] = new
    return found


def field_values(context: ReadContext, value: Json, path: Path) -> dict[str, Json] | None:
    """Field -> literal; strings are literals too."""
    if not context.is_a(dict, value, path):
        return None
    for name in value:
        context.is_name(name, (*path, name), FIELD)
    return dict(value)


def field_names(context: ReadContext, value: Json, path: Path) -> tuple[str, ...] | None:
    listed = names(context, value, path, "fields")
    if listed is None:
        return None
    return tuple(name for name, index in listed.items() if context.is_name(name, (*path, index), FIELD, at_key=False))


def function(context: ReadContext, value: Json, path: Path) -> str | None:
    if not context.is_a(str, value, path, "module:function"):
        return None
    if re.fullmatch(FUNCTION, value) is None:
        message = f"{subject(path)} is {shortened(value)}, and must be `module:function` of an allowed module"
        context.note(Code.BAD_NAME, message, path)
        return None
    return str(value)
