"""Every error that fsm-agent raises on purpose.

FsmAgentError
├── WorkflowInvalid            a declaration has mistakes; carries all of them
├── Refused                    nothing happened, and the sender can do something about it
│   ├── ArgumentInvalid        a value of the wrong type, or half of a character
│   ├── UnknownEvent           no such event in the workflow
│   ├── IllegalEvent           the table has no transition for it here
│   ├── GuardsRefused          it has, and every guard said no
│   ├── PayloadInvalid         the payload breaks the event's schema
│   ├── DataInvalid            the data would break the workflow's schema
│   │   └── DataTooLarge       the data would weigh more than is allowed
│   ├── ExpressionFailed       a CEL expression failed on these values
│   ├── NotAddressee           the question is for somebody else
│   ├── NotAsked               there is no question to answer
│   ├── QuestionClosed         the question that is answered is not asked any more
│   ├── AnswerUnclear          there are several answers, and none was named
│   ├── LimitExceeded          the transition would exceed a declared limit
│   ├── KeyReuse               the same key with another payload
│   ├── MessagesInvalid        a document of messages has mistakes; names them all
│   ├── Conflict               somebody else was first
│   ├── UserConflict           somebody else was first to change what is remembered of a user
│   ├── LeaseHeld              somebody else drives the agent now
│   ├── AgentAmbiguous         a part of an id that several agents have
│   ├── AgentErased            it served somebody who is forgotten
│   ├── AgentExists            the id is taken
│   ├── AgentNotFound          the id is unknown
│   ├── IdInvalid              an id with odd characters
│   ├── MoveImpossible         a move of a play for which no action works
│   ├── NotParked              unpark of an agent that is not parked
│   ├── EffectNotOpen          settling an effect that is not in doubt
│   ├── OtherWorkflow          migration of an agent to another workflow
│   ├── RunnerClosed           a call after a blocking runner has ended
│   ├── TokenExists            the name of a token is taken
│   ├── TokenNotFound          there is no token of this name
│   ├── VersionMissing         a version that never was, or that is forgotten
│   └── WorkflowUnknown        a workflow that cannot be started here
├── ActionError                what a worker's code did wrong; becomes the event ``error``
│   ├── ActionMissing          no such action in the allowed modules
│   ├── ChildFailed            a child agent has failed or was cancelled
│   ├── DataModelMissing       an allowed module has no such class for data
│   ├── HttpFailed             a request was not answered as expected
│   │   └── HttpUnavailable    and may be later; worth retrying
│   ├── McpUnavailable         a server of tools does not answer; worth retrying
│   ├── ModuleNotAllowed       a module outside the allowed list
│   ├── ModuleUnread           an allowed module that cannot be imported
│   ├── NoLegalChoice          a model chose nothing that was legal, as often as it was asked
│   ├── RoundsExceeded         a model had no answer after so many replies
│   ├── ToolMissing            no such tool in the allowed modules
│   ├── ToolError              what a tool tells the model that called it
│   ├── WindowTooSmall         a budget of tokens that not even the last messages fit in
│   └── WriteUndeclared        an action wrote a field that it does not declare
├── ModelError                 a language model could not do what was asked of it
│   ├── ModelKeyMissing        no key, or none that its provider accepts
│   ├── ModelUnknown           no such model, or none named
│   ├── ModelUnavailable       refused connection, timeout, a server that fails; worth retrying
│   ├── ModelRateLimited       too many requests; worth retrying
│   ├── ModelRefused           a request that its provider will never accept
│   ├── ModelReplyInvalid      a reply that is not what was asked for; worth retrying
│   ├── ModelSettingsInvalid   a setting that no model has, or an odd value
│   └── BudgetExceeded         tokens, cost or time beyond a declared limit
├── EffectUnclear              what an operator must decide; the agent parks
│   ├── EffectInDoubt          begun, and nobody knows whether it happened
│   └── EffectMismatch         the same effect with other arguments
├── StoreError                 a store could not do what it promises
│   ├── StoreUrlInvalid        unknown scheme, missing folder, missing driver
│   ├── StoreUnavailable       locked, read-only, full, gone
│   ├── StoreCorrupt           not a store of ours, or damaged
│   │   ├── AgentDamaged       one agent's rows, in one place
│   │   ├── DefinitionMissing  a definition that is not kept
│   │   ├── HistoryBroken      steps that make no sense
│   │   └── SharedDamaged      what is no agent's: a thread, a user
│   │       └── DefinitionDamaged  or a definition
│   ├── StoreTooNew            written by a newer version
│   ├── KeyInvalid             a key for sealing that cannot serve
│   └── KeyMissing             something is sealed under a key that is not given
├── EngineError                an engine could not wake anybody, or could not serve; no agent is lost by it
│   ├── EngineUrlInvalid       unknown scheme, missing library
│   └── EngineUnavailable      it cannot be reached
├── MachineInvalid             a machine of XState that no workflow can be made of, or the reverse
├── SettingsInvalid            what a project says of itself in its pyproject.toml
└── RenderFailed               a picture could not be made

Each message is one sentence that says what happened, where, and what is allowed.
"""

