"""The file of tokens: real files, real processes, one of which is killed."""

from __future__ import annotations

import fcntl
import logging
import os
import shlex
import signal
import stat
import subprocess
import sys
from contextlib import ExitStack
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from fsm_agent.domain.state import Duration
from fsm_agent.errors import SettingsInvalid, TokenExists, TokenNotFound
from fsm_agent.server.token_file import TokenFile
from fsm_agent.server.tokens import Scope, new_token

NOW = datetime(2026, 11, 30, 12, tzinfo=UTC)
#: a program that adds a token, and stops to say so where the file is about to be locked and to be replaced
ADDING = """
import os, signal, sys
from datetime import UTC, datetime
from pathlib import Path
from fsm_agent.server.token_file import TokenFile
from fsm_agent.server.tokens import new_token

path, name, mode = sys.argv[1:]

def watch(event, arguments):
    if event == "fcntl.flock":
        print("locking", flush=True)
    if event == "os.rename" and arguments[1] == path:
        print("renaming", flush=True)
        if mode == "killed":
            os.kill(os.getpid(), signal.SIGKILL)
        if mode == "waits":
            sys.stdin.readline()

made = new_token(name, scopes=["read"], now=datetime.now(UTC))
sys.addaudithook(watch)
TokenFile(Path(path)).add(made.token)
"""
#: a program that cannot write more than a few bytes into a file
WITHOUT_ROOM = """
import resource, sys
from datetime import UTC, datetime
from pathlib import Path
from fsm_agent.server.token_file import TokenFile
from fsm_agent.server.tokens import new_token

resource.setrlimit(resource.RLIMIT_FSIZE, (100, resource.RLIM_INFINITY))
TokenFile(Path(sys.argv[1])).add(new_token("late", scopes=["read"], now=datetime.now(UTC)).token)
"""
#: a server that has no file descriptor left when a token is revoked, and has some again later
WITHOUT_DESCRIPTORS = """
import resource, sys
from datetime import UTC, datetime
from pathlib import Path
from fsm_agent.server.token_file import TokenFile

path, secret = sys.argv[1:]
tokens, now = TokenFile(Path(path)), datetime(2026, 11, 30, 12, tzinfo=UTC)
print(tokens.find(secret, now).name)
TokenFile(Path(path)).revoke("ana")
soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
resource.setrlimit(resource.RLIMIT_NOFILE, (3, hard))
print(tokens.find(secret, now).name)
resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
print(tokens.find(secret, now))
"""


@pytest.fixture
def tokens(tmp_path: Path) -> TokenFile:
    return TokenFile(tmp_path / "tokens.json")


def add(tokens: TokenFile, name: str = "ana", expires: str | None = None) -> str:
    """Add a token, and return its secret."""
    lifetime = Duration.parse(expires) if expires else None
    made = new_token(name, scopes=["read", "answer"], lifetime=lifetime, now=NOW)
    tokens.add(made.token)
    return made.secret


def names(tokens: TokenFile) -> list[str]:
    return [each.name for each in tokens.all()]


def adding(tokens: TokenFile, name: str, mode: str = "") -> subprocess.Popen[str]:
    line = [sys.executable, "-c", ADDING, str(tokens.path), name, mode]
    return subprocess.Popen(line, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)


def line_of(process: subprocess.Popen[str]) -> str:
    assert process.stdout is not None
    return process.stdout.readline().strip()


def is_locked(tokens: TokenFile) -> bool:
    """Whether nobody else may be at the file, not even to share it."""
    with tokens.path.with_name(".tokens.json.lock").open("rb") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
    return False


def files(tokens: TokenFile) -> set[str]:
    return {each.name for each in tokens.path.parent.iterdir()}


# --- what the file keeps


def test_without_a_file_there_are_no_tokens_and_looking_makes_none(tokens: TokenFile) -> None:
    assert (tokens.all(), tokens.find("fsm_x", NOW), files(tokens)) == ((), None, set())


def test_a_token_is_found_by_its_secret_alone(tokens: TokenFile) -> None:
    secrets = {name: add(tokens, name) for name in ("ana", "bob")}
    for name, secret in secrets.items():
        found = TokenFile(tokens.path).find(secret, NOW)
        assert found is not None
        assert (found.name, found.scopes) == (name, {Scope.READ, Scope.ANSWER})
        assert tokens.find(found.digest, NOW) is None
        assert tokens.find(secret[:-1], NOW) is None
    assert tokens.find("", NOW) is None
    assert tokens.find("half of a pair: \ud800", NOW) is None


