"""The commands of the engine and their replies: ``reply = yield command``.

The rules never touch a store, a clock or an action. They are generators: they yield commands and go on with the
replies. ``fsm_agent.runtime`` and ``fsm_agent.testing`` perform the commands, and decide nothing. ``record.Creation``
and ``record.Commit`` are commands too: the first replies a ``Head``, the second ``Committed``.
"""

from collections.abc import Mapping
from typing import TYPE_CHECKING, NamedTuple, TypeAlias

from fsm_agent.data.data import Data
from fsm_agent.domain.agent import Head, Parent
from fsm_agent.domain.json import Json
from fsm_agent.domain.lease import Holder, Lease
from fsm_agent.domain.problem import Problem
from fsm_agent.domain.record import Commit, Creation
from fsm_agent.domain.step import Event
from fsm_agent.engine.outputs import AttemptOutputs

if TYPE_CHECKING:
    from fsm_agent.domain.workflow import Workflow
    from fsm_agent.engine.scope import ActionScope


class Now(NamedTuple):
    """Replies milliseconds since the epoch, by the store's clock."""


class Load(NamedTuple):
    """Replies a ``Record``."""

    agent_id: str
    key: str | None = None


class ReadHistory(NamedTuple):
    """Replies the steps above a version, in order, at most ``limit``."""

    agent_id: str
    after: int = 0
    limit: int | None = None


class ReadOrigin(NamedTuple):
    """Replies where a shortened history begins, or ``None``."""

    agent_id: str


class ReadEffects(NamedTuple):
    """Replies what the agent's actions did to the world outside under an activation and later ones, as far as it is
    kept."""

    agent_id: str
    activation: int = 0


class ReadProgram(NamedTuple):
    """Replies the ``Program`` of a definition that the store keeps."""

    definition: str


class ReadRecord(NamedTuple):
    """Replies a ``Record``, like ``Load``; its definition need not be one that can run here."""

    agent_id: str


class ReadWorkflow(NamedTuple):
    """Replies the ``Workflow`` that the store keeps under a hash."""

    definition: str


class SaveWorkflow(NamedTuple):
    """Keeps a workflow in the store, before the first agent is pinned to it."""

    workflow: "Workflow"


class FindKey(NamedTuple):
    """Replies ``(agent id, fingerprint)`` of what ``start`` made under this key, or ``None``."""

    key: str


class Enqueue(NamedTuple):
    """Keeps an event for the driver; replies how many are queued. Without ``version``, wherever the agent stands."""

    agent_id: str
    version: int | None
    event: Event
    fingerprint: str


class Claim(NamedTuple):
    """Takes the lease; replies the new epoch."""

    seen: Head
    lease: Lease


class Release(NamedTuple):
    """Gives the lease up."""

    agent_id: str
    epoch: int


class RecordAttempt(NamedTuple):
    """Notes failed attempts, and when the next is due."""

    agent_id: str
    epoch: int
    attempts: int
    retry_ms: int | None
    #: what is to be settled with parent and children, 0 for nothing; ``None`` leaves it as it is
    children: int | None = None
    #: why the last attempt failed; ``None`` leaves it as it is, unless all is forgiven
    problem: Problem | None = None


class LogRefusal(NamedTuple):
    """Tells the log why what an action has returned is refused. Replies where the action stands, ``file:line``; empty
    where that is not known."""

    agent_id: str
    state: str
    do: str
    attempt: int
    problem: Problem


class IsAlive(NamedTuple):
    """Whether the process that holds a lease still lives: yes, no, or ``None`` where that cannot be known."""

    holder: Holder


class Interrupt(NamedTuple):
    """Stops the action that this process runs for an agent under an epoch before this one, if it does: somebody else
    has moved the agent on."""

    agent_id: str
    epoch: int


class Sleep(NamedTuple):
    """Replies the time when it is at least ``until_ms``."""

    head: Head
    until_ms: int


class ReadHead(NamedTuple):
    """Replies the head of another agent, or ``None`` if there is none."""

    agent_id: str


class ReadUser(NamedTuple):
    """Replies the ``UserRecord`` of a user."""

    name: str


class CancelChildren(NamedTuple):
    """Cancels the children that an agent started under an activation which it has left, if it started any."""

    agent_id: str
    activation: int


class NotifyParent(NamedTuple):
    """Wakes a parent who waits for its child. Replies whether that is settled; if not, it is at work and may not have
    seen how the child ended."""

    parent: Parent


class Act(NamedTuple):
    """Calls an action once. Replies what ``Acted`` lists."""

    head: Head
    do: str
    arguments: Mapping[str, Json]
    data: Data
    now_ms: int
    #: 1 for the first
    attempt: int
    timeout_ms: int | None
    #: when a timer falls due that will take the agent out of this state, or its time is over
    until_ms: int | None
    outputs: AttemptOutputs
    scope: "ActionScope"


#: all but the two that make up a step
OtherCommand: TypeAlias = (
    Now
    | Load
    | ReadHistory
    | ReadOrigin
    | ReadEffects
    | ReadProgram
    | ReadRecord
    | ReadWorkflow
    | SaveWorkflow
    | FindKey
    | Enqueue
    | Claim
    | Release
    | RecordAttempt
    | LogRefusal
    | IsAlive
    | Interrupt
    | Sleep
    | ReadHead
    | ReadUser
    | CancelChildren
    | NotifyParent
    | Creation
)
Command: TypeAlias = Act | Commit | OtherCommand


class Emitted(NamedTuple):
    """The action returned: the event that it names happened."""

    event: Json
    payload: Mapping[str, Json]
    now_ms: int
    duration_ms: int
    #: the only events the action may name, where it says so
    emits: frozenset[str] | None = None


class Failed(NamedTuple):
    """The action raised, or ran out of its time."""

    #: names of the exception's class and of its bases, nearest first
    types: tuple[str, ...]
    message: str
    now_ms: int
    duration_ms: int
    #: data and definition errors never are
    is_retryable: bool = True
    is_timeout: bool = False
    #: not to be tried again before this has passed, whatever is declared
    retry_after_ms: int = 0
    #: ``file:line`` of the user's code, if it is known
    place: str = ""


class Asks(NamedTuple):
    """The action asks somebody: the agent waits where it is for one of ``events``."""

    prompt: str
    events: tuple[str, ...]
    to: tuple[str, ...]
    now_ms: int
    duration_ms: int


class Paused(NamedTuple):
    """The action goes on at ``until_ms``, under the same activation, and nobody need stay with the agent."""

    until_ms: int
    now_ms: int


class Missing(NamedTuple):
    """There is no such action here."""

    message: str
    now_ms: int


class Doubtful(NamedTuple):
    """Only an operator can say how an effect of the action goes on, whatever the action made of that."""

    problem: Problem
    now_ms: int


class Overdue(NamedTuple):
    """The action was stopped because a timer fell due."""

    now_ms: int


Acted: TypeAlias = Emitted | Asks | Paused | Failed | Missing | Doubtful | Overdue


class Superseded(Exception):
    """Thrown into the engine: this process no longer drives the agent."""