from fsm_agent.errors.actions import (
    ActionError,
    ActionMissing,
    ChildFailed,
    DataModelMissing,
    EffectInDoubt,
    EffectMismatch,
    EffectUnclear,
    HttpFailed,
    HttpUnavailable,
    McpUnavailable,
    ModuleNotAllowed,
    ModuleUnread,
    NoLegalChoice,
    RoundsExceeded,
    ToolError,
    ToolMissing,
    WindowTooSmall,
    WriteUndeclared,
)
from fsm_agent.errors.agents import (
    AgentAmbiguous,
    AgentErased,
    AgentExists,
    AgentNotFound,
    Conflict,
    EffectNotOpen,
    IdInvalid,
    LeaseHeld,
    MoveImpossible,
    NotParked,
    OtherWorkflow,
    UserConflict,
    VersionMissing,
    WorkflowUnknown,
)
from fsm_agent.errors.base import (
    ArgumentInvalid,
    FsmAgentError,
    MachineInvalid,
    Refused,
    RenderFailed,
    RunnerClosed,
    SettingsInvalid,
    WorkflowInvalid,
)
from fsm_agent.errors.engines import EngineError, EngineUnavailable, EngineUrlInvalid
from fsm_agent.errors.events import (
    AnswerUnclear,
    DataInvalid,
    DataTooLarge,
    ExpressionFailed,
    GuardsRefused,
    IllegalEvent,
    KeyReuse,
    LimitExceeded,
    MessagesInvalid,
    NotAddressee,
    NotAsked,
    PayloadInvalid,
    QuestionClosed,
    UnknownEvent,
)
from fsm_agent.errors.llm import (
    BudgetExceeded,
    ModelError,
    ModelKeyMissing,
    ModelRateLimited,
    ModelRefused,
    ModelReplyInvalid,
    ModelSettingsInvalid,
    ModelUnavailable,
    ModelUnknown,
)
from fsm_agent.errors.storage import (
    AgentDamaged,
    DefinitionDamaged,
    DefinitionMissing,
    HistoryBroken,
    KeyInvalid,
    KeyMissing,
    SharedDamaged,
    StoreCorrupt,
    StoreError,
    StoreTooNew,
    StoreUnavailable,
    StoreUrlInvalid,
)
from fsm_agent.errors.tokens import TokenExists, TokenNotFound

__all__ = [
    "ActionError",
    "ActionMissing",
    "AgentAmbiguous",
    "AgentDamaged",
    "AgentErased",
    "AgentExists",
    "AgentNotFound",
    "AnswerUnclear",
    "ArgumentInvalid",
    "BudgetExceeded",
    "ChildFailed",
    "Conflict",
    "DataInvalid",
    "DataModelMissing",
    "DataTooLarge",
    "DefinitionDamaged",
    "DefinitionMissing",
    "EffectInDoubt",
    "EffectMismatch",
    "EffectNotOpen",
    "EffectUnclear",
    "EngineError",
    "EngineUnavailable",
    "EngineUrlInvalid",
    "ExpressionFailed",
    "FsmAgentError",
    "GuardsRefused",
    "HistoryBroken",
    "HttpFailed",
    "HttpUnavailable",
    "IdInvalid",
    "IllegalEvent",
    "KeyInvalid",
    "KeyMissing",
    "KeyReuse",
    "LeaseHeld",
    "LimitExceeded",
    "MachineInvalid",
    "McpUnavailable",
    "MessagesInvalid",
    "ModelError",
    "ModelKeyMissing",
    "ModelRateLimited",
    "ModelRefused",
    "ModelReplyInvalid",
    "ModelSettingsInvalid",
    "ModelUnavailable",
    "ModelUnknown",
    "ModuleNotAllowed",
    "ModuleUnread",
    "MoveImpossible",
    "NoLegalChoice",
    "NotAddressee",
    "NotAsked",
    "NotParked",
    "OtherWorkflow",
    "PayloadInvalid",
    "QuestionClosed",
    "Refused",
    "RenderFailed",
    "RoundsExceeded",
    "RunnerClosed",
    "SettingsInvalid",
    "SharedDamaged",
    "StoreCorrupt",
    "StoreError",
    "StoreTooNew",
    "StoreUnavailable",
    "StoreUrlInvalid",
    "TokenExists",
    "TokenNotFound",
    "ToolError",
    "ToolMissing",
    "UnknownEvent",
    "UserConflict",
    "VersionMissing",
    "WindowTooSmall",
    "WorkflowInvalid",
    "WorkflowUnknown",
    "WriteUndeclared",
]