def test_an_expired_token_is_not_found_and_can_be_told_from_an_unknown_one(tokens: TokenFile) -> None:
    secret = add(tokens, expires="90d")
    end = NOW + timedelta(days=90)
    assert tokens.find(secret, end - timedelta(milliseconds=1)) is not None
    assert tokens.find(secret, end) is None
    known = tokens.find_any(secret)
    assert known is not None
    assert known.is_expired(end)
    assert tokens.find_any(f"{secret}x") is None


def test_a_name_is_taken_until_its_token_is_revoked(tokens: TokenFile) -> None:
    secret = add(tokens)
    with pytest.raises(TokenExists):
        add(tokens)
    assert tokens.find(secret, NOW) is not None
    assert tokens.revoke("ana").name == "ana"
    assert tokens.find(secret, NOW) is None
    add(tokens)
    with pytest.raises(TokenNotFound, match=r"there is no token 'anna' \(did you mean `ana`\?\)"):
        tokens.revoke("anna")
    assert names(tokens) == ["ana"]


# --- who may read it


def test_whatever_the_umask_only_the_owner_may_read_what_is_written(tokens: TokenFile) -> None:
    before = os.umask(0)
    try:
        add(tokens)
        add(tokens, "bob")
    finally:
        os.umask(before)
    modes = {each.name: stat.S_IMODE(each.stat().st_mode) for each in tokens.path.parent.iterdir()}
    assert modes == {"tokens.json": 0o600, ".tokens.json.lock": 0o600}


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o620, 0o602, 0o777])
def test_a_file_that_others_may_read_or_write_is_refused_until_it_is_closed_as_the_error_says(
    tmp_path: Path, mode: int
) -> None:
    tokens = TokenFile(tmp_path / "my tokens.json")
    secret = add(tokens)
    tokens.path.chmod(mode)
    for use in (tokens.all, lambda: add(tokens, "bob"), lambda: TokenFile(tokens.path).find(secret, NOW)):
        with pytest.raises(SettingsInvalid, match=rf"is not only its owner's \(its mode is {mode:03o}\)") as refused:
            use()
    command = str(refused.value).split("`")[1]
    assert command == f"chmod 600 {shlex.quote(str(tokens.path))}"
    subprocess.run(shlex.split(command), check=True)
    assert names(tokens) == ["ana"]


# --- when it is read again


def test_what_another_process_changes_counts_from_the_next_look_on(tokens: TokenFile) -> None:
    server = TokenFile(tokens.path)
    assert server.find("fsm_x", NOW) is None
    secret = add(tokens)
    assert server.find(secret, NOW) is not None
    with adding(tokens, "bob") as other:
        assert other.wait(60) == 0
    assert server.find(secret, NOW) is not None
    tokens.revoke("ana")
    assert server.find(secret, NOW) is None


def test_what_an_editor_changes_in_place_counts(tokens: TokenFile) -> None:
    server, secret = TokenFile(tokens.path), add(tokens)
    assert server.find(secret, NOW) is not None
    text = tokens.path.read_text(encoding="utf-8")
    tokens.path.write_text(text.replace('"ana"', '"anastasia"'), encoding="utf-8")
    found = server.find(secret, NOW)
    assert found is not None
    assert found.name == "anastasia"


def test_an_unchanged_file_is_not_read_again(tokens: TokenFile) -> None:
    secret = add(tokens)
    seen = tokens.path.stat()
    server = TokenFile(tokens.path)
    assert server.find(secret, NOW) is not None
    text = tokens.path.read_text(encoding="utf-8")
    tokens.path.write_text(text.replace('"ana"', '"eve"'), encoding="utf-8")
    os.utime(tokens.path, ns=(seen.st_atime_ns, seen.st_mtime_ns))
    found = server.find(secret, NOW)
    assert found is not None
    assert found.name == "ana"


def test_a_deleted_file_revokes_every_token(tokens: TokenFile) -> None:
    server, secret = TokenFile(tokens.path), add(tokens)
    assert server.find(secret, NOW) is not None
    tokens.path.unlink()
    assert server.find(secret, NOW) is None


def test_after_a_mistake_the_tokens_of_before_stay_valid_and_that_is_logged_once(
    tokens: TokenFile, caplog: pytest.LogCaptureFixture
) -> None:
    server, secret = TokenFile(tokens.path), add(tokens)
    assert server.find(secret, NOW) is not None
    good = tokens.path.read_bytes()
    tokens.path.write_bytes(good[:-10])
    assert [server.find(secret, NOW) is not None for _ in range(3)] == [True] * 3
    tokens.path.chmod(0o644)
    assert [server.find(secret, NOW) is not None for _ in range(3)] == [True] * 3
    ours = [(each.levelno, each.getMessage()) for each in caplog.records]
    assert [level for level, _ in ours] == [logging.ERROR] * 2
    assert f"the tokens in {tokens.path} cannot be used: it is no JSON document; the tokens that were" in ours[0][1]
    assert f"`chmod 600 {tokens.path}` keeps others out; the tokens that were read before stay valid" in ours[1][1]
    tokens.path.chmod(0o600)
    tokens.path.write_bytes(good)
    tokens.revoke("ana")
    assert server.find(secret, NOW) is None
    assert len(caplog.records) == 2


