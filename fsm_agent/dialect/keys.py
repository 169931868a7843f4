"""The dialect as literal tables: which keys stand where, and what kind of value each takes.

Reading looks keys up here, and the JSON Schema is made from the same rows, so that the two cannot disagree.
"""

from collections.abc import Mapping
from enum import StrEnum, auto
from typing import Final, NamedTuple, TypeAlias


class Kind(StrEnum):
    """What stands under a key. Each kind has one reader and one JSON Schema."""

    NAME = auto()
    TEXT = auto()
    PROMPT = auto()
    COUNT = auto()
    AMOUNT = auto()
    TRUE = auto()
    EXPRESSION = auto()
    ACTION = auto()
    DURATION = auto()
    BYTE_SIZE = auto()
    DELAY = auto()
    OUTCOME = auto()
    VALUES = auto()
    EXPRESSIONS = auto()
    ANSWERS = auto()
    ERROR_NAMES = auto()
    TARGET = auto()
    INITIAL = auto()
    HANDLERS = auto()
    TIMERS = auto()
    RETRY = auto()
    ASK = auto()
    STATES = auto()
    LIMITS = auto()
    VISITS = auto()
    MERGE = auto()
    DATA = auto()
    EVENTS = auto()
    MIGRATIONS = auto()
    STATE_RENAMES = auto()
    DATA_CHANGES = auto()
    FIELD_RENAMES = auto()
    FIELD_VALUES = auto()
    FIELD_NAMES = auto()
    MUST = auto()
    TERMS = auto()
    FUNCTION = auto()
    CONVERSATION = auto()
    STRATEGY = auto()
    FIELDS = auto()
    PROGRESS = auto()
    CHILDREN = auto()
    ARGUMENTS = auto()
    EVENT = auto()
    FIELD = auto()
    INTO = auto()
    NAMES = auto()
    TOOLS = auto()
    REQUIRED = auto()
    EFFECT_MODE = auto()
    APPROVAL = auto()
    URL = auto()
    METHOD = auto()
    HEADERS = auto()
    BODY = auto()
    VARIABLE = auto()
    STATUSES = auto()
    ON_FAILURE = auto()
    LANGUAGE_MODEL = auto()


class Key(NamedTuple):
    """A key of the dialect: what stands under it, and what it is for."""

    kind: Kind
    #: what an editor shows
    says: str
    required: bool = False


Table: TypeAlias = Mapping[str, Key]

WORKFLOW: Final[Table] = {
    "workflow": Key(Kind.NAME, "The name of the workflow.", required=True),
    "version": Key(Kind.COUNT, "The version of this declaration: 1, 2, 3, ...", required=True),
    "description": Key(Kind.TEXT, "What the workflow is for; shown in diagrams."),
    "data": Key(Kind.DATA, "What an agent remembers: fields and their types, or a pydantic model."),
    "events": Key(Kind.EVENTS, "The events that can happen, with the fields of their payloads."),
    "initial": Key(Kind.INITIAL, "The state in which an agent begins.", required=True),
    "on": Key(Kind.HANDLERS, "Transitions from every state that is not final."),
    "states": Key(Kind.STATES, "The states, by name.", required=True),
    "limits": Key(Kind.LIMITS, "Bounds on an agent's life; what is not declared is unlimited."),
    "merge": Key(Kind.MERGE, "How changes that two people make at once become one, by data field or user.FIELD."),
    "conversation": Key(Kind.CONVERSATION, "Which thread is the conversation, and how much of it a model is shown."),
    "user": Key(Kind.FIELDS, "What is remembered of the user, across agents: fields and their types."),
    "progress": Key(Kind.PROGRESS, "How far an agent has come, in CEL over its data; shown to people."),
    "workflows": Key(Kind.CHILDREN, "Workflows of child agents, by name: files below this one's folder, or inline."),
    "migrations": Key(Kind.MIGRATIONS, "How agents of older versions become agents of this one."),
    "must": Key(Kind.MUST, "What must hold of every run: properties, by name."),
}

STATE: Final[Table] = {
    "description": Key(Kind.TEXT, "What happens here; shown in diagrams."),
    "do": Key(Kind.ACTION, "The action that works here: a built-in one, its name, or `module:function`."),
    "with": Key(Kind.ARGUMENTS, "Arguments of the action: literals, or CEL when the value is a string."),
    "timeout": Key(Kind.DURATION, "How long one attempt of the action may take, such as 2m."),
    "retry": Key(Kind.RETRY, "How often, and for which errors, the action is tried again."),
    "ask": Key(Kind.ASK, "What a person is asked here."),
    "after": Key(Kind.TIMERS, "Transitions by how long the agent has been here, such as 3d."),
    "on": Key(Kind.HANDLERS, "Transitions by event; `null` forbids what an outer level would do."),
    "initial": Key(Kind.INITIAL, "The child that is entered first."),
    "states": Key(Kind.STATES, "Children, by name."),
    "final": Key(Kind.TRUE, "The agent ends here."),
    "outcome": Key(Kind.OUTCOME, "How the agent ends: done, failed or cancelled."),
    "output": Key(Kind.VALUES, "What the agent leaves behind: literals, or CEL when the value is a string."),
}

