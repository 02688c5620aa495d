"""What an error of S3's client means: may a further try succeed, must credentials be read anew, or is it an answer?

It needs the extra `s3`, as s3_store.py does, which alone imports it.
"""

import asyncio
from dataclasses import dataclass
from enum import Enum, auto

import aiohttp
from botocore import exceptions as boto
from botocore.parsers import ResponseParserError

UNREACHED = (boto.EndpointConnectionError, boto.ConnectTimeoutError, boto.ProxyConnectionError, boto.SSLError)
"""No server was reached: its name does not resolve, nobody answers at its address, or it has no valid certificate."""
BROKEN = (
    boto.ConnectionError,
    boto.HTTPClientError,
    boto.IncompleteReadError,
    boto.FlexibleChecksumError,
    ResponseParserError,
    aiohttp.ClientError,
    ConnectionError,
    asyncio.TimeoutError,
)
"""The connection ended before the request had arrived, or before its answer had, or nothing came for a while."""
PASSING_STATUS = frozenset((408, 425, 429))
LASTING_STATUS = frozenset((501, 505))
"""The store does not know such requests."""
PASSING_CODES = frozenset(
    (
        "SlowDown",
        "Throttling",
        "ThrottlingException",
        "RequestLimitExceeded",
        "TooManyRequests",
        "InternalError",
        "ServiceUnavailable",
        "OperationAborted",
        "ConditionalRequestConflict",
        "RequestTimeout",
        "BadDigest",
        "IncompleteBody",
        "XAmzContentSHA256Mismatch",
    )
)
EXPIRED_CODES = frozenset(("ExpiredToken", "ExpiredTokenException", "TokenRefreshRequired", "RequestExpired"))
REPLACED_CODES = frozenset(("InvalidAccessKeyId", "InvalidToken"))
"""Keys that were deleted: an answer, unless newer ones are found."""
SILENT_STATUS = frozenset((400, 403))
"""Answers to a HEAD request, which have no body and so no reason, that expired credentials may have caused."""


class Kind(Enum):
    """What to do about a fault."""

    passing = auto()
    unreached = auto()
    expired = auto()
    replaced = auto()


@dataclass(frozen=True)
class Fault:
    """A request that failed: its reason in a word or two, such as `503 SlowDown`, and what else the error says."""

    kind: Kind
    name: str
    details: str = ""

    def __str__(self) -> str:
        return f"{self.name}: {self.details}" if self.details else self.name


def fault_of(error: BaseException) -> Fault | None:
    """Return the fault that an error of a request stands for; None: the server has answered, and that is the answer."""
    answer = answer_of(error)
    if answer is None:
        if not isinstance(error, BROKEN):
            return None
        kind = Kind.unreached if isinstance(error, UNREACHED) else Kind.passing
        return Fault(kind, type(error).__name__, " ".join(str(error).split()))
    status, code = answer
    name = reason(status, code)
    if code in EXPIRED_CODES:
        return Fault(Kind.expired, name)
    if code in REPLACED_CODES:
        return Fault(Kind.replaced, name)
    if code in PASSING_CODES or status in PASSING_STATUS or (status >= 500 and status not in LASTING_STATUS):
        return Fault(Kind.passing, name)
    return None


def reason(status: int, code: str) -> str:
    """Return status and code as words; the code of an answer without a body is its status.

    >>> reason(503, "SlowDown"), reason(403, "403")
    ('503 SlowDown', '403')
    """
    return f"{status}" if code in ("", f"{status}") else f"{status} {code}"


def answer_of(error: BaseException) -> tuple[int, str] | None:
    """Return status and code of an error that a server has sent, None for an error of the connection."""
    for each in (error, error.__cause__):
        if isinstance(each, boto.ClientError):
            status = each.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
            return int(status), str(each.response.get("Error", {}).get("Code", ""))
    return None
