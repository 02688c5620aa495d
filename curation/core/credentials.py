"""Addresses as they may be written down: without userinfo and query, which hold passwords, keys and signatures.

Decisions about rows use whole addresses. Manifests, failures, the column `source_file` and the report hold cut ones.
A hash beside the cut address tells whether two whole ones are the same.
"""

import hashlib
import re
from collections.abc import Mapping
from typing import Any

PATH_HASH = "path_sha256"
"""Key beside `path` in an input of a manifest: the SHA-256 in hex of the whole path, where it was cut."""
FILE_HASH = "file_sha256"
"""The same beside `file` in a failure."""
SECRET_NAME = r"secret|password|passwd|token|credential|[._]sas[._]|(?:access|account|private|api)[._-]?key"
"""What names of settings hold whose values are secrets, in any case."""
_SECRET = re.compile(rf"(?i)((?:{SECRET_NAME})[\w.\-]*[\"']?\s*[=:]\s*)(?:\"[^\"]*\"|'[^']*'|[^\s,}}]+)")
# A scheme begins at the first letter of a word: a search from each letter of a long word takes quadratic time.
_SCHEME = r"(?<![A-Za-z])([A-Za-z][A-Za-z0-9+.\-]*://)"
_USERINFO = r"(?:[^/?#\s]*@)?"
_ONE = re.compile(rf"{_SCHEME}{_USERINFO}([^?#]*)(?:\?[^#]*)?", re.DOTALL)
_WITHIN = re.compile(rf"{_SCHEME}{_USERINFO}([^?#\s'\"<>]*)(?:\?[^#\s'\"<>]*)?")


def cut_path(path: str) -> str:
    """Return a path or address without userinfo and query; a path without `://` stays as it is.

    >>> cut_path("en:https://me:secret@example.org/a.bz2?token=1#0-9"), cut_path("/data/what?.txt")
    ('en:https://example.org/a.bz2#0-9', '/data/what?.txt')
    """
    return _ONE.sub(r"\1\2", path, count=1)


def cut_text(text: str, path: str = "") -> str:
    """Return a text in which `path` and all addresses are without userinfo and query.

    >>> cut_text("GET 'https://me@example.org/a?b=c': 404")
    "GET 'https://example.org/a': 404"
    """
    return _WITHIN.sub(r"\1\2", text.replace(path, cut_path(path)) if path else text)


def without_secrets(text: str) -> str:
    """Return a text without the secrets of its addresses and settings.

    >>> without_secrets("spark.conf.fs.s3a.secret.key=abc output=https://me:pw@h.org/a?sig=1")
    'spark.conf.fs.s3a.secret.key=... output=https://h.org/a'
    >>> without_secrets("{fs.azure.account.key.me.blob.core.windows.net: abc==, my_password: 'a b', x: 1}")
    '{fs.azure.account.key.me.blob.core.windows.net: ..., my_password: ..., x: 1}'
    """
    return _SECRET.sub(r"\1...", cut_text(text))


def cut_values(value: Any) -> Any:
    """Return plain JSON values with all texts cut."""
    if isinstance(value, str):
        return cut_path(value) if re.match(_SCHEME, value) else cut_text(value)
    if isinstance(value, Mapping):
        return {key: cut_values(one) for key, one in value.items()}
    return [cut_values(one) for one in value] if isinstance(value, list | tuple) else value


def cut_input(entry: dict[str, Any], key: str = "path", hash_key: str = PATH_HASH) -> dict[str, Any]:
    """Return an input of a recipe with its path cut, and the hash of the whole path if that differs."""
    whole = entry[key]
    cut = cut_path(whole)
    return entry if cut == whole else {**entry, key: cut, hash_key: _digest(whole)}


def cut_failure(failure: dict[str, Any]) -> dict[str, Any]:
    """Return a failure with its file and its error cut, and the hash of the whole name of the file if that differs."""
    error = cut_text(str(failure["error"]), failure["file"])
    return cut_input({**failure, "error": error}, "file", FILE_HASH)


def place(entry: Mapping[str, Any]) -> str:
    """Return what tells one input from another, whether its path is cut or whole."""
    return entry.get(PATH_HASH) or cut_input(dict(entry)).get(PATH_HASH) or entry["path"]


def failed_place(failure: Mapping[str, Any]) -> str:
    """Return the same of the input file of a failure."""
    return place({"path": failure["file"], **({PATH_HASH: failure[FILE_HASH]} if FILE_HASH in failure else {})})


def _digest(whole: str) -> str:
    return hashlib.sha256(whole.encode("utf-8", "surrogatepass")).hexdigest()
