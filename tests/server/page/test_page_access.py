"""Who may look at which page, and do what there, as a table: every page, whoever asks; what is refused has done
nothing."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final
from urllib.parse import parse_qs, quote, urlsplit

import httpx2
import pytest

from fsm_agent.server.page.routes import PAGES, Page
from fsm_agent.server.tokens import Scope
from tests.server.test_access import CASES, LONG_AGO, Case, cookie
from tests.support.servers.in_thread import Served, served

BY_NAME: Final = {f"{page.method} {page.path}": page for page in PAGES}
#: page -> what its form sends for an agent that asks, at version 2
BODIES: Final = {
    "/answer/{id}": {"question": "2", "event": "reject", "/reason": "too dear", "key": "k"},
    "/agents/{id}/answer": {"question": "2", "event": "reject", "/reason": "too dear", "key": "k"},
    "/agents/{id}/send": {"version": "2", "key": "k", "/text": "too late"},
    "/agents/{id}/cancel": {"version": "2"},
    "/agents/{id}/unpark": {"version": "2"},
    "/agents/{id}/rewind": {"version": "2"},
    "/agents/{id}/fork": {"version": "2", "key": "f"},
    "/unpark": {"id": "2.nobody"},
    "/workflows/{name}/start": {"event": "wanted", "key": "k", "/payload/item": "book"},
}
#: page -> what its address says besides
QUERIES: Final = {"/agents/{id}/send": "event=noted", "/agents/{id}/rewind": "to=1"}


@pytest.fixture(scope="module")
def door(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    folder = tmp_path_factory.mktemp("door")
    with served(folder, has_tokens=True, namespaces=("default", "shop"), drives=False) as one:
        one.secrets["root"] = one.token("root")
        one.secrets["sheila"] = one.token("sheila", namespaces=["shop"])
        one.secrets["eli"] = one.token("eli", lifetime="1d", made=LONG_AGO)
        one.secrets["gus"] = one.token("gus", namespaces=["gone"])
        for scope in Scope:
            one.secrets[f"only {scope}"] = one.token(f"only {scope}", scope)
            one.secrets[f"all but {scope}"] = one.token(f"all but {scope}", *(set(Scope) - {scope}))
        yield one


@pytest.fixture(scope="module")
def agent(door: Served) -> str:
    """One that asks, and whom nobody answers."""
    with door.client(door.secrets["root"]) as client:
        body = {"workflow": "errand", "event": "wanted", "payload": {"item": "book"}, "id": "one"}
        assert client.post("/v1/agents", json=body).status_code == 201
    return "one"


def address(page: Page, agent: str, query: str = "") -> str:
    known = {"{id}": agent, "{name}": "errand", "{version}": "1", "{question:int}": "2"}
    path = page.path
    for name, value in known.items():
        path = path.replace(name, value)
    said = [each for each in (query.removeprefix("?"), QUERIES.get(page.path)) if each]
    return f"{path}?{'&'.join(said)}" if said else path


def send(client: httpx2.Client, page: Page, agent: str, query: str = "") -> httpx2.Response:
    if page.method == "POST":
        return client.post(address(page, agent, query), data=BODIES[page.path])
    # a stream is only begun
    method = "HEAD" if page.path.startswith("/live/inbox") else "GET"
    return client.request(method, address(page, agent, query))


def is_admitted(response: httpx2.Response) -> bool:
    return response.status_code not in {401, 403, 421} and not leads_to_login(response)


def leads_to_login(response: httpx2.Response) -> bool:
    """Whether it is the way to the login; a form that was sent is answered by the login itself, which keeps it."""
    if response.status_code == 401:
        return response.request.method == "POST" and 'action="/login"' in response.text
    return response.status_code == 303 and urlsplit(response.headers["location"]).path == "/login"


@pytest.mark.parametrize("name", BY_NAME)
@pytest.mark.parametrize("case", CASES.values(), ids=list(CASES))
def test_who_asks_gets_what_the_table_says(door: Served, agent: str, name: str, case: Case) -> None:
    page = BY_NAME[name]
    expected = case.changes if page.method == "POST" else case.reads
    if page.method == "POST" and expected is None:
        return  # it would be done, and then there were nothing left to ask about
    before = door.writes
    with case.client(door) as client:
        response = send(client, page, agent, case.query)
    assert door.writes == before
    if expected is None:
        assert is_admitted(response), response.text
    elif expected == 401:
        assert leads_to_login(response)
        if page.method == "GET":
            wanted = parse_qs(urlsplit(response.headers["location"]).query).get("next")
            assert wanted in (None, [address(page, agent, case.query)])
    else:
        assert response.status_code == expected, response.text
        assert response.headers["content-type"].startswith("text/html")


@pytest.mark.parametrize("scope", Scope)
@pytest.mark.parametrize("name", [name for name, page in BY_NAME.items() if page.scope is not None])
def test_a_page_needs_its_scope_and_no_other(door: Served, agent: str, name: str, scope: Scope) -> None:
    page = BY_NAME[name]
    before = door.writes
    with door.client(**cookie(door.secrets[f"all but {scope}"])) as client:
        if page.scope is scope:
            assert send(client, page, agent).status_code == 403
            assert door.writes == before
    if page.method == "GET":
        with door.client(**cookie(door.secrets[f"only {scope}"])) as client:
            assert is_admitted(send(client, page, agent)) == (page.scope is scope)


@pytest.mark.parametrize("name", [name for name, page in BY_NAME.items() if page.method == "POST"])
def test_what_our_own_page_sends_is_done(door: Served, name: str) -> None:
    """Otherwise, that nothing happened would say nothing."""
    page = BY_NAME[name]
    with door.client(door.secrets["root"]) as client:
        body = {"workflow": "errand", "event": "wanted", "payload": {"item": "book"}}
        mine = client.post("/v1/agents", json=body).json()["id"]
    before = door.writes
    with door.client(**cookie(door.secrets["root"]), **{"Sec-Fetch-Site": "same-origin"}) as client:
        response = send(client, page, mine)
    is_refused = page.path in {"/unpark", "/agents/{id}/unpark"}  # nobody is parked
    assert response.status_code == (409 if is_refused else 303), response.text
    assert (door.writes != before) == (not is_refused)


# --- the first page, and ways that are offered


def test_who_may_only_look_comes_to_the_agents_and_is_shown_no_inbox(door: Served, agent: str) -> None:
    with door.client(**cookie(door.secrets["only read"])) as client:
        first = client.get("/")
        assert (first.status_code, first.headers["location"]) == (303, "/agents")
        page = client.get("/agents").text
    assert 'href="/agents"' in page
    assert ">Inbox" not in page


def test_who_may_only_answer_is_shown_no_way_to_agents_and_the_whole_question(door: Served) -> None:
    item = "a book " * 2_000
    with door.client(door.secrets["root"]) as client:
        body = {"workflow": "errand", "event": "wanted", "payload": {"item": item}, "id": "long"}
        assert client.post("/v1/agents", json=body).status_code == 201
    with door.client(**cookie(door.secrets["only answer"])) as client:
        page = client.get("/").text
    assert f"May it be {item}?" in page
    assert 'href="/agents' not in page
    assert 'href="/workflows' not in page


@pytest.mark.parametrize("scope", ["operate", "admin"])
def test_who_may_do_neither_is_told_so(door: Served, scope: str) -> None:
    with door.client(**cookie(door.secrets[f"only {scope}"])) as client:
        assert client.get("/").status_code == 403


def test_who_has_several_namespaces_can_choose_and_links_keep_the_choice(door: Served) -> None:
    both = door.token("both", namespaces=["default", "shop"])
    with door.client(**cookie(both)) as client:
        page = client.get("/agents?namespace=shop").text
        assert 'href="/agents/one' not in page
        assert 'href="/workflows?namespace=shop"' in page
        assert '<option value="shop" selected>' in page


# --- signing in and out


def sign_in(client: httpx2.Client, secret: str, **more: str) -> httpx2.Response:
    return client.post("/login", data={"token": secret, **more})


def test_signing_in_sets_a_cookie_that_no_script_reads_and_no_other_site_sends(door: Served) -> None:
    with door.client() as client:
        done = sign_in(client, f"  {door.secrets['root']}\n")
    assert (done.status_code, done.headers["location"]) == (303, "/")
    said = done.headers["set-cookie"].lower()
    assert "httponly" in said
    assert "samesite=strict" in said
    assert "path=/" in said
    assert "secure" not in said


@pytest.mark.parametrize(
    ("told", "is_secure"), [("https", True), ("HTTPS, http", True), ("http", False), ("http, https", False)]
)
def test_behind_a_proxy_that_ends_tls_the_cookie_stays_under_tls(door: Served, told: str, is_secure: bool) -> None:
    with door.client(**{"X-Forwarded-Proto": told}) as client:
        said = sign_in(client, door.secrets["root"]).headers["set-cookie"].lower()
        assert ("secure" in said) == is_secure


@pytest.mark.parametrize("secret", ["", "fsm_wrong", "\0", "x" * 10_000, "<script>alert(1)</script>"])
def test_a_wrong_token_is_told_and_not_repeated(door: Served, secret: str) -> None:
    with door.client() as client:
        refused = sign_in(client, secret, next="/agents")
        assert refused.status_code == 401
        assert "set-cookie" not in refused.headers
        assert 'value="/agents"' in refused.text
        assert len(secret) < 2 or secret not in refused.text


def test_a_token_of_no_namespace_that_is_served_does_not_sign_in_and_can_sign_out(door: Served) -> None:
    with door.client() as client:
        refused = sign_in(client, door.secrets["gus"], next="/agents")
        assert (refused.status_code, "set-cookie" in refused.headers) == (403, False)
        assert "None of the namespaces of this token is served here." in refused.text
    with door.client(**cookie(door.secrets["gus"])) as client:  # it was served when they signed in
        told = client.get("/")
        assert (told.status_code, 'action="/logout"' in told.text) == (403, True)


def test_who_asks_too_often_is_told_when_to_ask_again(tmp_path_factory: pytest.TempPathFactory) -> None:
    with served(tmp_path_factory.mktemp("rate"), rate=1, drives=False) as door, door.client() as client:
        answers = [client.get("/workflows") for _ in range(4)]
        refused = next(each for each in answers if each.status_code != 200)
        assert (refused.status_code, refused.headers["retry-after"]) == (429, "1")


def test_an_expired_token_does_not_sign_in(door: Served) -> None:
    with door.client() as client:
        assert sign_in(client, door.secrets["eli"]).status_code == 401


@pytest.mark.parametrize(
    ("wanted", "leads_to"),
    [
        ("/agents?status=parked&user=a%26b", "/agents?status=parked&user=a%26b"),
        ("/", "/"),
        ("", "/"),
        ("agents", "/"),
        ("//evil.example", "/"),
        ("/\\evil.example", "/"),
        ("\\\\evil.example", "/"),
        ("https://evil.example", "/"),
        ("https:evil.example", "/"),
        ("javascript:alert(1)", "/"),
        ("/\t/evil.example", "/"),
        ("/\n/evil.example", "/"),
        ("/agents\r\nSet-Cookie: a=b", "/"),
        ("/\u2028/evil.example", "/"),
        (" //evil.example", "/"),
    ],
)
def test_signing_in_leads_to_our_own_pages_only(door: Served, wanted: str, leads_to: str) -> None:
    with door.client() as client:
        shown = client.get(f"/login?next={quote(wanted)}").text
        done = sign_in(client, door.secrets["root"], next=wanted)
    assert f'name="next" value="{leads_to.replace("&", "&amp;")}"' in shown
    assert done.headers["location"] == leads_to


def test_who_is_sent_to_the_login_comes_back_to_where_they_wanted_to_go(door: Served) -> None:
    with door.client() as client:
        sent = client.get("/agents?status=parked&user=a%26b")
        wanted = parse_qs(urlsplit(sent.headers["location"]).query)["next"][0]
        done = sign_in(client, door.secrets["root"], next=wanted)
        assert done.headers["location"] == "/agents?status=parked&user=a%26b"


@pytest.mark.parametrize("path", ["/login", "/logout"])
@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"Sec-Fetch-Site": "cross-site"}, 403),
        ({"Origin": "https://evil.example"}, 403),
        ({"Host": "evil.example"}, 421),
    ],
)
def test_no_other_site_signs_anybody_in_or_out(door: Served, path: str, headers: dict[str, str], status: int) -> None:
    with door.client(**headers) as client:
        refused = client.post(path, data={"token": door.secrets["root"]})
        assert refused.status_code == status
        assert "set-cookie" not in refused.headers
        assert refused.headers["content-type"].startswith("text/html")


def test_signing_out_takes_the_cookie_away(door: Served) -> None:
    with door.client(**cookie(door.secrets["root"])) as client:
        done = client.post("/logout")
    assert (done.status_code, done.headers["location"]) == (303, "/login")
    assert "max-age=0" in done.headers["set-cookie"].lower()


def test_without_tokens_nobody_signs_in(tmp_path_factory: pytest.TempPathFactory) -> None:
    with served(tmp_path_factory.mktemp("open"), drives=False) as door, door.client() as client:
        assert client.get("/login").headers["location"] == "/"
        assert "Sign out" not in client.get("/").text


@pytest.mark.parametrize("kind", ["application/json", "multipart/form-data; boundary=x", ""])
def test_what_is_no_form_is_refused(door: Served, kind: str) -> None:
    headers = {"Content-Type": kind, **cookie(door.secrets["root"])}
    with door.client(**headers) as client:
        for path in ("/answer/one", "/workflows/errand/start", "/login"):
            assert client.post(path, content=b"{}").status_code == 415


def test_pages_are_nobodys_to_keep_and_allow_nothing_from_elsewhere(door: Served, agent: str) -> None:
    with door.client(**cookie(door.secrets["root"])) as client:
        for page in PAGES:
            reply = send(client, page, agent) if page.method == "GET" else None
            if reply is None or reply.status_code != 200 or page.path.startswith("/live"):
                continue
            policy = reply.headers["content-security-policy"]
            assert "default-src 'none'" in policy
            assert "unsafe" not in policy
            assert reply.headers["cache-control"] == "no-store"
            assert reply.headers["x-content-type-options"] == "nosniff"
