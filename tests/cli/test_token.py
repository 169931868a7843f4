"""``token new``, ``token list`` and ``token revoke`` on the command line."""

from __future__ import annotations

import stat
import subprocess
from datetime import UTC, datetime, timedelta

import pytest

from fsm_agent.server.token_file import TokenFile
from fsm_agent.server.tokens import Scope, Token, new_token
from tests.support.shop import Outcome, Shop

FIELDS = ["name", "id", "namespaces", "scopes", "created", "expires", "expired"]
FILE = "fsm-agent-tokens.json"


def found(shop: Shop, secret: str, file: str = FILE) -> Token | None:
    return TokenFile(shop.folder / file).find(secret, datetime.now(UTC))


def listed(shop: Shop, *words: str) -> list[str]:
    return [each["name"] for each in shop("--json", "token", "list", *words).json["tokens"]]


def detail(refused: Outcome) -> str:
    assert refused.code in (1, 2)
    said: str = refused.json["error"]["detail"]
    assert refused.err == f"error: {said}\n"
    return said


def test_new_prints_the_secret_alone_and_says_that_it_is_shown_once(shop: Shop) -> None:
    made = shop("token", "new", "ana", "--scope", "read", "--scope", "answer")
    assert made.code == 0
    assert made.out == f"{made.out.strip()}\n"
    assert made.err == "this is the secret of token 'ana': keep it now, for it is not shown again\n"
    token = found(shop, made.out.strip())
    assert token is not None
    assert (token.name, token.scopes, token.namespaces, token.expires) == (
        "ana",
        {Scope.READ, Scope.ANSWER},
        ("default",),
        None,
    )
    assert stat.S_IMODE((shop.folder / FILE).stat().st_mode) == 0o600


def test_new_prints_one_document_with_exactly_the_fields_of_the_contract(shop: Shop) -> None:
    document = shop("token", "new", "ana", "--scope", "operate", "--expires", "90d", "--json").json
    assert list(document) == [*FIELDS, "secret"]
    token = found(shop, document["secret"])
    assert token is not None
    assert token.id == document["id"]
    created, expires = (datetime.fromisoformat(document[each]) for each in ("created", "expires"))
    assert expires - created == timedelta(days=90)
    assert document["scopes"] == ["operate"]


@pytest.mark.parametrize(
    ("words", "namespaces"),
    [
        (["token", "new", "ana"], ["default"]),
        (["--namespace", "north", "token", "new", "ana"], ["north"]),
        (["token", "--namespace", "north", "new", "ana"], ["north"]),
        (["token", "new", "ana", "--namespace", "north", "--namespace", "south"], ["north", "south"]),
        (["--namespace", "west", "token", "new", "ana", "--namespace", "north"], ["north"]),
    ],
    ids=" ".join,
)
def test_a_token_counts_in_the_namespaces_that_are_said_wherever_they_stand(
    shop: Shop, words: list[str], namespaces: list[str]
) -> None:
    assert shop("--json", *words, "--scope", "read").json["namespaces"] == namespaces


def test_a_list_shows_what_tokens_allow_and_no_secret(shop: Shop) -> None:
    secrets = [
        shop("token", "new", name, "--scope", "read", "--scope", "answer").out.strip() for name in ("ana", "bob")
    ]
    shown = [shop("token", "list"), shop("token", "--json", "list"), shop("token", "list", "--json")]
    assert shown[1] == shown[2]
    for each in shown:
        assert (each.code, each.err) == (0, "")
        assert not [secret for secret in secrets if secret[4:] in each.out]
        assert not [token for token in TokenFile(shop.folder / FILE).all() if token.digest in each.out]
    assert list(shown[1].json) == ["file", "tokens"]
    assert [list(each) for each in shown[1].json["tokens"]] == [FIELDS, FIELDS]
    lines = shown[0].out.splitlines()
    assert lines[0].split() == ["NAME", "NAMESPACES", "SCOPES", "CREATED", "EXPIRES", "ID"]
    assert lines[1].startswith("ana   default     read, answer  20")
    assert f"never    {shown[1].json['tokens'][0]['id']}" in lines[1]


def test_an_expired_token_is_marked(shop: Shop) -> None:
    now = datetime.now(UTC)
    made = new_token("ana", scopes=["read"], now=now - timedelta(days=2))
    TokenFile(shop.folder / FILE).add(made.token._replace(expires=now - timedelta(days=1)))
    shop("token", "new", "bob", "--scope", "read", "--expires", "1h")
    lines = shop("token", "list").out.splitlines()
    assert ["Z, expired" in line for line in lines] == [False, True, False]
    assert [each["expired"] for each in shop("--json", "token", "list").json["tokens"]] == [True, False]


