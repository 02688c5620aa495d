"""Who may read the pages: only somebody who has the address that was printed, from this machine.

The server listens on 127.0.0.1, but every page of the web can send requests there, and every user of the machine. So a
request needs the token of this start, which the first address carries and a cookie keeps, and a Host header that names
this machine, which a page elsewhere cannot send even if its name leads here (DNS rebinding).
"""

import secrets
from collections.abc import Sequence

from flask import Flask, Response, abort, redirect, request
from werkzeug.serving import WSGIRequestHandler
from werkzeug.wrappers import Response as AnyResponse

NAMES = ("127.0.0.1", "localhost")
TOKEN_BYTES = 32
TOKEN = "token"
HEADERS = {
    "Content-Security-Policy": "default-src 'none'; img-src 'self'; style-src 'self'; form-action 'self'; "
    "base-uri 'none'; frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cache-Control": "private, no-store",
}


def new_token() -> str:
    """Return a token for one start."""
    return secrets.token_urlsafe(TOKEN_BYTES)


def guard(app: Flask, token: str, port: int) -> None:
    """Let a Flask application answer only requests with the token, for one of NAMES and this port."""
    hosts: Sequence[str] = [f"{name}:{port}" for name in NAMES]
    cookie = f"headtail-{port}"  # cookies of all ports of a host are sent to each of them

    @app.before_request
    def check() -> AnyResponse | None:
        if request.host not in hosts:
            abort(400, f"expected the address that headtail explore printed, on {' or '.join(hosts)}")
        if request.method not in ("GET", "HEAD"):
            abort(405)
        if request.path == "/favicon.ico":  # what a browser asks for beside the page that tells of a missing token
            return Response(status=204)
        given = request.args.get(TOKEN, "")
        if given and secrets.compare_digest(given.encode(), token.encode()):
            answer = redirect(request.path)
            answer.set_cookie(cookie, token, httponly=True, samesite="Strict")
            return answer
        if not secrets.compare_digest(request.cookies.get(cookie, "").encode(), token.encode()):
            abort(403, "open the address that headtail explore printed: it has the token of this start")
        return None

    @app.after_request
    def protect(answer: Response) -> Response:
        for name, value in HEADERS.items():
            answer.headers[name] = value
        return answer


class QuietHandler(WSGIRequestHandler):
    """Answers requests without a line for each in the terminal: the first one would hold the token."""

    def log_request(self, *_: object) -> None:
        """Say nothing; errors are still told."""
