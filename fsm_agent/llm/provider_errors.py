"""What goes wrong between us and a provider, as errors of ours: the one place where they are translated.

Nothing that a provider says is shown before all that looks like a key is taken out of it.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final, TypeAlias

from pydantic_ai.exceptions import (
    AgentRunError,
    ContentFilterError,
    ModelAPIError,
    ModelConnectionError,
    ModelContextWindowExceededError,
    ModelHTTPError,
    ModelQuotaExceededError,
    ModelRateLimitError,
    ModelRequestTimeout,
    ModelTimeoutError,
    UserError,
)

from fsm_agent.domain.secrets import without_likely_secrets
from fsm_agent.domain.text import shortened
from fsm_agent.errors import (
    FsmAgentError,
    ModelError,
    ModelKeyMissing,
    ModelRateLimited,
    ModelRefused,
    ModelReplyInvalid,
    ModelUnavailable,
    ModelUnknown,
)
from fsm_agent.llm.resolve import key_variables


def translated(error: Exception, model: str) -> FsmAgentError:
    """The error of ours for the exception that ended a request to ``model``. Errors of ours stay as they are."""
    if isinstance(error, FsmAgentError):
        return error
    for kind, meaning in _MEANINGS:
        if isinstance(error, kind):
            return meaning(error, model)
    return _of_a_stranger(error, model)


def _of_status(error: ModelHTTPError, model: str) -> ModelError:
    status = error.status_code
    match status:
        case 401:
            return ModelKeyMissing(model, key_variables(model), is_refused=True)
        case 404:
            return ModelUnknown(model, f"its provider does not know it ({_said(error)})")
        case 429 if not isinstance(error, ModelQuotaExceededError):
            return ModelRateLimited(model, error.retry_after)
        case 408 | 425:
            return ModelUnavailable(model, f"its provider answers with status {status}")
        case _ if status >= 500:
            return ModelUnavailable(model, f"its provider answers with status {status}")
        case _:
            return ModelRefused(model, f"status {status}, {_said(error)}")


def _of_silence(_: Exception, model: str) -> ModelError:
    return ModelUnavailable(model, "it does not answer in time")


def _of_a_provider(error: ModelAPIError, model: str) -> ModelError:
    """An error without an HTTP status: a body that cannot be read, or a stream that broke off."""
    if isinstance(error.__cause__, ValueError) or error.message.startswith("Expected a JSON"):
        return ModelReplyInvalid(model, "what its provider sent is not JSON")
    return ModelUnavailable(model, f"its provider broke off with {_said(error)}")


def _of_a_stranger(error: Exception, model: str) -> ModelError:
    """An exception that the library did not translate: of its own checks of a reply, or of the transport."""
    module = type(error).__module__.partition(".")[0]
    if isinstance(error, OSError) or module in {"httpx", "httpx2", "httpcore", "httpcore2", "anyio", "h11"}:
        return ModelUnavailable(model, _why_broken(error))
    return ModelReplyInvalid(model, f"what its provider sent is no answer ({type(error).__name__})")


def _why_broken(error: BaseException) -> str:
    """What the transport says: the innermost cause is the one that a person can do something about."""
    deepest: BaseException = error
    while (cause := deepest.__cause__ or deepest.__context__) is not None:
        deepest = cause
    if isinstance(deepest, ConnectionRefusedError) or "refused" in str(deepest) or "All connection" in str(error):
        return "the connection is refused"
    return f"the connection broke ({type(deepest).__name__})"


def _said(error: ModelAPIError) -> str:
    """The provider's own words, cut to a length that fits a sentence."""
    body: object = error.body
    if isinstance(body, Mapping):
        inner = body.get("error", body)
        body = inner.get("message", inner) if isinstance(inner, Mapping) else inner
    said = _discreet(str(body if body is not None else error.message)).strip().rstrip(".")
    return shortened(said or "no reason", 200)


def _discreet(words: str) -> str:
    return without_likely_secrets(words, os.environ)


_Meaning: TypeAlias = Callable[[Any, str], ModelError]

#: kinds of exceptions and what they mean; the first that fits
_MEANINGS: Final[Sequence[tuple[type[Exception], _Meaning]]] = (
    (ModelHTTPError, _of_status),
    (ModelRequestTimeout, _of_silence),
    (ModelTimeoutError, _of_silence),
    (TimeoutError, _of_silence),
    (ModelConnectionError, lambda error, model: ModelUnavailable(model, _why_broken(error))),
    (ModelRateLimitError, lambda error, model: ModelRateLimited(model, error.retry_after)),
    (ModelContextWindowExceededError, lambda error, model: ModelRefused(model, _said(error))),
    (ModelQuotaExceededError, lambda error, model: ModelRefused(model, _said(error))),
    (ModelAPIError, _of_a_provider),
    (ContentFilterError, lambda _, model: ModelRefused(model, "a content filter does not let the answer through")),
    (AgentRunError, lambda _, model: ModelReplyInvalid(model, "what its provider sent is no answer")),
    (UserError, lambda error, model: ModelRefused(model, _discreet(error.message.rstrip(".")))),
)
