"""Faults of access to object stores as lines: a package that is missing, credentials that are missing or wrong.

The clients of stores raise errors of their own types, which are known by name here: the clients are optional.
"""

from collections.abc import Mapping

S3 = "pip install 's3fs>=2026.9'"
CLIENTS: Mapping[str, str] = {"s3": S3, "s3a": S3}
"""Scheme -> how to install the client of its store, where that is an extra of ours; docs/install.md has the others."""
NO_CREDENTIALS = frozenset(
    ("NoCredentialsError", "PartialCredentialsError", "CredentialRetrievalError", "TokenRetrievalError")
)
PUBLIC_CRAWLS = "s3://commoncrawl"
HTTPS_CRAWLS = "https://data.commoncrawl.org"
RENEW = (
    "renew them and start again: the run goes on where it stopped. Those of a role, of AWS_PROFILE or of a file "
    "(AWS_SHARED_CREDENTIALS_FILE) may be renewed while a run is at work, those of environment variables not"
)
LATER = "start again when the store answers: the run goes on where it stopped"


class StoreError(OSError):
    """A request to an object store that was given up, because no try was answered; the message has the path."""


class ExpiredError(OSError):
    """A request to an object store whose credentials have expired while no newer ones were found."""


def unknown_store(path: str, error: Exception) -> str:
    """Return the line for a path whose store has no client here.

    >>> unknown_store("s3://bucket/a", ImportError("Install s3fs to access S3"))
    "s3://bucket/a: s3:// needs a package that is not installed (Install s3fs to access S3): pip install 's3fs>=2026.9'"
    >>> unknown_store("htp://a/b", ValueError("Protocol not known: htp"))
    'htp://a/b: Protocol not known: htp'
    """
    scheme = path.partition("://")[0]
    if not isinstance(error, ImportError):
        return f"{path}: {error}"
    cure = CLIENTS.get(scheme, "install it into the environment of headtail")
    return f"{path}: {scheme}:// needs a package that is not installed ({error}): {cure}{_instead(path)}"


def store_line(error: BaseException, path: str = "") -> str | None:
    """Return the line for a store that does not answer, or for credentials that are missing or have expired, else None.

    Then no file is at fault: its client has tried for minutes, and the run goes on later.
    """
    found: BaseException | None = error
    while found is not None:
        if isinstance(found, StoreError):
            return f"{found}: {LATER}"
        if type(found).__name__ in NO_CREDENTIALS:
            name = f"{path}: " if path else ""
            return (
                f"{name}the store asks for credentials, and none were found ({found}): set AWS_PROFILE, or "
                f"AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY{_instead(path)}"
            )
        if isinstance(found, ExpiredError):
            return f"{found}: {RENEW}"
        found = found.__cause__ or found.__context__
    return None


def _instead(path: str) -> str:
    """Return where else a path of CommonCrawl's bucket lies: anyone can read it over https, but not over s3."""
    inside = path.removeprefix(PUBLIC_CRAWLS)
    return f"; without an account, read {HTTPS_CRAWLS}{inside}" if path != inside and inside[:1] in ("", "/") else ""
