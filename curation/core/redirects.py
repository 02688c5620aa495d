"""Redirects of sources: a server of the public internet does not lead a reader into a private network.

A source that lies in a private network itself, such as a mirror of one's own, may redirect within it.
"""

import http.client
import ipaddress
import socket
import urllib.request
from collections.abc import Iterator
from email.message import Message
from functools import partial
from typing import Any
from urllib.parse import urlsplit

from curation.core.addresses import is_public
from curation.core.backslashes import with_slashes
from curation.core.host_names import with_ascii_host


class PrivateRedirectError(OSError):
    """A redirect of a public server names a host in a private network."""


class PublicRedirects(urllib.request.HTTPRedirectHandler):
    """Follows redirects, and marks the requests that follow an answer of a public server."""

    def redirect_request(
        self, req: urllib.request.Request, fp: Any, code: int, msg: str, headers: Message, newurl: str
    ) -> urllib.request.Request | None:
        """Return the request of a redirect; it may lead to public addresses only, once a server was public."""
        newurl = with_ascii_host(newurl)
        request = super().redirect_request(req, fp, code, msg, headers, newurl)  # type: ignore[arg-type]  # typeshed wants an HTTPMessage
        if request is not None:
            vars(request)["guarded"] = vars(req).get("guarded", False) or vars(req).get("public", False)
        return request

    def http_error_302(self, req: urllib.request.Request, fp: Any, code: int, msg: str, headers: Any) -> Any:
        """Follow a redirect to the address that browsers read: without blanks around it, backslashes as slashes."""
        if location := headers["Location"]:
            headers.replace_header("Location", with_slashes(location.strip()))
        return super().http_error_302(req, fp, code, msg, headers)

    http_error_301 = http_error_303 = http_error_307 = http_error_308 = http_error_302


class HttpHandler(urllib.request.HTTPHandler):
    """Opens http URLs through `_connect`."""

    def http_open(self, req: urllib.request.Request) -> http.client.HTTPResponse:
        """Send the request."""
        return self.do_open(partial(_Connection, request=req), req)


class HttpsHandler(urllib.request.HTTPSHandler):
    """Opens https URLs through `_connect`."""

    def https_open(self, req: urllib.request.Request) -> http.client.HTTPResponse:
        """Send the request."""
        return self.do_open(partial(_TlsConnection, request=req), req)


class _Connection(http.client.HTTPConnection):
    def __init__(self, host: str, *, request: urllib.request.Request, **options: Any) -> None:
        super().__init__(host, **options)
        self._create_connection = partial(_connect, request)


class _TlsConnection(http.client.HTTPSConnection):
    def __init__(self, host: str, *, request: urllib.request.Request, **options: Any) -> None:
        super().__init__(host, **options)
        self._create_connection = partial(_connect, request)


def _connect(request: urllib.request.Request, address: tuple[str, int], *options: Any) -> socket.socket:
    """Connect to the host of a request, or to the proxy, and note in the request whether the host is public.

    A guarded request connects to the address that was checked: the name is not looked up again. A proxy looks names up
    itself, so behind one the check is that of the names that this machine can look up.
    """
    host = urlsplit(request.full_url).hostname or ""
    proxied = request.has_proxy() or vars(request).get("_tunnel_host")
    guarded = vars(request).get("guarded", False)
    if proxied:
        found = list(_addresses(host))
        if guarded and not all(map(_is_public, found)):
            raise PrivateRedirectError(f"a redirect leads to {host}, which is in a private network")
        vars(request)["public"] = all(map(_is_public, found))
        return socket.create_connection(address, *options)
    if not guarded:
        connection = socket.create_connection(address, *options)
        vars(request)["public"] = _is_public(connection.getpeername()[0])
        return connection
    found = [str(each[4][0]) for each in socket.getaddrinfo(*address, type=socket.SOCK_STREAM)]
    permitted = [each for each in found if _is_public(each)]
    if not permitted:
        raise PrivateRedirectError(f"a redirect leads to {host}, which is {found[0]}, in a private network")
    failure = OSError("no address")
    for each in permitted:
        try:
            return socket.create_connection((each, address[1]), *options)
        except OSError as error:
            failure = error
    raise failure


def _addresses(host: str) -> Iterator[str]:
    try:
        for each in socket.getaddrinfo(host, None, type=socket.SOCK_STREAM):
            yield str(each[4][0])
    except (OSError, UnicodeError):
        return


def _is_public(address: str) -> bool:
    return is_public(ipaddress.ip_address(address.partition("%")[0]))
