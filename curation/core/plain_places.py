"""The places from which files of others are read: kinds of storage, and no chains of fsspec."""

import re

SCHEMES = ("file", "http", "https", "s3", "s3a", "gs", "gcs", "az", "abfs", "abfss", "hdfs")
"""Kinds of storage that sources may lie on; s3a, gcs, abfs and abfss are other names of the same ones."""
_SCHEME = re.compile(r"([a-zA-Z][a-zA-Z0-9+.-]*)://")


def is_plain_place(path: str) -> bool:
    """Whether a path or address lies on one of SCHEMES, or on a disk, and is no chain of fsspec (`a::b`).

    >>> [is_plain_place(path) for path in ("/data/a.tar", "s3://b/a.tar", "ftp://h/a.tar", "zip://a::s3://b/c.zip")]
    [True, True, False, False]
    """
    scheme = _SCHEME.match(path)
    return "::" not in path and (scheme is None or scheme[1].lower() in SCHEMES)
