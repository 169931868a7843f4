"""What a request may look like, and what is said of one that may not: the same as a problem, whatever is wrong."""

from __future__ import annotations

import json
import socket
from collections.abc import Iterator
from typing import Any, Final

import httpx2
import pytest

from fsm_agent.server.api.requests import LARGEST_BODY
from fsm_agent.server.api.table import OPERATIONS
from tests.support.servers.in_thread import ERRAND, Served, problem, served

JSON: Final = {"Content-Type": "application/json"}
START: Final[dict[str, Any]] = {"workflow": "errand", "event": "wanted", "payload": {"item": "book"}}
WITH_BODY: Final = [operation for operation in OPERATIONS if operation.takes]


@pytest.fixture(scope="module")
def door(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    with served(tmp_path_factory.mktemp("requests"), workflows=[ERRAND, BAG], drives=False) as one:
        yield one


@pytest.fixture(scope="module")
def client(door: Served) -> Iterator[httpx2.Client]:
    with door.client() as one:
        yield one


@pytest.fixture(scope="module")
def agent(client: httpx2.Client) -> str:
    """The address of an agent that asks."""
    made = client.post("/v1/agents", json=START)
    assert made.status_code == 201
    return str(made.headers["location"])


# --- bodies


@pytest.mark.parametrize(
    ("body", "why"),
    [
        (b"", "it is empty"),
        (b"  ", "it is empty"),
        (b"{", "Expecting property name"),
        (b"{'workflow': 1}", "Expecting property name"),
        (b'{"workflow": "errand",}', "line 1 column 2"),
        (b'{"workflow": "errand"} {}', "Extra data"),
        (b'{"workflow": "errand", "workflow": "other"}', "a name stands twice"),
        (b'{"workflow": "errand", "payload": {"a": 1, "a": 1}}', "a name stands twice"),
        (b'{"workflow": "errand", "payload": {"a": NaN}}', "there is no NaN"),
        (b'{"workflow": "errand", "payload": {"a": -Infinity}}', "there is no -Infinity"),
        (b'{"workflow": "errand", "payload": {"a": 1e999}}', "larger than there are"),
        (b'{"workflow": "errand", "payload": {"a": %s}}' % (b"9" * 5_000), "4300 digits"),
        (rb'{"workflow": "errand", "payload": {"a": "\ud800"}}', "half of a surrogate pair"),
        (rb'{"workflow": "errand", "payload": {"\udfff": 1}}', "half of a surrogate pair"),
        (b'{"workflow": "\xff"}', "it is not UTF-8 from byte 14 on"),
        ('{"workflow": "errand"}'.encode("utf-16"), "it is not UTF-8 from byte 0 on"),
        (b"\xef\xbb\xbf{}", "BOM"),
        (b'{"workflow": "errand", "payload": {"a": %s1%s}}' % (b"[" * 100_000, b"]" * 100_000), "nested too deeply"),
    ],
)
def test_a_body_that_is_no_json_is_told_why(door: Served, client: httpx2.Client, body: bytes, why: str) -> None:
    before = door.writes
    told = problem(client.post("/v1/agents", content=body, headers=JSON), 400)
    assert told["type"] == "urn:fsm-agent:problem:not-json"
    assert why in told["detail"]
    assert door.writes == before


#: takes whatever is given to it
BAG: Final = """
workflow: bag
version: 1
data: {things: object?, count: integer?, weight: number?}
events: {filled: {things: object?, count: integer?, weight: number?}}
initial: open
states:
  open: {on: {filled: {target: open, assign: {things: event.things, count: event.count, weight: event.weight}}}}
"""


@pytest.mark.parametrize(
    ("things", "status"),
    [
        *(({"things": depth}, 201) for depth in (1, 50, 90)),
        *(({"things": depth}, 422) for depth in (120, 480, 900)),
        *(({"count": number}, 201) for number in ("0", "-0", "9223372036854775807", "1.0")),
        *(({"count": number}, 422) for number in ("9223372036854775808", "1" + "0" * 400, "0.5", '"1"')),
        *(({"weight": number}, 201) for number in ("1e308", "1e-999", "-0.0", "9007199254740992")),
        *(({"weight": number}, 422) for number in ("9007199254740993", "1" + "0" * 30)),
    ],
    ids=str,
)
def test_json_that_can_be_read_is_kept_or_refused_however_odd_it_is(
    client: httpx2.Client, things: dict[str, Any], status: int
) -> None:
    """It must not be that what was read can then not be checked, kept or shown."""
    [(name, value)] = things.items()
    text = '{"a":' * value + "1" + "}" * value if isinstance(value, int) else value
    for body in (
        f'{{"workflow": "bag", "data": {{"{name}": {text}}}}}',
        f'{{"workflow": "bag", "event": "filled", "payload": {{"{name}": {text}}}}}',
    ):
        made = client.post("/v1/agents", content=body, headers=JSON)
        assert made.status_code == status, made.text[:500]
        if status == 201:
            assert client.get(made.headers["location"]).json()["data"] == made.json()["data"]


@pytest.mark.parametrize(
    ("body", "where"),
    [
        ([], "the body"),
        (None, "the body"),
        ("errand", "the body"),
        ({}, "workflow"),
        ({"workflow": 7}, "workflow"),
        ({"workflow": ""}, "workflow"),
        ({"workflow": "e" * 257}, "workflow"),
        ({"workflow": "errand", "worklfow": "errand"}, "worklfow"),
        ({"workflow": "errand", "id": "../a"}, "id"),
        ({"workflow": "errand", "id": "a" * 129}, "id"),
        ({"workflow": "errand", "id": "a\n"}, "id"),
        ({"workflow": "errand", "payload": []}, "payload"),
        ({"workflow": "errand", "data": "x"}, "data"),
        ({"workflow": "errand", "labels": {"a": 1}}, "labels"),
        ({"workflow": "errand", "labels": {"": "x"}}, "labels"),
        ({"workflow": "errand", "labels": {str(n): "" for n in range(33)}}, "labels"),
        ({"workflow": "errand", "user": " "}, "user"),
        ({"workflow": "errand", "payload": {"item": "x"}}, "payload"),
    ],
)
def test_a_body_that_breaks_its_schema_is_told_where(
    door: Served, client: httpx2.Client, body: Any, where: str
) -> None:
    before = door.writes
    told = problem(client.post("/v1/agents", content=json.dumps(body).encode(), headers=JSON), 422)
    assert where in told["detail"]
    assert door.writes == before


def test_all_that_is_wrong_with_a_body_is_told_at_once(client: httpx2.Client) -> None:
    told = problem(client.post("/v1/agents", json={"workflow": 7, "id": "/", "more": 1}), 422)
    assert len(told["problems"]) == 3


@pytest.mark.parametrize("kind", ["text/plain", "application/x-www-form-urlencoded", "application/jsonp", "json", None])
@pytest.mark.parametrize("operation", WITH_BODY, ids=lambda each: each.name)
def test_a_body_that_says_that_it_is_something_else_is_refused(
    door: Served, client: httpx2.Client, agent: str, operation: Any, kind: str | None
) -> None:
    before = door.writes
    path = operation.path.replace("/v1/agents/{id}", agent)
    headers = {"Content-Type": kind} if kind else {}
    problem(client.post(path, content=b'{"question": 2, "event": "reject"}', headers=headers), 415)
    assert door.writes == before


def test_parameters_of_the_media_type_and_its_case_do_not_matter(client: httpx2.Client) -> None:
    headers = {"Content-Type": "Application/JSON; charset=utf-8"}
    assert client.post("/v1/agents", content=json.dumps(START).encode(), headers=headers).status_code == 201


def test_a_body_that_need_not_say_anything_may_be_left_out(client: httpx2.Client, agent: str) -> None:
    assert client.post(f"{agent}/fork").status_code == 201
    assert problem(client.post(f"{agent}/unpark"), 409)["type"] == "urn:fsm-agent:problem:not-parked"
    problem(client.post(f"{agent}/events"), 415)


@pytest.mark.parametrize("path", ["cancel", "resume"])
def test_what_takes_no_body_reads_none(client: httpx2.Client, path: str) -> None:
    agent = client.post("/v1/agents", json=START).headers["location"]
    assert client.post(f"{agent}/{path}", content=b"x" * 100_000).status_code == 200
    assert client.get(agent).status_code == 200


@pytest.mark.parametrize("operation", WITH_BODY, ids=lambda each: each.name)
def test_a_body_that_is_too_large_is_refused_by_every_operation(
    door: Served, client: httpx2.Client, agent: str, operation: Any
) -> None:
    before = door.writes
    path = operation.path.replace("/v1/agents/{id}", agent)
    told = problem(client.post(path, content=b"[" + b" " * LARGEST_BODY, headers=JSON), 413)
    assert "1,000,000 bytes" in told["detail"]
    assert door.writes == before


def test_a_body_of_the_largest_size_is_read(client: httpx2.Client) -> None:
    body = json.dumps(START).encode()
    full = client.post("/v1/agents", content=body + b" " * (LARGEST_BODY - len(body)), headers=JSON)
    assert full.status_code == 201


def exchanged(door: Served, *parts: bytes) -> bytes:
    """What the server answers to these bytes, until it closes the connection or has nothing to say for a while."""
    host, port = door.url.removeprefix("http://").split(":")
    with socket.create_connection((host, int(port)), timeout=10) as connection:
        for part in parts:
            connection.sendall(part)
        return connection.recv(65_536)


HEAD: Final = b"POST /v1/agents HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"


def test_a_body_that_says_that_it_is_too_large_is_refused_before_it_comes(door: Served) -> None:
    answer = exchanged(door, HEAD + b"Content-Length: 1000000000\r\n\r\n")
    assert answer.startswith(b"HTTP/1.1 413 ")


def test_a_body_without_an_end_is_refused_as_soon_as_it_is_too_large(door: Served) -> None:
    """It is sent in chunks, and the last one never comes."""
    chunk = b"40000\r\n" + b" " * 0x40000 + b"\r\n"
    answer = exchanged(door, HEAD + b"Transfer-Encoding: chunked\r\n\r\n", chunk, chunk, chunk, chunk)
    assert answer.startswith(b"HTTP/1.1 413 ")


def test_who_sends_a_large_body_to_its_end_reads_the_answer_all_the_same(client: httpx2.Client) -> None:
    def pieces() -> Iterator[bytes]:
        for _ in range(64):
            yield b" " * 65_536

    problem(client.post("/v1/agents", content=pieces(), headers=JSON), 413)
    assert client.get("/v1/workflows").status_code == 200


def test_a_body_in_small_chunks_is_one_body(client: httpx2.Client) -> None:
    body = json.dumps(START).encode()
    sent = client.post("/v1/agents", content=(body[n : n + 1] for n in range(len(body))), headers=JSON)
    assert sent.status_code == 201


def test_a_client_that_leaves_in_the_midst_of_its_body_is_no_failure(
    door: Served, client: httpx2.Client, caplog: pytest.LogCaptureFixture
) -> None:
    host, port = door.url.removeprefix("http://").split(":")
    with socket.create_connection((host, int(port)), timeout=10) as connection:
        connection.sendall(HEAD + b"Content-Length: 100\r\n\r\n{")
    client.get("/v1/workflows")
    assert [each for each in caplog.records if each.levelname in ("ERROR", "WARNING")] == []


# --- parameters


@pytest.mark.parametrize(
    ("query", "kind"),
    [
        ("limt=3", "parameter-unknown"),
        ("Limit=3", "parameter-unknown"),
        ("limit=3&limit=3", "parameter-repeated"),
        ("limit=", "parameter-invalid"),
        ("limit=x", "parameter-invalid"),
        ("limit=1.0", "parameter-invalid"),
        ("limit=%D9%A3", "parameter-invalid"),
        ("limit=99999999999999999999", "parameter-invalid"),
        ("limit=0", "invalid"),
        ("limit=-1", "invalid"),
        ("limit=1001", "invalid"),
        ("status=sleeping", "invalid"),
        ("newest=yes", "parameter-invalid"),
        ("workflow=", "invalid"),
        ("after=", "invalid"),
        ("label=", "invalid"),
    ],
)
def test_a_parameter_that_says_nothing_is_told(client: httpx2.Client, query: str, kind: str) -> None:
    told = problem(client.get(f"/v1/agents?{query}"), 422)
    assert told["type"] == f"urn:fsm-agent:problem:{kind}"


def test_a_choice_that_there_is_not_is_told_which_there_are(client: httpx2.Client, agent: str) -> None:
    told = problem(client.get(f"{agent}/diagram?format=gif"), 422)
    assert told["detail"] == "format must be one of svg, png, pdf, dot, mermaid"
    assert told["allowed"] == ["svg", "png", "pdf", "dot", "mermaid"]
    assert "parked" in problem(client.get("/v1/agents?status=asleep"), 422)["allowed"]


def test_what_is_wrong_is_not_sent_back_whole(client: httpx2.Client) -> None:
    told = problem(client.post("/v1/agents", json={"workflow": "e" * 900_000, "id": "/" * 90_000}), 422)
    assert len(told["problems"]) == 2
    assert max(map(len, [told["detail"], *told["problems"]])) < 1_100


def test_a_misspelt_parameter_is_told_which_there_are(client: httpx2.Client) -> None:
    assert "did you mean `limit`?" in problem(client.get("/v1/agents?limt=3"), 422)["detail"]


@pytest.mark.parametrize("operation", OPERATIONS, ids=lambda each: each.name)
def test_no_operation_ignores_a_parameter(client: httpx2.Client, agent: str, operation: Any) -> None:
    path = operation.path.replace("/v1/agents/{id}", agent).replace("{name}", "errand")
    problem(client.request(operation.method, f"{path}?really=true", json={"event": "x"}), 422)


@pytest.mark.parametrize("value", ["0", "-1", "9007199254740992", "x", "1.5"])
def test_a_version_is_a_number_from_1(client: httpx2.Client, agent: str, value: str) -> None:
    problem(client.get(f"{agent}?at={value}"), 422)


def test_a_version_that_never_was_is_not_found(client: httpx2.Client, agent: str) -> None:
    told = problem(client.get(f"{agent}?at=99"), 404)
    assert "there are versions 1 to 2" in told["detail"]
    problem(client.get(f"{agent}/diagram?at=99"), 404)


# --- headers


@pytest.mark.parametrize("key", ["", "a b", "k" * 256, "é".encode()])
def test_a_key_is_a_short_word(client: httpx2.Client, key: str | bytes) -> None:
    sent = key if isinstance(key, bytes) else key.encode()
    problem(client.post("/v1/agents", json=START, headers=[(b"Idempotency-Key", sent)]), 422)


@pytest.mark.parametrize("etag", ["2", '"x"', '"0"', '"2", "3"', '"-1"', '"1e3"', ""])
def test_an_etag_that_is_none_of_ours_is_told(client: httpx2.Client, agent: str, etag: str) -> None:
    problem(client.post(f"{agent}/cancel", headers={"If-Match": etag}), 422)


def test_a_header_that_must_be_one_may_not_be_two(client: httpx2.Client, agent: str) -> None:
    for name in ("Idempotency-Key", "If-Match"):
        headers = [(name, '"2"'), (name, '"3"')]
        told = problem(client.post(f"{agent}/events", json={"event": "noted"}, headers=headers), 422)
        assert told["type"] == "urn:fsm-agent:problem:header-repeated"


# --- paths and methods


@pytest.mark.parametrize("path", ["/v1/agents/{id}%2Fsteps", "/v1/agents/{id}%2fcancel", "/v1%2Fagents", "/agents%2F"])
@pytest.mark.parametrize("method", ["GET", "POST"])
def test_an_encoded_slash_leads_nowhere_else(
    door: Served, client: httpx2.Client, agent: str, path: str, method: str
) -> None:
    before = door.writes
    problem(client.request(method, path.replace("{id}", agent.rpartition("/")[2])), 404)
    assert door.writes == before


@pytest.mark.parametrize(
    "path",
    ["/v1", "/v1/", "/v1/agents/", "/v1/Agents", "/v1/agents//", "/v1/agents/a/", "/v1/agents/a/b/c",
     "/v1/agents/a%2Fb", "/v2/agents", "/v1/agents/a/steps/", "/v1/agents/a/nothing"],
)  # fmt: skip
def test_where_there_is_nothing_a_problem_says_so(client: httpx2.Client, path: str) -> None:
    told = problem(client.get(path, follow_redirects=False), 404)
    assert told["type"] == "urn:fsm-agent:problem:not-found"


@pytest.mark.parametrize(
    "name", ["..", ".", "a b", "a%00b", "%", "é", "a\n", "a;b", "~a", "-a", ".a", "a" * 129, b"\xed\xa0\x80"]
)
def test_a_name_that_no_agent_can_have_is_invalid_and_not_merely_unknown(
    client: httpx2.Client, name: str | bytes
) -> None:
    for path in ("", "/steps", "/diagram", "/effects", "/messages", "/children", "/stream"):
        raw = "".join(f"%{byte:02x}" for byte in (name.encode() if isinstance(name, str) else name))
        problem(client.get(httpx2.URL(client.base_url, raw_path=f"/v1/agents/{raw}{path}".encode())), 422)


@pytest.mark.parametrize("name", ["a", "A.b_c-9", "9", "a" * 128])
def test_an_agent_is_found_under_any_id_that_is_allowed(client: httpx2.Client, name: str) -> None:
    made = client.post("/v1/agents", json={**START, "id": name})
    assert made.headers["location"] == f"/v1/agents/{name}"
    assert client.get(f"/v1/agents/{name}").json()["id"] == name
    encoded = "".join(f"%{ord(letter):02x}" for letter in name)
    url = httpx2.URL(client.base_url, raw_path=f"/v1/agents/{encoded}".encode())
    assert client.get(url).json()["id"] == name
    problem(client.post("/v1/agents", json={**START, "id": name}), 409)


@pytest.mark.parametrize("operation", OPERATIONS, ids=lambda each: each.name)
def test_an_agent_that_there_is_not_is_not_found(door: Served, client: httpx2.Client, operation: Any) -> None:
    if "{id}" not in operation.path:
        return
    body = {"sendEvent": {"event": "x"}, "answerQuestion": {"question": 1}, "rewindAgent": {"version": 1}}
    before = door.writes
    path = operation.path.replace("{id}", "nobody")
    told = problem(client.request(operation.method, path, json=body.get(operation.name, {})), 404)
    assert told["detail"] == "no agent 'nobody' in namespace 'default'"
    assert door.writes == before


def test_a_workflow_that_there_is_not_is_told_which_there_are(client: httpx2.Client) -> None:
    assert problem(client.get("/v1/workflows/erand"), 404)["allowed"] == ["bag", "errand"]
    assert problem(client.post("/v1/agents", json={"workflow": "erand"}), 422)["allowed"] == ["bag", "errand"]
    problem(client.get(f"/v1/workflows/{'x' * 257}"), 422)


PATHS: Final = sorted({operation.path for operation in OPERATIONS})


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize("method", ["PUT", "PATCH", "DELETE", "TRACE", "QUERY", "BREW"])
def test_another_method_is_told_which_there_are(client: httpx2.Client, path: str, method: str) -> None:
    response = client.request(method, path.replace("{id}", "a").replace("{name}", "errand"))
    told = problem(response, 405)
    known = {operation.method for operation in OPERATIONS if operation.path == path}
    expected = sorted({*known, *({"HEAD"} if "GET" in known else ()), "OPTIONS"})
    assert response.headers["allow"] == ", ".join(expected)
    assert told["allowed"] == expected


@pytest.mark.parametrize("path", [*PATHS, "/openapi.json", "/healthz", "/readyz"])
def test_options_are_told(client: httpx2.Client, path: str) -> None:
    response = client.options(path.replace("{id}", "a").replace("{name}", "errand"))
    assert (response.status_code, response.content) == (204, b"")
    assert "OPTIONS" in response.headers["allow"]


def test_no_page_of_another_site_is_let_in(client: httpx2.Client) -> None:
    headers = {"Origin": "https://evil.example", "Access-Control-Request-Method": "POST"}
    for response in (client.options("/v1/agents", headers=headers), client.get("/v1/agents", headers=headers)):
        assert [name for name in response.headers if name.startswith("access-control")] == []


@pytest.mark.parametrize("operation", [each for each in OPERATIONS if each.method == "GET"], ids=lambda each: each.name)
def test_head_says_what_get_would_without_its_body(client: httpx2.Client, agent: str, operation: Any) -> None:
    path = operation.path.replace("/v1/agents/{id}", agent).replace("{name}", "errand")
    head = client.head(path)
    assert (head.status_code, head.content) == (200, b"")
    assert head.headers["content-type"].startswith(operation.media[0])
    assert client.get("/healthz").status_code == 200  # on the same connection: it was not left in the midst of a body


def test_every_response_has_an_id_and_is_nobody_s_to_keep_or_to_guess_at(client: httpx2.Client, agent: str) -> None:
    for path in (agent, "/v1/agents/nobody", f"{agent}/diagram", "/v1/nothing"):
        response = client.get(path)
        assert len(response.headers["x-request-id"]) == 32
        assert response.headers["x-content-type-options"] == "nosniff"
        assert response.headers["cache-control"] == "no-store"
    assert client.get(agent, headers={"X-Request-ID": "mine-7"}).headers["x-request-id"] == "mine-7"
    assert client.get(agent, headers={"X-Request-ID": "not\tmine"}).headers["x-request-id"] != "not\tmine"


def test_who_asks_cannot_write_lines_of_the_log(client: httpx2.Client, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level("INFO", logger="fsm_agent.server"):
        client.get("/v1/agents/a%0AERROR%20all%20is%20lost")
        client.get("/healthz")  # its line comes after that of the request before
    lines = [each.getMessage() for each in caplog.records if each.name == "fsm_agent.server"]
    assert "GET /v1/agents/a%0AERROR%20all%20is%20lost: 422" in lines
    assert not [line for line in lines if "\n" in line]


# --- pictures


@pytest.mark.parametrize(
    ("kind", "begins"),
    [("svg", b"<?xml"), ("png", b"\x89PNG"), ("pdf", b"%PDF"), ("dot", b"digraph"), ("mermaid", b"---")],
)
def test_a_picture_is_of_its_kind_and_runs_nothing(client: httpx2.Client, agent: str, kind: str, begins: bytes) -> None:
    picture = client.get(f"{agent}/diagram?format={kind}")
    assert begins in picture.content[:100]
    assert picture.headers["content-security-policy"] == "default-src 'none'; style-src 'unsafe-inline'; sandbox"
