"""The dialect: what a workflow document may say. It is read by literal tables, and every mistake is found at once.

``codes``, ``keys`` and ``builtins`` are the tables. ``context`` is one pass over a document; the other modules contain
readers of values. ``writer`` makes a document again, and ``schema`` gives the same tables to editors.

Names are imported when they are first used, since a process that only runs agents needs no reader.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from fsm_agent.dialect.codes import Code
    from fsm_agent.dialect.reader import ResolveModel, read_document, read_draft
    from fsm_agent.dialect.schema import dialect_schema
    from fsm_agent.dialect.writer import to_document

_HOMES: Final = {
    "Code": "codes",
    "ResolveModel": "reader",
    "dialect_schema": "schema",
    "read_document": "reader",
    "read_draft": "reader",
    "to_document": "writer",
}

__all__ = ["Code", "ResolveModel", "dialect_schema", "read_document", "read_draft", "to_document"]


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'fsm_agent.dialect' has no attribute {name!r}")
    return getattr(importlib.import_module(f"fsm_agent.dialect.{_HOMES[name]}"), name)
