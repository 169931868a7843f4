"""The mistakes that a reader of a declaration can find: for each a stable code, and one line for docs/checks.md."""

from __future__ import annotations

from enum import StrEnum
from typing import Self

from fsm_agent.domain.finding import Severity


class FindingCode(StrEnum):
    """A stable code, its one-line description, and its severity."""

    summary: str
    severity: Severity

    def __new__(cls, code: str, summary: str, severity: Severity = Severity.ERROR) -> Self:
        member = str.__new__(cls, code)
        member._value_ = code
        member.summary, member.severity = summary, severity
        return member


class Code(FindingCode):
    """Codes of a reader. FSM0xx: the file breaks a rule of YAML. FSM1xx: the document breaks a rule of the dialect."""

    SYNTAX = "FSM001", "the text is not YAML"
    UNREADABLE = "FSM002", "the file cannot be read"
    ENCODING = "FSM003", "the file is not UTF-8 text"
    TOO_LARGE = "FSM004", "the file is too large"
    TOO_DEEP = "FSM005", "the nesting is too deep"
    NOT_ONE_DOCUMENT = "FSM006", "the file does not hold exactly one document"
    DUPLICATE_KEY = "FSM007", "a key stands twice in one mapping"
    KEY_NOT_TEXT = "FSM008", "a key is not text"
    TAG = "FSM009", "a YAML tag stands where a value is wanted"
    ALIAS = "FSM010", "an alias has no anchor before it"
    SPLIT_EXPRESSION = "FSM011", "a flow mapping has split an unquoted expression"

    UNKNOWN_KEY = "FSM101", "a key is unknown"
    MISSING_KEY = "FSM102", "a key is missing"
    WRONG_TYPE = "FSM103", "a value has the wrong type"
    BAD_NAME = "FSM104", "a name is not an identifier"
    RESERVED_NAME = "FSM105", "a name is reserved"
    UNKNOWN_TYPE = "FSM106", "a field's type is unknown"
    BAD_SCHEMA = "FSM107", "a JSON Schema is invalid"
    BAD_DEFAULT = "FSM108", "a default breaks its own schema"
    BAD_DURATION = "FSM109", "a duration cannot be read"
    UNKNOWN_STATE = "FSM110", "a state is unknown"
    AMBIGUOUS_STATE = "FSM111", "a target's name is found at two levels"
    UNKNOWN_EVENT = "FSM112", "an event is unknown"
    MISPLACED = "FSM113", "a key has no business here"
    NOT_ALLOWED = "FSM114", "a value is not among those allowed"
    UNANSWERABLE = "FSM115", "a question offers an event that its state does not handle"
    MODEL = "FSM116", "a data model cannot be used"
    NOT_JSON = "FSM117", "a value is not JSON"
    CHILD = "FSM118", "the workflow of a child cannot stand here"
    UNKNOWN_MODEL = "FSM119", "the fields of a data model are unknown"