TRANSITION: Final[Table] = {
    "target": Key(Kind.TARGET, "The state to go to; without it the agent stays, and nothing is left or entered."),
    "when": Key(Kind.EXPRESSION, "The guard, in CEL over `data`, `event` and `visits`."),
    "assign": Key(Kind.VALUES, "New values of data fields: literals, or CEL when the value is a string."),
    "append": Key(Kind.EXPRESSIONS, "One item to add to a list field, in CEL."),
    "description": Key(Kind.TEXT, "Why this happens; shown in diagrams."),
}

ASK: Final[Table] = {
    "prompt": Key(
        Kind.PROMPT,
        "The question, with CEL in {{ }}; rendered on entry, and when what it says changes.",
        required=True,
    ),
    "events": Key(Kind.ANSWERS, "The possible answers; the payload of each is its form.", required=True),
    "to": Key(Kind.EXPRESSION, "Who may answer, in CEL: a name, or a list of names."),
}

RETRY: Final[Table] = {
    "attempts": Key(Kind.COUNT, "How many attempts there are, the first included.", required=True),
    "backoff": Key(Kind.DELAY, "The delay before the second attempt; it doubles each time. Default: 1s."),
    "max": Key(Kind.DELAY, "The longest delay."),
    "on": Key(Kind.ERROR_NAMES, "Names of the exceptions to retry; without it, all of them."),
}

LIMITS: Final[Table] = {
    "steps": Key(Kind.COUNT, "How many steps an agent may take."),
    "visits": Key(Kind.VISITS, "How often a state may be entered, by its dotted path."),
    "tokens": Key(Kind.COUNT, "How many tokens models may read and write for an agent, in all."),
    "cost": Key(Kind.AMOUNT, "What models may cost for an agent, in US dollars, in all."),
    "wall_time": Key(Kind.DURATION, "How long an agent may work, counted from its creation, such as 2d."),
    "data": Key(
        Kind.BYTE_SIZE, "How much the data may weigh as JSON, such as 1MB; 10MB unless settings say otherwise."
    ),
}

CONVERSATION: Final[Table] = {
    "thread": Key(Kind.EXPRESSION, "The name of a thread that agents share, in CEL; without it, the agent's own."),
    "max_tokens": Key(Kind.COUNT, "How much a model is shown at most. Default: 8000."),
    "strategy": Key(Kind.STRATEGY, "What becomes of more: drop_oldest (the default), keep_ends or summarise."),
    "keep_first": Key(Kind.COUNT, "How many messages keep_ends keeps at the beginning. Default: 1."),
    "model": Key(Kind.LANGUAGE_MODEL, "The model that writes summaries; without it, the one that the agent asks."),
}

PROGRESS: Final[Table] = {
    "goal": Key(Kind.EXPRESSION, "What the agent is for."),
    "done": Key(Kind.EXPRESSION, "The steps that are done, as a list or a number."),
    "remaining": Key(Kind.EXPRESSION, "The steps that are still to be done, as a list or a number."),
    "current": Key(Kind.EXPRESSION, "What the agent is at."),
}

TOOL: Final[Table] = {
    "tool": Key(Kind.TEXT, "Its name, or `module:function`.", required=True),
    "approval": Key(Kind.REQUIRED, "`required`: a person is asked before each call."),
    "mode": Key(Kind.EFFECT_MODE, "What becomes of a call that was begun and has no result."),
}

APPROVAL: Final[Table] = {
    "approve": Key(Kind.EVENT, "The event that allows the call.", required=True),
    "deny": Key(Kind.EVENT, "The event that forbids it.", required=True),
}

MIGRATION: Final[Table] = {
    "from": Key(Kind.COUNT, "The version since which this has changed.", required=True),
    "states": Key(Kind.STATE_RENAMES, "What states have become: old dotted path to new dotted path."),
    "data": Key(Kind.DATA_CHANGES, "What has become of the fields."),
    "upcast": Key(Kind.FUNCTION, "`module:function` that makes new data of old, for all that is left."),
}

DATA_CHANGES: Final[Table] = {
    "drop": Key(Kind.FIELD_NAMES, "Fields whose values are given up."),
    "rename": Key(Kind.FIELD_RENAMES, "What fields are called now: old name to new name."),
    "default": Key(Kind.FIELD_VALUES, "Values of fields that are missing or null, as they are."),
}