def test_a_revoked_token_is_gone(shop: Shop) -> None:
    secret = shop("token", "new", "ana", "--scope", "read").out.strip()
    shop("token", "new", "bob", "--scope", "read")
    token = found(shop, secret)
    assert token is not None
    assert shop("token", "revoke", "ana", "--json").json == {"revoked": "ana", "id": token.id}
    assert shop("token", "revoke", "bob").out == "revoked  bob\n"
    assert found(shop, secret) is None
    assert (listed(shop), shop("token", "list").out) == ([], "there are no tokens\n")


def test_the_file_is_that_of_the_project_or_the_one_that_is_said(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(shop.folder / "workflows")
    assert shop("token", "new", "ana", "--scope", "read").code == 0
    secret = shop("token", "new", "bob", "--scope", "read", "--tokens", "other.json").out.strip()
    assert (listed(shop), listed(shop, "--tokens", "other.json")) == (["ana"], ["bob"])
    assert found(shop, secret, "workflows/other.json") is not None
    assert shop("token", "revoke", "ana", "--tokens", "other.json").code == 1


def test_to_look_makes_no_file_and_says_that_there_is_none(shop: Shop) -> None:
    before = sorted(shop.folder.rglob("*"))
    shown = shop("token", "list")
    assert (shown.code, shown.out) == (0, "there are no tokens\n")
    assert shown.err == f"there is no file {shop.folder / FILE}\n"
    assert sorted(shop.folder.rglob("*")) == before


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (["token"], 2, "Missing command; `"),
        (["token", "nwe"], 2, "there is no command 'nwe' (did you mean `new`?); there are new, list, revoke; "),
        (["token", "new", "--scope", "read"], 2, "Missing argument 'NAME'"),
        (["token", "new", "ana"], 2, "Missing option '--scope'. Choose from: read, answer, operate, admin; "),
        (["token", "new", "ana", "--scope", "reed"], 1, "'reed' is not one of 'read', 'answer', 'operate', 'admin'"),
        (["token", "new", " ", "--scope", "read"], 1, "' ' names no token: write 1 to 128 printable characters"),
        (["token", "new", "ana", "--scope", "read", "--namespace", "a b"], 1, "namespace 'a b' is not allowed"),
        (["token", "new", "ana", "--scope", "read", "--expires", "90"], 1, "'90' is not a duration: write an integer"),
        (["token", "new", "ana", "--scope", "read", "--expires", "0s"], 1, "could never be used: give it more"),
        (["token", "new", "bob", "--scope", "read"], 1, "there is a token 'bob' already; choose another name"),
        (["token", "revoke", "bo"], 1, "there is no token 'bo' (did you mean `bob`?); there are bob"),
        (["token", "new", "ana", "--scope", "read", "--tokens", "no/x"], 1, "in no/x cannot be written: No such file"),
    ],
    ids=lambda each: " ".join(each) if isinstance(each, list) else "",
)
def test_what_is_wrong_is_said_with_what_is_allowed_and_changes_nothing(
    shop: Shop, words: list[str], code: int, said: str
) -> None:
    shop("token", "new", "bob", "--scope", "read")
    before = (shop.folder / FILE).read_bytes()
    refused = shop("--json", *words)
    assert (refused.code, said in detail(refused)) == (code, True)
    assert (shop.folder / FILE).read_bytes() == before


def test_a_file_that_others_may_read_is_refused_by_every_command(shop: Shop) -> None:
    shop("token", "new", "bob", "--scope", "read")
    (shop.folder / FILE).chmod(0o644)
    for words in (["list"], ["new", "ana", "--scope", "read"], ["revoke", "bob"]):
        refused = shop("token", *words, "--json")
        assert refused.json["error"]["type"] == "SettingsInvalid"
        assert f"`chmod 600 {shop.folder / FILE}` keeps others out" in detail(refused)


@pytest.mark.parametrize("words", [["token"], ["token", "new"], ["token", "list"], ["token", "revoke"]], ids=" ".join)
def test_help_tells_of_each_command_and_of_no_global_option(shop: Shop, words: list[str]) -> None:
    told = shop(*words, "--help")
    assert (told.code, told.err) == (0, "")
    assert f" {' '.join(words)} [OPTIONS]" in told.out
    assert "--store" not in told.out
    assert "..." not in told.out.partition("Commands:")[2]
    assert all(option in told.out for option in (["--scope", "--namespace", "--expires"] if "new" in words else []))
    assert ("--tokens" in told.out) == (len(words) > 1)


def test_a_new_project_keeps_its_tokens_out_of_git(shop: Shop) -> None:
    assert shop("init", "fresh").code == 0
    folder = shop.folder / "fresh"
    assert shop("token", "new", "ana", "--scope", "read", "--tokens", str(folder / FILE)).code == 0
    subprocess.run(["git", "init", "--quiet", str(folder)], check=True)
    told = subprocess.run(["git", "status", "--short", "-uall"], cwd=folder, check=True, capture_output=True, text=True)
    assert "README.md" in told.stdout
    assert "token" not in told.stdout
