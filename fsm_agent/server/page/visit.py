"""One request to a page: who asks, for which namespace, and the links that lead on from there."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from urllib.parse import parse_qsl, quote, urlencode

from starlette.requests import Request

from fsm_agent.server.access import Caller
from fsm_agent.server.api.requests import read_bytes
from fsm_agent.server.problems import HttpProblem
from fsm_agent.server.service import Service
from fsm_agent.server.token_file import TokenFile
from fsm_agent.server.tokens import Scope

#: pairs that one form may have
_MOST_FIELDS = 10_000


@dataclass(frozen=True)
class Visit:
    """What a page is given."""

    request: Request
    caller: Caller
    service: Service
    #: ``None``: nobody is asked for one
    tokens: TokenFile | None
    #: what a form has sent, in its order
    form: Sequence[tuple[str, str]] = ()
    #: how many questions wait for an answer of the caller; ``None`` if that is not known
    open_questions: int | None = None

    @cached_property
    def query(self) -> dict[str, str]:
        """The parameters of the address; of a repeated one the last."""
        return dict(self.request.query_params)

    def may(self, scope: Scope) -> bool:
        return self.caller.may(scope)

    def require(self, scope: Scope) -> None:
        """Raises ``HttpProblem`` 403 without the scope."""
        if not self.may(scope):
            raise HttpProblem(403, "scope-missing", f"this needs the scope '{scope}', which your token lacks")

    def sent(self, name: str) -> str | None:
        """What the form has sent under a name, the last of several."""
        return dict(self.form).get(name)

    def link(self, *path: str, **query: str | int | None) -> str:
        """The address of a page: the parts of its path, and parameters that are given. The namespace goes along if the
        caller has several."""
        wanted = {name.rstrip("_"): str(value) for name, value in query.items() if value is not None}
        if len(self.caller.namespaces) > 1:
            wanted.setdefault("namespace", self.service.namespace)
        where = "/" + "/".join(quote(part, safe="") for part in path)
        return f"{where}?{urlencode(wanted)}" if wanted else where


async def read_form(request: Request) -> list[tuple[str, str]]:
    """The fields of a form as a browser sends them. Raises ``HttpProblem``: 413 if it is too large, 415 if it is no
    form, 400 if it is no text or has too many fields."""
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind != "application/x-www-form-urlencoded":
        raise HttpProblem(415, "media-type", f"a form is application/x-www-form-urlencoded, and this is {kind!r}")
    body = await read_bytes(request)
    try:
        return parse_qsl(body.decode("ascii"), keep_blank_values=True, errors="strict", max_num_fields=_MOST_FIELDS)
    except ValueError as error:
        raise HttpProblem(400, "not-a-form", f"the form cannot be read: {error}") from None
