"""``http.request``: one request to a host that the workflow names.

What of the address comes from data is one part of its path or query, whatever it holds: it can lead to no other host
and to no other path. The token comes from the environment, and goes nowhere but into the request.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any, Final
from urllib.parse import quote, urlsplit

from fsm_agent.actions.action import Emission
from fsm_agent.actions.builtin.http_client import Call, Given, bearer, library, sent
from fsm_agent.actions.builtin.result import ended, put
from fsm_agent.actions.builtin.templates import recalled, rendered
from fsm_agent.actions.context import Context, EffectModeName, scope_of
from fsm_agent.dialect.keys import URL
from fsm_agent.domain.json import Json
from fsm_agent.domain.text import shortened
from fsm_agent.errors import ActionError, HttpFailed
from fsm_agent.expressions.values import written

#: Without a `timeout:` of the state; seconds.
_PATIENCE: Final = 60.0
#: What a header may hold: visible ASCII, blanks between.
_HEADER_VALUE: Final = re.compile(r"[\x21-\x7e]([\x20-\x7e\t]*[\x21-\x7e])?|")


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
    that holds a bearer token, one of those that the project allows; the token is kept nowhere. Raises ``HttpFailed``;
    redirects are not followed."""
    httpx, token = library(), bearer(auth, ctx.surroundings.environment)
    target = await _address(ctx, url)
    given = Given(await _headers(ctx, headers or {}), None if body is None else await rendered(ctx, body))
    given = given._replace(document=await _document(ctx, json))
    timeout = scope_of(ctx).state.timeout
    call = Call(method, target, given, token, frozenset(expect), timeout.ms / 1000 if timeout else _PATIENCE)
    told = {"method": method, "url": target, "headers": given.headers, "body": given.text, "json": given.document}
    answer = await ctx.effect("http", partial(_once, httpx, call), told, mode=mode)
    if "why" in answer:
        raise HttpFailed(method, shown(target), answer["why"])
    put(ctx, into, answer["body"])
    return ended(ctx, emit)


async def _once(httpx: Any, call: Call, told: Json, *, idempotency_key: str) -> Json:
    """What is told is what the effect is known by; the token is not among it."""
    del told
    return await sent(httpx, call, shown(call.url), idempotency_key)


async def _address(ctx: Context, url: str) -> str:
    if re.fullmatch(URL, url) is None:
        raise ActionError(f"`url: {shortened(url)}` must name its host before any expression: https://host/...")
    return await rendered(ctx, url, write=_part)


def _part(value: Json) -> str:
    """A value as one part of a path or a query."""
    match value:
        case bool():
            text = str(value).lower()
        case None:
            text = ""
        case _:
            text = written(value)
    if text in (".", ".."):
        raise ActionError(f"{text!r} cannot stand in the path of an address, where it would lead to another one")
    return quote(text, safe="")


async def _headers(ctx: Context, headers: Mapping[str, str]) -> dict[str, str]:
    given = {name.lower(): await rendered(ctx, text) for name, text in headers.items()}
    for name, value in given.items():
        if _HEADER_VALUE.fullmatch(value) is None:
            raise ActionError(f"header {name!r} can hold visible ASCII characters alone, and would be something else")
    return given


async def _document(ctx: Context, json: Json) -> Json:
    if not isinstance(json, dict):
        return json
    scope = scope_of(ctx)
    needs = {name for value in json.values() for name in scope.mentions(value)}
    mentioned_values = await recalled(ctx, needs)
    return {name: scope.value(value, mentioned_values) for name, value in json.items()}


def shown(url: str) -> str:
    """Without the query, which may hold what is nobody's business."""
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc}{parts.path}"
