"""Who may do what, as a table: every operation, whoever asks; what is refused has done nothing."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from typing import Any, Final, NamedTuple

import httpx2
import pytest

from fsm_agent.server.api.operations import Operation
from fsm_agent.server.api.table import OPERATIONS
from fsm_agent.server.tokens import Scope
from tests.support.servers.in_thread import Served, problem, served

BY_NAME: Final = {operation.name: operation for operation in OPERATIONS}
CHANGES: Final = [operation.name for operation in OPERATIONS if operation.method == "POST"]
LONG_AGO: Final = datetime(2020, 1, 1, tzinfo=UTC)


class Ask(NamedTuple):
    """What is sent for an operation, so that it would be done."""

    method: str
    path: str
    body: dict[str, Any] | None = None

    def send(self, client: httpx2.Client, **headers: str) -> httpx2.Response:
        return client.request(self.method, self.path, json=self.body, headers=headers)


BODIES: Final[dict[str, dict[str, Any]]] = {
    "startAgent": {"workflow": "errand", "event": "wanted", "payload": {"item": "book"}},
    "sendEvent": {"event": "noted", "payload": {"text": "soon"}},
    "answerQuestion": {"question": 2, "event": "reject", "payload": {"reason": "too dear"}},
    "unparkAgent": {},
    "rewindAgent": {"version": 1},
    "forkAgent": {"version": 1},
}


@pytest.fixture(scope="module")
def door(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """A server of two namespaces, which nobody drives: what is not done by a request is not done."""
    folder = tmp_path_factory.mktemp("door")
    with served(folder, has_tokens=True, namespaces=("default", "shop"), drives=False) as one:
        one.secrets["root"] = one.token("root")
        one.secrets["sheila"] = one.token("sheila", namespaces=["shop"])
        one.secrets["eli"] = one.token("eli", lifetime="1d", made=LONG_AGO)
        one.secrets["gus"] = one.token("gus", namespaces=["gone"])
        for operation in OPERATIONS:
            one.secrets[f"only {operation.scope}"] = one.secrets.get(f"only {operation.scope}") or one.token(
                f"only {operation.scope}", operation.scope
            )
        for scope in Scope:
            one.secrets[f"all but {scope}"] = one.token(f"all but {scope}", *(set(Scope) - {scope}))
        yield one


@pytest.fixture
def root(door: Served) -> Iterator[httpx2.Client]:
    with door.client(door.secrets["root"]) as client:
        yield client


def wanted(operation: Operation, root: httpx2.Client) -> Ask:
    """A request for an operation, with an agent of its own that can take it."""
    if "{id}" not in operation.path:
        return Ask(operation.method, operation.path.replace("{name}", "errand"), BODIES.get(operation.name))
    agent = root.post("/v1/agents", json=BODIES["startAgent"]).json()
    path = f"/v1/agents/{agent['id']}"
    if operation.name == "unparkAgent":
        done = root.post(f"{path}/answer", json={"question": 2, "event": "approve"})
        assert done.json()["state"] == "fetching", done.text
        parked = root.post(f"{path}/rewind", json={"version": 3})
        assert parked.json()["status"] == "parked", parked.text
    if operation.name == "streamSteps":  # the stream of one that has ended does so too
        assert root.post(f"{path}/cancel").json()["status"] == "cancelled"
    return Ask(operation.method, operation.path.replace("{id}", agent["id"]), BODIES.get(operation.name))


def cookie(secret: str) -> dict[str, str]:
    return {"Cookie": f"fsm_agent_token={secret}"}


class Case(NamedTuple):
    """Who asks, and how; what comes of it for what reads, and for what changes."""

    client: Callable[[Served], httpx2.Client]
    reads: int | None = None
    changes: int | None = None
    query: str = ""


def bearer(name: str, **headers: str) -> Callable[[Served], httpx2.Client]:
    return lambda door: door.client(door.secrets[name], **headers)


def browser(name: str, **headers: str) -> Callable[[Served], httpx2.Client]:
    return lambda door: door.client(**cookie(door.secrets[name]), **headers)


CASES: Final[dict[str, Case]] = {
    "no token": Case(lambda door: door.client(), 401, 401),
    "an unknown token": Case(lambda door: door.client("fsm_unknown"), 401, 401),
    "an empty token": Case(lambda door: door.client(Authorization="Bearer"), 401, 401),
    "a password": Case(lambda door: door.client(Authorization="Basic cm9vdDpyb290"), 401, 401),
    "an expired token": Case(bearer("eli"), 401, 401),
    "an unknown cookie": Case(lambda door: door.client(**cookie("fsm_unknown")), 401, 401),
    "an expired cookie": Case(browser("eli"), 401, 401),
    "a token of another namespace": Case(bearer("sheila"), 403, 403, "?namespace=default"),
    "a token for another namespace": Case(bearer("root"), 403, 403, "?namespace=shop"),
    "a token for what is not served": Case(bearer("gus"), 403, 403),
    "a namespace that is nowhere": Case(bearer("root"), 403, 403, "?namespace=nowhere"),
    "another host": Case(bearer("root", Host="evil.example"), 421, 421),
    "another host with our port": Case(bearer("root", Host="evil.example:8000"), 421, 421),
    "a host that only begins like ours": Case(bearer("root", Host="localhost.evil.example"), 421, 421),
    "a host that is none": Case(bearer("root", Host="["), 421, 421),
    "a page of another site": Case(browser("root", **{"Sec-Fetch-Site": "cross-site"}), None, 403),
    "a page of a neighbour": Case(browser("root", **{"Sec-Fetch-Site": "same-site"}), None, 403),
    "an older browser at another site": Case(browser("root", Origin="https://evil.example"), None, 403),
    "a file that a browser has opened": Case(browser("root", Origin="null"), None, 403),
    "an origin that is none": Case(browser("root", Origin="http://["), None, 403),
    "our page": Case(browser("root", **{"Sec-Fetch-Site": "same-origin"})),
    "an address that was typed": Case(browser("root", **{"Sec-Fetch-Site": "none"})),
    "a program with a cookie": Case(browser("root")),
    "a program that is said to be elsewhere": Case(bearer("root", **{"Sec-Fetch-Site": "cross-site"})),
    "a program that names its namespace": Case(bearer("root"), query="?namespace=default"),
}


@pytest.mark.parametrize("name", BY_NAME)
@pytest.mark.parametrize("case", CASES.values(), ids=list(CASES))
def test_who_asks_gets_what_the_table_says(door: Served, root: httpx2.Client, name: str, case: Case) -> None:
    operation = BY_NAME[name]
    ask = wanted(operation, root)
    expected = case.changes if name in CHANGES else case.reads
    before = door.writes
    with case.client(door) as client:
        response = ask._replace(path=f"{ask.path}{case.query}").send(client)
    if expected is None:
        assert response.status_code == operation.status, response.text
        return
    problem(response, expected)
    assert door.writes == before


@pytest.mark.parametrize("name", BY_NAME)
def test_the_scope_of_an_operation_is_enough(door: Served, root: httpx2.Client, name: str) -> None:
    operation = BY_NAME[name]
    ask = wanted(operation, root)
    with door.client(door.secrets[f"only {operation.scope}"]) as client:
        assert ask.send(client).status_code == operation.status


@pytest.mark.parametrize("name", BY_NAME)
def test_all_other_scopes_are_not(door: Served, root: httpx2.Client, name: str) -> None:
    operation = BY_NAME[name]
    ask = wanted(operation, root)
    before = door.writes
    with door.client(door.secrets[f"all but {operation.scope}"]) as client:
        told = problem(ask.send(client), 403)
    assert told["detail"] == f"this needs the scope '{operation.scope}', which the token lacks"
    assert door.writes == before


@pytest.mark.parametrize("name", BY_NAME)
def test_a_token_that_is_revoked_while_the_server_runs_ends_with_it(
    door: Served, root: httpx2.Client, name: str
) -> None:
    operation = BY_NAME[name]
    ask = wanted(operation, root)
    assert door.tokens is not None
    with door.client(door.token(f"for {name}")) as client:
        assert client.get("/v1/workflows").status_code == 200
        door.tokens.revoke(f"for {name}")
        before = door.writes
        problem(ask.send(client), 401)
    assert door.writes == before


def test_an_expired_token_is_told_from_one_that_never_was(door: Served) -> None:
    with door.client(door.secrets["eli"]) as client:
        assert "expired" in problem(client.get("/v1/agents"), 401)["detail"]
    with door.client("fsm_unknown") as client:
        assert "expired" not in problem(client.get("/v1/agents"), 401)["detail"]


def test_who_may_not_read_learns_what_became_of_an_agent_and_not_its_data(door: Served, root: httpx2.Client) -> None:
    agent = root.post("/v1/agents", json=BODIES["startAgent"]).json()
    assert agent["data"]["item"] == "book"
    with door.client(door.secrets["only operate"]) as client:
        done = client.post(f"/v1/agents/{agent['id']}/events", json=BODIES["sendEvent"]).json()
        assert (done["delivery"], done["version"]) == ("applied", 3)
        assert {"data", "output"} & done.keys() == set()
        assert {"data", "output"} & client.post(f"/v1/agents/{agent['id']}/resume").json().keys() == set()


# --- namespaces


def test_two_namespaces_of_one_server_do_not_see_each_other(door: Served) -> None:
    both = door.token("both", namespaces=["default", "shop"])
    with door.client(both) as client:
        told = problem(client.get("/v1/agents/a"), 422)
        assert (told["type"], told["allowed"]) == ("urn:fsm-agent:problem:namespace-unnamed", ["default", "shop"])
        started = [
            client.post(
                f"/v1/agents?namespace={name}", json={**BODIES["startAgent"], "id": "twin", "data": {"note": name}}
            )
            for name in ("default", "shop")
        ]
        assert [each.status_code for each in started] == [201, 201]
        found = [client.get(each.headers["location"]).json()["data"]["note"] for each in started]
        assert found == ["default", "shop"]
        client.post("/v1/agents/twin/cancel?namespace=shop")
        here = client.get("/v1/agents/twin?namespace=default").json()
        there = client.get("/v1/agents/twin?namespace=shop").json()
        assert (here["status"], here["data"]["note"]) == ("waiting", "default")
        assert (there["status"], there["data"]["note"]) == ("cancelled", "shop")
        listed = client.get("/v1/agents?namespace=shop").json()["agents"]
        assert [each["id"] for each in listed] == ["twin"]
    with door.client(door.secrets["sheila"]) as client:
        assert [each["id"] for each in client.get("/v1/agents").json()["agents"]] == ["twin"]


def test_a_key_counts_within_its_namespace(door: Served) -> None:
    both = door.token("keys", namespaces=["default", "shop"])
    with door.client(both, **{"Idempotency-Key": "once"}) as client:
        made = [client.post(f"/v1/agents?namespace={name}", json=BODIES["startAgent"]) for name in ("default", "shop")]
        assert [each.status_code for each in made] == [201, 201]


# --- what is not an operation


def test_the_document_is_for_everybody_who_names_this_server(door: Served) -> None:
    with door.client() as client:
        assert client.get("/openapi.json").json()["openapi"] == "3.1.0"
        problem(client.get("/openapi.json", headers={"Host": "evil.example"}), 421)


def test_probes_tell_nothing_but_how_the_server_is(door: Served) -> None:
    with door.client(Host="10.0.0.7") as client:
        assert client.get("/healthz").json() == {"status": "alive"}
        assert client.get("/readyz").json() == {"status": "ready"}


# --- a server that asks nobody for a token


@pytest.fixture
def loopback(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    with served(tmp_path_factory.mktemp("loopback"), drives=False, hosts=["agents.example"]) as one:
        yield one


@pytest.mark.parametrize(
    "name", ["127.0.0.1", "localhost", "LOCALHOST:8000", "[::1]:80", "agents.example", "Agents.Example."]
)
def test_the_names_of_this_machine_and_those_that_are_allowed_are_its_hosts(loopback: Served, name: str) -> None:
    with loopback.client(Host=name) as client:
        assert client.get("/v1/agents/a").status_code == 404


@pytest.mark.parametrize("name", ["", "evil.example", "127.0.0.1.evil.example", "evil.example/localhost", "@localhost"])
def test_no_other_name_is(loopback: Served, name: str) -> None:
    with loopback.client(Host=name) as client:
        assert client.get("/v1/agents/a").status_code in (400, 421)


def test_without_tokens_everybody_acts_in_the_name_of_the_operator(loopback: Served) -> None:
    with loopback.client("fsm_whatever") as client:
        made = client.post("/v1/agents", json=BODIES["startAgent"]).json()
        steps = client.get(f"/v1/agents/{made['id']}/steps").json()["steps"]
        assert [step["by"] for step in steps] == ["ana", "ana"]


def test_without_tokens_a_page_of_another_site_can_change_nothing(loopback: Served) -> None:
    before = loopback.writes
    for headers in ({"Sec-Fetch-Site": "cross-site"}, {"Origin": "https://evil.example"}, {"Origin": "null"}):
        with loopback.client(**headers) as client:
            problem(client.post("/v1/agents", json=BODIES["startAgent"]), 403)
    assert loopback.writes == before


# --- a proxy that says who asks


@pytest.fixture
def proxied(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    folder = tmp_path_factory.mktemp("proxied")
    with served(folder, has_tokens=True, identity_header="X-User", drives=False) as one:
        one.secrets["proxy"] = one.token("proxy")
        yield one


def _raw(name: str, value: str | bytes) -> tuple[bytes, bytes]:
    return name.encode(), value if isinstance(value, bytes) else value.encode()


def started_by(client: httpx2.Client, **headers: str) -> Any:
    made = client.post("/v1/agents", json=BODIES["startAgent"], headers=headers)
    assert made.status_code == 201, made.text
    return client.get(f"/v1/agents/{made.json()['id']}/steps", headers=headers).json()["steps"][0]["by"]


def test_a_proxy_says_in_whose_name_it_asks(proxied: Served) -> None:
    with proxied.client(proxied.secrets["proxy"]) as client:
        assert started_by(client, **{"X-User": "zoe"}) == "zoe"


def test_a_name_may_have_letters_of_any_language(proxied: Served) -> None:
    with proxied.client(proxied.secrets["proxy"]) as client:
        for sent in ("Zoë".encode(), "Zoë".encode("latin-1")):
            made = client.post("/v1/agents", json=BODIES["startAgent"], headers=[(b"X-User", sent)])
            path = f"/v1/agents/{made.json()['id']}/steps"
            steps = client.get(path, headers=[(b"X-User", sent)]).json()["steps"]
            assert steps[0]["by"] == "Zoë"


@pytest.mark.parametrize(
    "headers",
    [
        [],
        [("X-User", "")],
        [("X-User", b"\xc2\xa0")],
        [("X-User", "zoe"), ("X-User", "root")],
        [("x-user", "zoe"), ("X-USER", "zoe")],
        [("X-User", "z" * 257)],
        [("X-User", "zoe\tann")],
    ],
    ids=["none", "empty", "blank", "two", "the same twice", "too long", "odd"],
)
def test_a_proxy_that_does_not_say_who_asks_is_refused(proxied: Served, headers: list[Any]) -> None:
    before = proxied.writes
    with proxied.client(proxied.secrets["proxy"]) as client:
        problem(client.post("/v1/agents", json=BODIES["startAgent"], headers=[_raw(*each) for each in headers]), 401)
    assert proxied.writes == before


def test_a_name_without_the_token_of_the_proxy_is_worth_nothing(proxied: Served) -> None:
    before = proxied.writes
    with proxied.client(**{"X-User": "zoe"}) as client:
        problem(client.post("/v1/agents", json=BODIES["startAgent"]), 401)
    assert proxied.writes == before


def test_who_has_a_token_speaks_in_no_other_name(proxied: Served) -> None:
    secret = proxied.token("ana", "read", "answer", "operate")
    before = proxied.writes
    for way in (proxied.client(secret), proxied.client(**cookie(secret))):
        with way as client:
            told = problem(client.post("/v1/agents", json=BODIES["startAgent"], headers={"X-User": "boss"}), 403)
            assert told["type"] == "urn:fsm-agent:problem:scope-missing"
            assert proxied.writes == before
            assert client.get("/v1/workflows").status_code == 200
    with proxied.client(secret) as client:
        assert started_by(client) == "ana"


def test_whom_a_proxy_names_gets_the_other_scopes_of_its_token(proxied: Served) -> None:
    with proxied.client(proxied.token("reader", "read", "admin"), **{"X-User": "zoe"}) as client:
        assert client.get("/v1/workflows").status_code == 200
        problem(client.post("/v1/agents", json=BODIES["startAgent"]), 403)


def test_the_token_of_a_proxy_does_not_say_that_a_program_meant_it(proxied: Served) -> None:
    """The proxy adds it to all that a browser sends, whatever page has made the browser do so."""
    before = proxied.writes
    with proxied.client(proxied.secrets["proxy"], **{"X-User": "zoe", "Sec-Fetch-Site": "cross-site"}) as client:
        problem(client.post("/v1/agents", json=BODIES["startAgent"]), 403)
        assert client.get("/v1/workflows").status_code == 200
    assert proxied.writes == before


# --- how often


def test_who_asks_too_often_is_told_when_to_ask_again_and_nobody_else_is(
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    with served(tmp_path_factory.mktemp("rate"), has_tokens=True, rate=1, drives=False) as door:
        secrets = [door.token(name) for name in ("quick", "calm")]
        before = door.writes
        with door.client(secrets[0]) as client:
            answers = [client.post("/v1/agents", json=BODIES["startAgent"]) for _ in range(12)]
            refused = next(each for each in answers if each.status_code != 201)
            problem(refused, 429)
            assert refused.headers["retry-after"] == "1"
            after = door.writes
            problem(client.post("/v1/agents", json=BODIES["startAgent"]), 429)
            assert door.writes == after != before
        with door.client(secrets[1]) as client:
            assert client.post("/v1/agents", json=BODIES["startAgent"]).status_code == 201
