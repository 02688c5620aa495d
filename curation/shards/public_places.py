"""Places of files as the manifest of a set names them: without folders of the machine, since it lies beside the shards.

A file keeps its name, a part its table and number. The id of the set and the hash of its settings are of whole paths.
"""

from collections.abc import Mapping
from typing import Any

from curation.core.credentials import cut_path
from curation.core.recipes import flatten

_LOCAL = "file://"


def without_folders(value: Any) -> Any:
    """Return plain JSON values in which local files are named without their folders; addresses of stores stay.

    >>> without_folders([{"path": "/home/me/run/lists/part-00000", "id": "1f"}, {"path": "b/c.parquet", "size": 1}])
    [{'path': 'lists/part-00000', 'id': '1f'}, {'path': 'c.parquet', 'size': 1}]
    >>> without_folders({"hosts": ["/home/me/ads.txt", "example.org", "s3://bucket/ads.txt"]})
    {'hosts': ['ads.txt', 'example.org', 's3://bucket/ads.txt']}
    """
    if isinstance(value, str):
        return _named(value) if value.startswith(("/", _LOCAL)) else value
    if isinstance(value, Mapping):
        shown = {key: without_folders(one) for key, one in value.items()}
        if isinstance(path := value.get("path"), str):
            shown["path"] = _named(path, 2 if "id" in value else 1)
        return shown
    return [without_folders(one) for one in value] if isinstance(value, list | tuple) else value


def with_places_of(now: Mapping[str, Any], before: Mapping[str, Any]) -> dict[str, Any]:
    """Return the settings `before` by dotted key, in which files of a name that `now` has, too, lie where they lie now.

    >>> with_places_of({"a": {"b": "/x/c"}, "d": "/e"}, {"a": {"b": "c"}, "d": "f"})
    {'a.b': '/x/c', 'd': 'f'}
    >>> with_places_of({"a": [{"path": "/x/c", "size": 2}]}, {"a": [{"path": "c", "size": 1}]})
    {'a': [{'path': '/x/c', 'size': 1}]}
    """
    new = flatten(dict(now))
    return {key: _placed(old, new.get(key)) for key, old in flatten(dict(before)).items()}


def _placed(old: Any, new: Any) -> Any:
    if without_folders(old) == without_folders(new):
        return new
    if not isinstance(old, list) or not isinstance(new, list):
        return old
    places = {without_folders(each)["path"]: each["path"] for each in filter(_is_file, new)}
    return [
        {**each, "path": places.get(without_folders(each)["path"], each["path"])} if _is_file(each) else each
        for each in old
    ]


def _is_file(value: Any) -> bool:
    return isinstance(value, Mapping) and isinstance(value.get("path"), str)


def _named(path: str, parts: int = 1) -> str:
    """Return the last parts of a local path; an address of a store without what it hides."""
    if "://" in path and not path.startswith(_LOCAL):
        return cut_path(path)
    return "/".join(path.removeprefix(_LOCAL).rstrip("/").split("/")[-parts:]) or path
