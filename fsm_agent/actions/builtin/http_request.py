"""``http.request``: one request to a host that the workflow names.

A value from the data becomes one part of the path or of the query, whatever it contains. It can never change the host
or the path around it. The token comes from the environment, and is only sent with the request.
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

#: seconds, for a state without `timeout:`
_PATIENCE: Final = 60.0
#: allowed value of a header: visible ASCII, with blanks only between
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
    """Put the body of the answer ``into`` the data, parsed if it is JSON. ``auth`` names the environment variable of a
    bearer token; the project must allow it, and the token is never stored. Redirects are not followed. Raises
    ``HttpFailed``."""
    httpx, token = library(), bearer(auth, ctx.surroundings.environment)
    target = await _address(ctx, url)
    given = Given(await _headers(ctx, headers or {}), None if body is None else await rendered(ctx, body))
    given = given._replace(document=await _document(ctx, json))
    timeout = scope_of(ctx).state.timeout
    call = Call(method, target, given, token, frozenset(expect), timeout.ms / 1000 if timeout else _PATIENCE)
    identity = {"method": method, "url": target, "headers": given.headers, "body": given.text, "json": given.document}
    answer = await ctx.effect("http", partial(_once, httpx, call), identity, mode=mode)
    if "why" in answer:
        raise HttpFailed(method, shown(target), answer["why"])
    put(ctx, into, answer["body"])
    return ended(ctx, emit)


async def _once(httpx: Any, call: Call, identity: Json, *, idempotency_key: str) -> Json:
    """``identity`` identifies the effect; it does not contain the token."""
    del identity
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
    """The URL without its query, which may hold private values."""
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc}{parts.path}"
