"""One HTTP request: it is sent, limited in time and size, and its answer is judged."""

from __future__ import annotations

import asyncio
import json
import os
import re
from collections.abc import Collection, Mapping
from typing import Any, Final, NamedTuple, NoReturn

from fsm_agent.data.delta import own
from fsm_agent.domain.environment import SEALING_KEYS
from fsm_agent.domain.json import Json
from fsm_agent.errors import ActionError, DataInvalid, HttpUnavailable

_LONGEST_BYTES: Final = 10_000_000
#: statuses that may be different at the next try
_PASSING: Final = frozenset({408, 425, 429, 500, 502, 503, 504})
_TOKEN: Final = re.compile(r"[\x21-\x7e]+")


class Given(NamedTuple):
    """What is sent with a request: headers, and a text or a JSON document, if any."""

    headers: Mapping[str, str]
    text: str | None = None
    document: Json = None


class Call(NamedTuple):
    method: str
    url: str
    given: Given
    #: an ``Authorization`` header, or none
    bearer: Mapping[str, str]
    #: statuses that are no error; empty means 200 to 299
    expect: frozenset[int]
    #: time limit in seconds
    patience: float

    @property
    def headers(self) -> dict[str, str]:
        return {"accept-encoding": "identity", **self.given.headers, **self.bearer}


async def sent(httpx: Any, call: Call, shown: str, key: str) -> Json:
    """The status and the body of the answer. If it is a failure that the same request would get again, the status and
    ``why``. Raises ``HttpUnavailable`` for failures that may pass."""
    headers = {"idempotency-key": key, **call.headers}
    given = {"json": call.given.document} if call.given.document is not None else {"content": call.given.text}
    try:
        async with (
            asyncio.timeout(call.patience),
            httpx.AsyncClient(timeout=call.patience) as client,
            client.stream(call.method, call.url, headers=headers, **given) as answer,
        ):
            return await _judged(call, shown, answer)
    except TimeoutError:
        raise HttpUnavailable(call.method, shown, f"no answer within {call.patience:g} s") from None
    except (httpx.HTTPError, httpx.InvalidURL, UnicodeError) as error:
        raise HttpUnavailable(call.method, shown, _told(error, call)) from None


async def _judged(call: Call, shown: str, answer: Any) -> Json:
    status: int = answer.status_code
    if not (status in call.expect if call.expect else answer.is_success):
        if status in _PASSING:
            raise HttpUnavailable(call.method, shown, f"status {status}", after_s=_wanted_delay(answer))
        return {"status": status, "why": f"status {status}{', and redirects are not followed' * answer.is_redirect}"}
    content = await _read(answer)
    if content is None:
        return {"status": status, "why": f"the answer is longer than {_LONGEST_BYTES} bytes"}
    if "json" not in answer.headers.get("content-type", ""):
        return {"status": status, "body": content.decode(_charset(answer), "replace")}
    try:
        return {"status": status, "body": own(json.loads(content, parse_constant=_refused)) if content else None}
    except (ValueError, RecursionError, DataInvalid):
        return {"status": status, "why": "the answer says that it is JSON, and is none that can be kept"}


async def _read(answer: Any) -> bytes | None:
    """The body, or ``None`` if it is too long; then the rest is not read."""
    content = bytearray()
    async for piece in answer.aiter_bytes():
        content += piece
        if len(content) > _LONGEST_BYTES:
            return None
    return bytes(content)


def _charset(answer: Any) -> str:
    try:
        "".encode(answer.charset_encoding or "utf-8")
    except LookupError:
        return "utf-8"
    return answer.charset_encoding or "utf-8"


def _refused(constant: str) -> NoReturn:
    raise ValueError(constant)


def _wanted_delay(answer: Any) -> float:
    """The delay in seconds that ``Retry-After`` asks for, if it is given in seconds."""
    header: str = answer.headers.get("retry-after", "")
    return float(header) if header.isascii() and header.isdigit() else 0.0


def _told(error: Exception, call: Call) -> str:
    """A description of the error that quotes nothing of what was sent."""
    text = str(error)
    secrets = [call.url, *call.bearer.values(), *call.given.headers.values()]
    is_telling = text and not any(secret and secret in text for secret in secrets)
    return f"{type(error).__name__}: {text}" if is_telling else type(error).__name__


def bearer(variable: str | None, readable: Collection[str]) -> dict[str, str]:
    """The header with the token from an environment variable. Raises ``ActionError``, which does not quote the token.
    Only variables in ``readable`` may be read, since the author of a workflow chooses both the variable and the
    host."""
    if variable is None:
        return {}
    if variable == SEALING_KEYS:
        raise ActionError(f"`auth` cannot be {SEALING_KEYS}: the keys of sealed agents are sent to nobody")
    if variable not in readable:
        raise ActionError(
            f"`auth: {variable}` names an environment variable that workflows may not read: add it to `environment` "
            "under [tool.fsm-agent] in pyproject.toml"
        )
    token = os.environ.get(variable)
    if not token:
        raise ActionError(f"`auth: {variable}` names an environment variable that is not set: give it the token")
    if _TOKEN.fullmatch(token) is None:
        raise ActionError(f"environment variable {variable} holds what cannot be a token: blanks, or no ASCII")
    return {"authorization": f"Bearer {token}"}


def library() -> Any:
    try:
        import httpx2
    except ImportError:
        raise ActionError("`http.request` needs an extra: pip install 'fsm-agent[http]'") from None
    return httpx2
