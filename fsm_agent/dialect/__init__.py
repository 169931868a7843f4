"""The dialect: what a workflow document may say, read from literal tables, with every mistake found at once.

``codes`` and ``keys`` are the tables; ``reading`` is one pass over a document, to which each other module adds the
readers of some kinds of values; ``document`` is the way back, ``schema`` the same tables for editors.
"""

from __future__ import annotations

from fsm_agent.dialect.codes import Code
from fsm_agent.dialect.document import to_document
from fsm_agent.dialect.read import ResolveModel, read_document, read_draft
from fsm_agent.dialect.schema import dialect_schema

__all__ = ["Code", "ResolveModel", "dialect_schema", "read_document", "read_draft", "to_document"]
