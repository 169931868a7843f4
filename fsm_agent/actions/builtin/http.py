"""``http.request``: one request to a host that the workflow names."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any, Final
from urllib.parse import urlsplit

from fsm_agent.actions.action import Emission
from fsm_agent.actions.builtin.ending import ended, put
from fsm_agent.actions.builtin.recalled import recalled, rendered
from fsm_agent.actions.context import Context, EffectModeName, insight_of
from fsm_agent.errors import ActionError, HttpFailed, HttpUnavailable
from fsm_agent.jsontypes import Json
from fsm_agent.wording import shortened

#: What stands before the first expression of a URL names the host whole, so that no data can send a request elsewhere.
_NAMES_HOST: Final = re.compile(r"https?://[A-Za-z0-9.-]+(:[0-9]{1,5})?(/[^{]*|)")
_LONGEST_BYTES: Final = 10_000_000
#: Without a `timeout:` of the state; seconds.
_PATIENCE: Final = 60.0
#: Worth another try, where one is declared.
_PASSING: Final = frozenset({408, 425, 429, 500, 502, 503, 504})


async def request(
    ctx: Context,
    *,
    url: str,
    method: str = "GET",
    headers: Mapping[str, str] | None = None,
    json: Json = None,
    body: str | None = None,
    auth: str | None = None,
    into: str | None = None,
    expect: Sequence[int] = (),
    mode: EffectModeName = "idempotent",
    emit: str | None = None,
) -> Emission:
    """The body of the answer, parsed if it is JSON, goes ``into`` the data. ``auth`` names the environment variable
    that holds a bearer token, which is kept nowhere. Raises ``HttpFailed``; redirects are not followed."""
    prefix = url.partition("{{")[0]
    if _NAMES_HOST.fullmatch(prefix) is None or (prefix != url and "/" not in prefix.partition("//")[2]):
        raise ActionError(f"`url: {shortened(url)}` must name its host before any expression: https://host/...")
    target, sent = await rendered(ctx, url), {name: await rendered(ctx, text) for name, text in (headers or {}).items()}
    content = None if body is None else await rendered(ctx, body)
    document = await _document(ctx, json)
    send = partial(_sent, method, target, headers=sent, content=content, document=document, auth=auth, expect=expect)
    told = {"method": method, "url": target, "headers": sent, "body": content, "json": document}
    answer = await ctx.effect("http", partial(_without, send), told, mode=mode)
    put(ctx, into, answer["body"])
    return ended(ctx, emit)


async def _without(send: Any, told: Json, *, idempotency_key: str) -> Json:
    """What is told is what the effect is known by; the token is not among it."""
    del told
    return await send(idempotency_key=idempotency_key)


async def _document(ctx: Context, json: Json) -> Json:
    if not isinstance(json, dict):
        return json
    insight = insight_of(ctx)
    needs = {name for value in json.values() for name in insight.mentions(value)}
    scope = await recalled(ctx, needs)
    return {name: insight.value(value, scope) for name, value in json.items()}


async def _sent(
    method: str,
    url: str,
    *,
    headers: Mapping[str, str],
    content: str | None,
    document: Json,
    auth: str | None,
    expect: Sequence[int],
    idempotency_key: str,
) -> Json:
    httpx = _library()
    bearer = {"Authorization": f"Bearer {_token(auth)}"} if auth else {}
    given = {"Idempotency-Key": idempotency_key, **headers, **bearer}
    body = {"json": document} if document is not None else {"content": content}
    try:
        async with httpx.AsyncClient(timeout=_PATIENCE, follow_redirects=False) as client:
            answer = await client.request(method, url, headers=given, **body)
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        raise HttpUnavailable(method, _shown(url), f"{type(error).__name__}: {error}") from None
    if not (answer.status_code in expect if expect else answer.is_success):
        kind = HttpUnavailable if answer.status_code in _PASSING else HttpFailed
        raise kind(method, _shown(url), f"status {answer.status_code}")
    return {"status": answer.status_code, "body": _body(method, url, answer)}


def _body(method: str, url: str, answer: Any) -> Json:
    if len(answer.content) > _LONGEST_BYTES:
        raise HttpFailed(method, _shown(url), f"the answer is longer than {_LONGEST_BYTES} bytes")
    if "json" not in answer.headers.get("content-type", ""):
        return answer.text
    try:
        return answer.json()
    except ValueError:
        raise HttpUnavailable(method, _shown(url), "the answer says that it is JSON, and is not") from None


def _shown(url: str) -> str:
    """Without the query, which may hold what is nobody's business."""
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.hostname or ''}{f':{parts.port}' if parts.port else ''}{parts.path}"


def _token(name: str) -> str:
    token = os.environ.get(name)
    if not token:
        raise ActionError(f"`auth: {name}` names an environment variable that is not set: give it the token")
    return token


def _library() -> Any:
    try:
        import httpx2
    except ImportError:
        raise ActionError("`http.request` needs an extra: pip install 'fsm-agent[http]'") from None
    return httpx2
