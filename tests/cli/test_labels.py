"""Labels on the command line, and the lists that they, states, users and addressees select."""

from __future__ import annotations

import re
import shlex
from typing import Any

import pytest

from tests.cli.test_completion import offered
from tests.cli.test_layout import screen
from tests.support.shop import ORDER, Outcome, Shop

TO_ANA = ORDER.replace("  events: [approve, reject]\n", "  events: [approve, reject]\n      to: \"['ana', 'ben']\"\n")


def order(shop: Shop, agent_id: str, *words: str, file: str = "workflows/order.yaml") -> Outcome:
    done = shop("--json", "run", file, "--id", agent_id, "--payload", '{"item": "lamp"}', *words)
    assert done.code == 0, done.err
    return done


@pytest.fixture
def office(shop: Shop) -> Shop:
    """``a`` and ``b`` are of one case, ``c`` of another, ``d`` of none."""
    shop.write("asking.yaml", TO_ANA.replace("workflow: order", "workflow: asking"))
    order(shop, "a", "--label", "case=A-17", "--label", "customer=Ana Lima", "--user", "ana")
    order(shop, "b", "--label", "case=A-17", "--label", "lane=")
    order(shop, "c", "--label", "case=B=2", file="asking.yaml")
    order(shop, "d")
    shop("cancel", "b")
    return shop


def ids(shop: Shop, *words: str) -> list[str]:
    listed = shop("--json", "list", *words)
    assert listed.code == 0, listed.err
    return [agent["id"] for agent in listed.json["agents"]]


def test_an_agent_has_the_labels_that_it_was_given(office: Shop) -> None:
    labels = {each["id"]: each["labels"] for each in office("--json", "list").json["agents"]}
    assert labels == {
        "a": {"case": "A-17", "customer": "Ana Lima"},
        "b": {"case": "A-17", "lane": ""},
        "c": {"case": "B=2"},
        "d": {},
    }
    for words in (["show", "a"], ["show", "a", "--at", "1"]):
        assert office("--json", *words).json["labels"] == labels["a"]
    again = order(office, "x", "--key", "k", "--label", "case=A-19")
    assert again.json["labels"] == {"case": "A-19"}
    reused = office("run", "workflows/order.yaml", "--payload", '{"item": "lamp"}', "--key", "k", "--label", "case=A")
    assert (reused.code, "workflow, event, payload, data, user or labels" in reused.err) == (1, True)


@pytest.mark.parametrize(
    ("words", "found"),
    [
        (["--label", "case"], ["a", "b", "c"]),
        (["--label", "case=A-17"], ["a", "b"]),
        (["--label=case=B=2"], ["c"]),
        (["--label", "lane="], ["b"]),
        (["--label", "lane=x"], []),
        (["--label", "case=A-17", "--status", "waiting"], ["a"]),
        (["--user", "ana"], ["a"]),
        (["--state", "asking"], ["a", "b", "c", "d"]),
        (["--state", "asking", "--workflow", "order", "--newest"], ["d", "b", "a"]),
        (["--newest"], ["d", "c", "b", "a"]),
        (["--newest", "--label", "case"], ["c", "b", "a"]),
    ],
)
def test_a_list_is_of_those_that_are_all_that_is_said(office: Shop, words: list[str], found: list[str]) -> None:
    assert ids(office, *words) == found


def test_an_inbox_is_that_of_a_person_of_oneself_or_of_whoever_comes(office: Shop) -> None:
    assert ids(office, "--waiting", "--to", "ana") == ["c"]
    assert ids(office, "--waiting", "--to", "eve") == []
    assert ids(office, "--by", "ben", "--waiting", "--to", "me") == ["c"]
    assert ids(office, "--by", "eve", "--waiting", "--to", "me") == []
    assert ids(office, "--waiting", "--to", "anybody") == ["a", "d"]
    assert ids(office, "--waiting", "--to", "ana", "--workflow", "order") == []