def test_each_write_has_a_later_time_than_the_one_before_so_that_none_is_missed(tokens: TokenFile) -> None:
    add(tokens)
    future = tokens.path.stat().st_mtime_ns + 10**12
    os.utime(tokens.path, ns=(future, future))
    times = [future]
    for name in ("bob", "eve"):
        add(tokens, name)
        times.append(tokens.path.stat().st_mtime_ns)
    assert times == sorted(set(times))


def test_a_mistake_that_is_there_from_the_beginning_is_an_error(tokens: TokenFile) -> None:
    tokens.path.touch(0o600)
    for use in (tokens.all, lambda: tokens.find("fsm_x", NOW), lambda: add(tokens)):
        with pytest.raises(SettingsInvalid, match="cannot be used: it is no JSON document"):
            use()
    assert tokens.path.read_bytes() == b""


def test_a_file_that_could_not_be_opened_for_a_moment_is_read_as_soon_as_it_can_be(tokens: TokenFile) -> None:
    line = [sys.executable, "-c", WITHOUT_DESCRIPTORS, str(tokens.path), add(tokens)]
    done = subprocess.run(line, capture_output=True, text=True, check=True, timeout=60)
    assert done.stdout.split() == ["ana", "ana", "None"]
    assert "cannot be read: Too many open files; the tokens that were read before stay valid" in done.stderr


# --- how it is written


def test_who_adds_while_another_writes_waits_and_loses_nothing(tokens: TokenFile) -> None:
    with adding(tokens, "first", "waits") as first:
        assert [line_of(first) for _ in range(2)] == ["locking", "renaming"]
        with adding(tokens, "second") as second:
            assert line_of(second) == "locking"
            assert is_locked(tokens)
            assert not tokens.path.exists()
            first.communicate("go on\n", timeout=60)
            assert second.wait(60) == 0
    assert not is_locked(tokens)
    assert names(tokens) == ["first", "second"]


@pytest.mark.long
def test_many_that_add_at_once_lose_nothing(tokens: TokenFile) -> None:
    with ExitStack() as stack:
        processes = [stack.enter_context(adding(tokens, f"t{number}")) for number in range(6)]
        assert [each.wait(120) for each in processes] == [0] * 6
    assert sorted(names(tokens)) == [f"t{number}" for number in range(6)]


def test_who_is_killed_before_the_file_is_replaced_leaves_the_old_one_and_no_lock(tokens: TokenFile) -> None:
    add(tokens)
    before = tokens.path.read_bytes()
    with adding(tokens, "bob", "killed") as killed:
        assert [line_of(killed) for _ in range(2)] == ["locking", "renaming"]
        assert killed.wait(60) == -signal.SIGKILL
    assert tokens.path.read_bytes() == before
    assert ".tokens.json.new" in files(tokens)
    add(tokens, "eve")
    assert names(tokens) == ["ana", "eve"]
    assert files(tokens) == {"tokens.json", ".tokens.json.lock"}


def test_where_there_is_no_room_the_old_file_stays_and_the_error_names_it(tokens: TokenFile) -> None:
    add(tokens)
    line = [sys.executable, "-c", WITHOUT_ROOM, str(tokens.path)]
    done = subprocess.run(line, capture_output=True, text=True, check=False, timeout=60)
    assert f"SettingsInvalid: the tokens in {tokens.path} cannot be written: File too large" in done.stderr
    assert names(tokens) == ["ana"]
    assert files(tokens) == {"tokens.json", ".tokens.json.lock"}


def test_a_link_to_the_file_stays_a_link(tmp_path: Path) -> None:
    (tmp_path / "kept").mkdir()
    link = tmp_path / "tokens.json"
    link.symlink_to(tmp_path / "kept" / "real.json")
    secret = add(TokenFile(link))
    assert link.is_symlink()
    assert TokenFile(tmp_path / "kept" / "real.json").find(secret, NOW) is not None


@pytest.mark.parametrize(
    ("name", "said"),
    [("none/tokens.json", "cannot be written: No such file or directory"), ("", "cannot be read: Is a directory")],
)
def test_a_place_where_no_file_can_be_is_an_error_that_names_it(tmp_path: Path, name: str, said: str) -> None:
    with pytest.raises(SettingsInvalid, match=f"the tokens in {tmp_path / name} {said}"):
        add(TokenFile(tmp_path / name))
