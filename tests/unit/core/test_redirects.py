"""Redirects of sources between servers of this machine, of which one address stands for the public internet."""

import http.server
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any, ClassVar

import pytest

from curation.core import redirects
from curation.core.choices import Edges
from curation.core.input_files import FileInfo
from curation.core.remote import RemoteError, open_http
from curation.core.text_lists import open_list
from curation.matching.entry_store import EntryStore

PUBLIC, PRIVATE = "127.0.0.1", "127.0.0.2"


class Handler(http.server.BaseHTTPRequestHandler):
    """Redirects /to/ADDRESS to that address, /to/target to `target`; answers all else."""

    seen: ClassVar[list[tuple[str, str]]] = []
    target: ClassVar[str] = ""

    def do_GET(self) -> None:
        self.seen.append((self.server.server_address[0], self.path))
        _, _, target = self.path.partition("/to/")
        self.send_response(302 if target else 200)
        if target:
            self.send_header("Location", self.target if target == "target" else target)
        self.send_header("Content-Length", "2")
        self.end_headers()
        self.wfile.write(b"ok")

    def log_message(self, *arguments: Any) -> None:
        pass


@pytest.fixture(scope="module")
def ports() -> Iterator[dict[str, int]]:
    servers = {host: http.server.ThreadingHTTPServer((host, 0), Handler) for host in (PUBLIC, PRIVATE)}
    for server in servers.values():
        threading.Thread(target=server.serve_forever, daemon=True).start()
    yield {host: server.server_address[1] for host, server in servers.items()}
    for server in servers.values():
        server.shutdown()
        server.server_close()


@pytest.fixture(autouse=True)
def _one_address_is_public(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(redirects, "_is_public", lambda address: address == PUBLIC)
    Handler.seen.clear()


@pytest.mark.parametrize("hops", [1, 2])
def test_a_public_server_leads_into_no_private_network(ports: dict[str, int], hops: int) -> None:
    public, private = f"http://{PUBLIC}:{ports[PUBLIC]}", f"http://{PRIVATE}:{ports[PRIVATE]}"
    with pytest.raises(RemoteError, match=f"a redirect leads to {PRIVATE}, which is {PRIVATE}, in a private network"):
        open_http(public + f"/to/{public}" * (hops - 1) + f"/to/{private}/secret")
    assert [host for host, _ in Handler.seen] == [PUBLIC] * hops


def test_lists_are_read_under_the_same_guard(ports: dict[str, int], tmp_path: Path) -> None:
    url = f"http://{PUBLIC}:{ports[PUBLIC]}/to/http://{PRIVATE}:{ports[PRIVATE]}/secret.txt"
    with pytest.raises(RemoteError, match="in a private network"), open_list(url):
        pass
    with pytest.raises(RemoteError, match="in a private network"):
        EntryStore({"en": FileInfo(url, 2, "1")}, Edges.script, str(tmp_path)).list_hash("en")
    assert {host for host, _ in Handler.seen} == {PUBLIC}
    with open_list(f"http://{PUBLIC}:{ports[PUBLIC]}/list.txt") as file:
        assert file.read() == "ok"


def test_the_name_is_looked_up_once(ports: dict[str, int], monkeypatch: pytest.MonkeyPatch) -> None:
    public = f"http://{PUBLIC}:{ports[PUBLIC]}"
    real = redirects.socket.getaddrinfo
    answers = iter((PUBLIC, PRIVATE))

    def look_up(host: str, *arguments: Any, **options: Any) -> Any:
        return real(next(answers) if host == "rebinding.test" else host, *arguments, **options)

    monkeypatch.setattr(redirects.socket, "getaddrinfo", look_up)
    with open_http(f"{public}/to/http://rebinding.test:{ports[PUBLIC]}/a") as answer:
        assert answer.read() == b"ok"
    assert Handler.seen[-1] == (PUBLIC, "/a")


def test_other_redirects_are_followed(ports: dict[str, int]) -> None:
    public, private = f"http://{PUBLIC}:{ports[PUBLIC]}", f"http://{PRIVATE}:{ports[PRIVATE]}"
    for url in (f"{public}/to/{public}/a", f"{private}/to/{private}/a", f"{private}/to/{public}/a"):
        with open_http(url) as answer:
            assert answer.read() == b"ok"


def test_a_location_is_read_as_browsers_read_it(ports: dict[str, int], monkeypatch: pytest.MonkeyPatch) -> None:
    real, asked = redirects.socket.getaddrinfo, []

    def look_up(host: str, *arguments: Any, **options: Any) -> Any:
        asked.append(host)
        return real(PUBLIC, *arguments, **options)

    monkeypatch.setattr(redirects.socket, "getaddrinfo", look_up)
    for location in ("//faß.test:{port}/a", "\\\\FA%C3%9F.test:{port}\\a", "http://faß.test:{port}/a \t"):
        target = location.format(port=ports[PUBLIC]).encode().decode("latin-1")
        monkeypatch.setattr(Handler, "target", target)
        with open_http(f"http://{PUBLIC}:{ports[PUBLIC]}/to/target") as answer:
            assert answer.read() == b"ok"
        assert Handler.seen[-1] == (PUBLIC, "/a")
        assert "xn--fa-hia.test" in asked
        asked.clear()


def test_behind_a_proxy_the_name_is_checked(ports: dict[str, int]) -> None:
    request = redirects.urllib.request.Request(f"http://{PRIVATE}/secret")
    request.set_proxy(f"{PUBLIC}:{ports[PUBLIC]}", "http")
    vars(request)["guarded"] = True
    with pytest.raises(redirects.PrivateRedirectError, match=f"leads to {PRIVATE}"):
        redirects._connect(request, (PUBLIC, ports[PUBLIC]))
    vars(request)["guarded"] = False
    redirects._connect(request, (PUBLIC, ports[PUBLIC])).close()
    assert vars(request)["public"] is False
