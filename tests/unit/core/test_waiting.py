"""What waits says what it waits for; without network nothing waits at the start."""

import pytest

from curation.core import remote
from curation.core.remote import STARTING, PassingError, RemoteError, RetryPolicy, UnreachableError

POLICY = RetryPolicy(tries=4, first_pause_seconds=2.0, max_pause_seconds=60.0)


@pytest.fixture(autouse=True)
def never_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(remote, "_said_at", -remote.QUIET_SECONDS)


class Failing:
    """An action that fails with each of the given errors in turn; the last one again and again."""

    def __init__(self, *errors: Exception) -> None:
        self.errors, self.calls = errors, 0

    def __call__(self) -> None:
        self.calls += 1
        raise self.errors[min(self.calls, len(self.errors)) - 1]


def test_a_pause_says_what_it_waits_for_and_why(capsys: pytest.CaptureFixture) -> None:
    with pytest.raises(RemoteError, match="given up after 4 tries: 503 busy"):
        POLICY.run("https://a/b", Failing(PassingError("503 busy")), wait=lambda _: None)
    (line,) = capsys.readouterr().err.splitlines()  # one in ten seconds
    assert line.split(maxsplit=1) == ["remote", "waits 2 s for https://a/b: 503 busy (try 1 of 4)"]


def test_short_pauses_are_not_worth_a_line(capsys: pytest.CaptureFixture) -> None:
    policy = RetryPolicy(tries=2, first_pause_seconds=0.5, max_pause_seconds=60.0)
    with pytest.raises(RemoteError):
        policy.run("https://a/b", Failing(PassingError("503")), wait=lambda _: None)
    assert capsys.readouterr().err == ""


def test_the_start_ends_early_where_no_server_is_reached() -> None:
    action, pauses = Failing(UnreachableError("no name")), []
    with pytest.raises(RemoteError, match=r"^https://a/b: no name: is this machine offline\?$"):
        STARTING.run("https://a/b", action, wait=pauses.append)
    assert action.calls == remote.OFFLINE_TRIES
    assert sum(pauses) < 10


@pytest.mark.parametrize(
    ("policy", "errors"),
    [
        pytest.param(POLICY, [UnreachableError("no name")], id="work that has begun"),
        pytest.param(STARTING, [PassingError("503"), UnreachableError("no name")], id="a server that was reached"),
    ],
)
def test_else_a_network_may_come_back(policy: RetryPolicy, errors: list[Exception]) -> None:
    action = Failing(*errors)
    with pytest.raises(RemoteError, match="given up"):
        policy.run("https://a/b", action, wait=lambda _: None)
    assert action.calls == policy.tries