def test_without_a_name_nobody_is_me(office: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    def nobody() -> str:
        raise OSError("no user name is set")

    monkeypatch.setattr("getpass.getuser", nobody)
    refused = office("list", "--waiting", "--to", "me")
    assert (refused.code, refused.err) == (
        1,
        "error: the system knows no name of yours: say with --by who `--to me` is\n",
    )


def next_command(listed: Outcome) -> list[str]:
    """The words of the command with which a list says that it goes on."""
    [command] = re.findall(r"there are more: `fsm-agent (.*)`\n", listed.err)
    return shlex.split(command)


@pytest.mark.parametrize(
    ("words", "found"),
    [
        (["list", "--waiting"], ["a", "c", "d"]),
        (["list", "--waiting", "--to", "anybody", "--status", "waiting"], ["a", "d"]),
        (["list", "--newest"], ["d", "c", "b", "a"]),
        (["list", "--newest", "--label", "case=A-17", "--status", "waiting", "--status", "cancelled"], ["b", "a"]),
        (["list", "--label", "case", "--state", "asking"], ["a", "b", "c"]),
        (["list"], ["a", "b", "c", "d"]),
    ],
)
def test_a_list_says_how_it_goes_on_and_does(office: Shop, words: list[str], found: list[str]) -> None:
    printed: list[str] = []
    while True:
        listed = office(*words, "--limit", "1")
        assert listed.code == 0, listed.err
        printed.append(listed.out.splitlines()[1].split()[0])
        if "there are more" not in listed.err:
            break
        assert len(printed) < 9
        words = next_command(listed)
    assert printed == found


def test_an_inbox_goes_on_after_its_last_question_was_answered(office: Shop) -> None:
    first = office("list", "--waiting", "--limit", "1")
    assert first.out.splitlines()[1].startswith("a ")
    office("answer", "a", "--event", "approve")
    rest = office(*next_command(first))
    assert [line.split()[0] for line in rest.out.splitlines()[1:]] == ["c", "d"]
    page = office("--json", "list", "--waiting", "--limit", "1").json
    assert ids(office, "--waiting", "--after", page["next"]) == ["d"]


WRONG: list[tuple[list[str], str]] = [
    (["list", "--waiting", "--newest"], "leave --newest out, or select by --status instead of --waiting"),
    (["list", "--waiting", "--label", "case"], "--waiting has an order of its own, and selects by --workflow and --to"),
    (["list", "--to", "ana"], "--to says whom a question is for: add --waiting, or leave it out"),
    (["list", "--newest", "--after", "a"], "after must be the `next` of the page before, and is 'a'"),
    (["list", "--waiting", "--after", "a"], "after must be the `next` of the page before, and is 'a'"),
    (["list", "--waiting", "--to", ""], "it is empty; say who it is"),
    (["list", "--user", " "], "it is only white space; give it a text, or leave it out"),
    (["list", "--label", "=x"], "it is empty; a label is written NAME=TEXT"),
    (["list", "--label", "\udcff"], "label is no Unicode text"),
    (["list", "--state", "\udcff"], "state is no Unicode text"),
    (["run", "workflows/order.yaml", "--label", "case"], "'case' has no text; write NAME=TEXT"),
    (["run", "workflows/order.yaml", "--label", " =x"], "it is only white space; a label is written NAME=TEXT"),
    (["run", "workflows/order.yaml", "--label", "case=\udcff"], "labels['case'] is no Unicode text"),
    (
        ["run", "workflows/order.yaml", "--label", "case=1", "--label", "case=2"],
        "--label gives 'case' two texts, '1' and '2'",
    ),
    (["run", "workflows/order.yaml", "--label", f"case={'x' * 257}"], "a text of more than 256 characters"),
]


@pytest.mark.parametrize(("words", "why"), WRONG)
def test_what_cannot_be_is_refused_in_one_sentence(shop: Shop, words: list[str], why: str) -> None:
    refused = shop(*words)
    assert (refused.code, refused.out, refused.err.count("\n")) == (1, "", 1)
    assert why in refused.err
    assert shop("--json", "list").json["agents"] == []


def table(outcome: Outcome) -> list[list[str]]:
    return [re.split(r"  +", line) for line in outcome.out.splitlines()]


def test_a_table_shows_labels_where_they_are_asked_for(office: Shop) -> None:
    columns = ["ID", "WORKFLOW", "STATUS", "STATE", "VERSION", "UPDATED"]
    for words in (["list"], ["list", "--newest"], ["list", "--label", "case=B=2"]):
        assert table(office(*words))[0] == columns, "a label that every row has tells nothing"
    some = table(office("list", "--label", "case"))
    assert some[0] == [*columns, "LABELS"]
    assert [row[6:] for row in some[1:]] == [["case=A-17, customer=Ana Lima"], ["case=A-17, lane="], ["case=B=2"]]
    others = table(office("list", "--label", "case=A-17"))
    assert [row[6:] for row in others[1:]] == [["customer=Ana Lima"], ["lane="]]
    every = table(office("list", "--wide", "--label", "case=A-17"))
    assert [row[6:] for row in every[1:]] == [["case=A-17, customer=Ana Lima"], ["case=A-17, lane="]]
    inbox = table(office("list", "--wide", "--waiting"))
    assert [row[-1] for row in inbox] == ["LABELS", "case=A-17, customer=Ana Lima", "case=B=2", inbox[3][-1]]


def test_show_has_a_row_of_labels_if_there_are_any(office: Shop) -> None:
    assert "labels    case=A-17, customer=Ana Lima\n" in office("show", "a").out
    assert "labels    case=A-17, customer=Ana Lima\n" in office("show", "a", "--at", "1").out
    assert "labels" not in office("show", "d").out


@pytest.mark.long
def test_long_and_hostile_labels_stay_text(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    evil = "\x1b[31mred\u202e\nnew line"
    order(shop, "a", "--label", f"note={evil}", "--label", f"long={'word ' * 50}")
    for words in (["show", "a"], ["list", "--wide"], ["list", "--label", "note"], ["--json", "list"], ["export", "a"]):
        told = shop(*words)
        assert not {"\x1b", "\u202e"} & set(told.out), words
    assert len(table(shop("list", "--label", "note"))[1][6]) <= 60, "a row stays a row"
    assert shop("--json", "show", "a").json["labels"]["note"] == evil
    for width in (40, 80):
        for words in (["show", "a"], ["list", "--wide"], ["list", "--label", "note"]):
            lines = screen(shop, monkeypatch, width, *words)
            assert max(map(len, lines)) <= width, (words, lines)
            assert any("word" in line or "note" in line for line in lines)


@pytest.mark.parametrize(
    ("line", "names"),
    [
        (["list", "--state", ""], ["asking", "rejected"]),
        (["list", "--workflow", "order", "--state", ""], ["asking"]),
        (["list", "--user", "a"], ["ana"]),
        (["list", "--label", ""], ["case", "customer"]),
        (["list", "--label", "case="], ["case=A-17", "case=B=2"]),
        (["list", "--label", "case=B"], ["case=B=2"]),
        (["list", "--to", ""], ["ana", "anybody", "ben", "me"]),
        (["list", "--to", "b"], ["ben"]),
        (["--store", "nonsense", "list", "--state", ""], []),
        (["--store", "sqlite:///none.db", "list", "--to", ""], ["anybody", "me"]),
    ],
)
def test_a_shell_is_offered_what_agents_have(shop: Shop, line: list[str], names: list[str]) -> None:
    shop.write("asking.yaml", TO_ANA.replace("workflow: order", "workflow: asking"))
    order(shop, "a", "--label", "case=A-17", "--label", "customer=Ana Lima", "--user", "ana")
    order(shop, "c", "--label", "case=B=2", file="asking.yaml")
    order(shop, "d", file="asking.yaml")
    shop("--by", "ana", "answer", "d", "--event", "reject", "no")
    assert offered(shop, *line) == names


def redacted(shop: Shop, *fields: str) -> Any:
    options = [word for field in fields for word in ("--redact", field)]
    exported = shop("export", "a", *options)
    assert exported.code == 0, exported.err
    return exported


def test_an_export_has_the_labels_and_hides_those_that_are_redacted(office: Shop) -> None:
    assert office("export", "a").json["labels"] == {"case": "A-17", "customer": "Ana Lima"}
    assert redacted(office, "customer").json["labels"] == {"case": "A-17", "customer": "(redacted)"}
    assert redacted(office, "labels.case").json["labels"] == {"case": "(redacted)", "customer": "Ana Lima"}
    assert redacted(office, "labels").json["labels"] == "(redacted)"
    assert "labels" not in facts_of_page(office)
    unknown = office("export", "a", "--redact", "labels.cse")
    assert (unknown.code, "did you mean `labels.case`?" in unknown.err) == (1, True)


def facts_of_page(shop: Shop) -> str:
    """The page of an agent, which shows no labels."""
    return shop("export", "a", "--html").out


def test_what_is_hidden_elsewhere_is_hidden_in_labels_and_the_other_way_round(shop: Shop) -> None:
    payload = '{"item": "Ana Lima"}'
    words = ["--label", "customer=for Ana Lima", "--label", "Ana Lima=1", "--label", "case=A-17"]
    assert shop("run", "workflows/order.yaml", "--id", "a", "--payload", payload, *words).code == 0
    assert shop("answer", "a", "--event", "reject", "not in A-17").code == 3
    labels = redacted(shop, "item").json["labels"]
    assert labels == {"customer": "for (redacted)", "(redacted)": "1", "case": "A-17"}
    told = redacted(shop, "labels")
    assert "A-17" not in told.out
    assert "not in (redacted)" in told.out


def test_a_sealed_store_finds_labels_without_its_key(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FSM_AGENT_KEYS", shop("keygen").out.strip())
    order(shop, "a", "--label", "case=A-17")
    assert shop("--json", "show", "a").json["question"]["prompt"] == "Pack lamp?"
    assert shop("--json", "list", "--label", "case=A-17").json["agents"][0]["question"]["prompt"] == "Pack lamp?"
    monkeypatch.delenv("FSM_AGENT_KEYS")
    [listed] = shop("--json", "list", "--label", "case=A-17").json["agents"]
    assert (listed["id"], listed["labels"]) == ("a", {"case": "A-17"})
    assert b"A-17" in (shop.folder / "fsm-agent.db").read_bytes()


def test_who_is_forgotten_leaves_no_label(office: Shop) -> None:
    assert office("forget", "ana", "--yes").code == 0
    assert ids(office, "--label", "case=A-17") == ["b"]
    assert office("--json", "show", "a").json["labels"] == {}
    assert office("export", "a").json["labels"] == {}
    assert "Lima" not in "".join(office(*words).out for words in (["list", "--wide"], ["show", "a"], ["explain", "a"]))