PROPERTY: Final[Table] = {
    "never": Key(Kind.TERMS, "What never happens: a state, an event, an action, a timer or an outcome, or a list."),
    "before": Key(Kind.TERMS, "It may happen once one of these has happened, at the earliest in the same step."),
    "after": Key(Kind.TERMS, "It may happen until one of these has happened, and from the next step on no more."),
    "at_most": Key(Kind.COUNT, "How often it may happen at most."),
    "of": Key(Kind.TERMS, "What is counted; of several, all together."),
    "reaches": Key(Kind.TERMS, "What happens in the end, one of these."),
    "from": Key(Kind.TERMS, "The rule begins, and begins anew, when one of these happens."),
    "until": Key(Kind.TERMS, "The rule pauses when one of these happens, until `from` happens again."),
    "within": Key(Kind.DURATION, "How long that may take at most, such as 3d."),
    "whenever": Key(Kind.TERMS, "The events, or timers, at which a condition must hold."),
    "holds": Key(Kind.EXPRESSION, "The condition, in CEL over `data`, `event` and `visits` as guards see them."),
    "description": Key(Kind.TEXT, "Why this must hold."),
}

#: the key that says which rule a property is -> the keys that go with it
RULES: Final[Mapping[str, tuple[str, ...]]] = {
    "never": ("before", "after", "from", "until"),
    "at_most": ("of", "from"),
    "reaches": ("from", "within"),
    "whenever": ("holds",),
}

#: key of a property -> the key without which it means nothing
PROPERTY_NEEDS: Final[Mapping[str, str]] = {"until": "from", "at_most": "of", "whenever": "holds"}

#: key of a property -> keys that cannot stand beside it
PROPERTY_EXCLUDES: Final[Mapping[str, tuple[str, ...]]] = {"before": ("after", "from"), "after": ("from",)}

#: key of a state -> the key without which it means nothing
NEEDS: Final[Mapping[str, str]] = {
    "with": "do",
    "timeout": "do",
    "retry": "do",
    "initial": "states",
    "outcome": "final",
    "output": "final",
}

#: key of a state -> keys that cannot stand beside it
EXCLUDES: Final[Mapping[str, tuple[str, ...]]] = {
    "do": ("ask",),
    "states": ("do", "ask"),
    "final": ("do", "ask", "after", "on", "states"),
}

#: How deep states may nest.
DEEPEST_STATE: Final = 8
#: How deep a document may nest, so that nothing that walks it runs out of stack.
DEEPEST: Final = 64

NAME: Final = r"[A-Za-z_][A-Za-z0-9_-]{0,63}"
#: names of states, outermost first
STATE_PATH: Final = rf"{NAME}(?:\.{NAME}){{0,{DEEPEST_STATE - 1}}}"
#: what CEL can spell after a dot
FIELD: Final = r"(?!(?:in|true|false|null)$)[A-Za-z_][A-Za-z0-9_]{0,63}"
#: a field that has a merge policy
MERGED: Final = rf"(?:user\.)?{FIELD}"
ACTION: Final = r"[A-Za-z_][A-Za-z0-9_]*(?:(?:\.[A-Za-z_][A-Za-z0-9_]*)*:[A-Za-z_][A-Za-z0-9_]*)?"
#: ``module:function``
FUNCTION: Final = r"[A-Za-z_][A-Za-z0-9_]*(?:\.[A-Za-z_][A-Za-z0-9_]*)*:[A-Za-z_][A-Za-z0-9_]*"
#: how an agent may stand in the end, as properties name it
TERM_OUTCOMES: Final = ("parked", "done", "failed", "cancelled")
_CALLED: Final = r"[A-Za-z_][A-Za-z0-9_]*(?:\.[A-Za-z_][A-Za-z0-9_]*)*(?::[A-Za-z_][A-Za-z0-9_]*)?"
#: what a property speaks of: a name, alone or behind the word that says what it names, or a timer
TERM: Final = (
    rf"(?:state )?{STATE_PATH}|event {NAME}|(?:do )?{_CALLED}|outcome (?:{'|'.join(TERM_OUTCOMES)})"
    r"|after [0-9]{1,12}(?:ms|s|m|h|d)"
)
#: names its host before any expression
URL: Final = r"https?://[A-Za-z0-9.-]+(?::[0-9]{1,5})?(?:/[\s\S]*)?"
HEADER: Final = r"[A-Za-z0-9!#$%&'*+.^_`|~-]{1,128}"
#: of the environment
VARIABLE: Final = r"[A-Za-z_][A-Za-z0-9_]{0,127}"
MODEL: Final = r"[A-Za-z_][A-Za-z0-9_.]*:[A-Za-z_][A-Za-z0-9_.]*"
