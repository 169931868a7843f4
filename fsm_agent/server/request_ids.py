"""The id by which the log and the caller speak of a request."""

from __future__ import annotations

import re
from typing import Final
from uuid import uuid4

from starlette.types import Scope

_REQUEST_ID: Final = re.compile(r"[A-Za-z0-9._-]{1,64}")
_NAME: Final = "request_id"


def request_id(scope: Scope) -> str:
    """The id that the caller gives a request, if it is one, or else a new one; the same whenever it is asked for."""
    state = scope.setdefault("state", {})
    if _NAME not in state:
        given = dict(scope["headers"]).get(b"x-request-id", b"").decode("latin-1")
        state[_NAME] = given if _REQUEST_ID.fullmatch(given) else uuid4().hex
    return str(state[_NAME])
