"""What a terminal shows is readable and can be copied, however narrow it is: no word breaks in its middle."""

from __future__ import annotations

import os
import re
import shlex
import subprocess

import pexpect
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fsm_agent.cli.views.layout import column_widths, widest_word, wrapped, wrapped_command
from tests.support.shop import ORDER, Shop

MADE = "0199a1b2-c3d4-7e5f-8a6b-0123456789ab"
TEXTS = st.text(st.sampled_from("ab {}'\"\\,"), max_size=40)


@given(text=TEXTS, width=st.integers(1, 20))
def test_wrapped_text_is_the_text_and_breaks_only_between_words(text: str, width: int) -> None:
    lines = wrapped(text, width, len)
    assert " ".join(lines) == text
    assert all(len(line) <= width or " " not in line for line in lines)


@given(words=st.lists(TEXTS, min_size=1, max_size=6), width=st.integers(3, 30))
def test_a_wrapped_command_is_the_command_to_a_shell(words: list[str], width: int) -> None:
    lines = wrapped_command(shlex.join(words), width, len)
    assert shlex.split("".join(f"{line}\n" for line in lines).replace("\\\n", "")) == words


@given(
    columns=st.lists(st.lists(TEXTS, min_size=2, max_size=2), min_size=1, max_size=4),
    width=st.integers(1, 60),
)
def test_columns_are_as_wide_as_their_widest_word_and_fit(columns: list[list[str]], width: int) -> None:
    widths = column_widths(columns, width, len)
    least = [max(widest_word(cell, len) for cell in column) for column in columns]
    room = width - 2 * (len(columns) - 1)
    if widths is None:
        assert sum(least) > room
    else:
        assert sum(widths) <= room
        assert all(now >= needed for now, needed in zip(widths, least, strict=True))


def screen(shop: Shop, monkeypatch: pytest.MonkeyPatch, width: int, *words: str) -> list[str]:
    """The lines that a terminal of that width is sent, without colours."""
    monkeypatch.setenv("TERM", "xterm-256color")
    program, *rest = shop.command(*words)
    environment = {name: value for name, value in os.environ.items() if name not in {"COLUMNS", "LINES"}}
    spawned = pexpect.spawn(
        program,
        rest,
        cwd=str(shop.folder),
        env=environment,  # said outright: readline sets COLUMNS where os.environ does not see it
        encoding="utf-8",
        timeout=30,
        dimensions=(60, width),
    )
    spawned.expect(pexpect.EOF)
    spawned.close()
    return re.sub(r"\x1b\[[0-9;?]*[a-zA-Z]", "", spawned.before or "").replace("\r", "").splitlines()


@pytest.mark.parametrize("width", [40, 80])
@pytest.mark.parametrize("line", [["list"], ["--wide", "list"], ["show", MADE], ["history", MADE], ["size"]])
def test_every_line_fits_and_every_word_is_whole(
    shop: Shop, monkeypatch: pytest.MonkeyPatch, line: list[str], width: int
) -> None:
    shop("run", "workflows/order.yaml", "--id", MADE, "--payload", '{"item": "lamp"}')
    lines = screen(shop, monkeypatch, width, *line)
    told = " ".join(lines).split()
    assert max(map(len, lines)) <= width
    assert (MADE if line[-1] == MADE or "--wide" in line else MADE[-8:]) in told or line[0] == "history"
    assert {"history": "created", "size": "total"}.get(line[0], "waiting") in told


def test_a_table_of_many_columns_stands_row_by_row_where_it_is_narrow(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    shop("run", "workflows/order.yaml", "--id", MADE, "--payload", '{"item": "lamp"}')
    narrow = [line.split() for line in screen(shop, monkeypatch, 40, "list") if line.strip()]
    assert narrow[:2] == [["id", "456789ab"], ["workflow", "order", "v1"]]


def test_a_command_under_next_can_be_copied_into_a_shell(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    shop("run", "workflows/order.yaml", "--id", MADE, "--payload", '{"item": "lamp"}')
    text = "\n".join(screen(shop, monkeypatch, 50, "show", MADE))
    copied = re.search(r"fsm-agent answer .*\\\n(.*\\\n)*.*reject.*", text)
    assert copied is not None, text
    read = subprocess.run(["sh", "-c", f"printf '%s\\n' {copied[0]}"], capture_output=True, text=True, check=True)
    assert read.stdout.splitlines()[:7] == ["fsm-agent", "answer", MADE, "--question", "2", "--event", "reject"]


def test_the_line_of_a_mistake_fits_and_a_mark_says_where_it_was_cut(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    event = "ordered: {item: {type: string, minLength: 1}}"
    fields = ", ".join(f"field_{number}: {'strin' if number == 8 else 'string'}" for number in range(16))
    shop.write("workflows/order.yaml", ORDER.replace(event, f"ordered: {{item: string, {fields}}}"))
    lines = screen(shop, monkeypatch, 80, "check", "workflows/order.yaml")
    [at] = [number for number, line in enumerate(lines) if "'strin' is not a type" in line]
    shown, caret = lines[at + 1 : at + 3]
    assert (shown[4], shown[-1], len(shown)) == ("…", "…", 80)
    assert shown[caret.index("^") :].startswith("strin,")


def test_a_time_is_broken_between_its_parts_and_not_within_them(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    for agent_id in (MADE, "a-long-name-of-an-agent"):
        shop("run", "workflows/order.yaml", "--id", agent_id, "--payload", '{"item": "lamp"}')
    lines = screen(shop, monkeypatch, 80, "list", "--waiting")
    times = [line.strip() for line in lines if re.search(r"\bin \d", line)]
    assert len(times) == 2
    assert set(times) <= {"in 3 d", "in 2 d 23 h"}
    assert "\N{NO-BREAK SPACE}" not in "".join(lines) + shop("list", "--waiting").out
