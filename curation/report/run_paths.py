"""Paths as a report shows them: relative to the folder of the run, so that a report names no folder above it."""

import os
import posixpath
import re
from typing import Any

from curation.core.credentials import cut_path, cut_text

Values = dict[str, Any]
_LOCAL = "file://"
_FOLDERS = re.compile(r"(?<![\w:/.~-])(?:file://)?/(?:[^/\s'\",;()\[\]]+/)+")
"""The folders of an absolute local path within a text; a name with blanks is cut at the last of them."""


class RunPaths:
    """Shows paths as seen from the folder of a run."""

    def __init__(self, run: str) -> None:
        whole = run.rstrip("/") if "://" in run else os.path.abspath(run)
        self._folders = (f"{whole}/", f"{run.rstrip('/')}/")

    def shown(self, path: str) -> str:
        """Return a path within the run relative to it, an address without userinfo and query, else the last name.

        >>> [RunPaths("/home/me/run").shown(path) for path in ("/home/me/run/shards", "/data/a.wat", "s3://b/a.wat")]
        ['shards', 'a.wat', 's3://b/a.wat']
        """
        path = path.removeprefix(_LOCAL)
        for folder in self._folders:
            if path.startswith(folder):
                return path.removeprefix(folder)
        return cut_path(path) if "://" in path else posixpath.basename(path.rstrip("/")) or path

    def text(self, text: str, path: str = "") -> str:
        """Return a message in which paths and addresses are shown in the same way; `path` may have blanks in it."""
        if path:
            text = text.replace(path, self.shown(path))
        return _FOLDERS.sub("", cut_text(text.replace(self._folders[0], "")))

    def values(self, value: Any) -> Any:
        """Return plain JSON values, such as settings, with all paths and addresses shown in the same way."""
        if isinstance(value, str):
            return self.shown(value) if value.startswith("/") or "://" in value else value
        if isinstance(value, dict):
            return {key: self.values(one) for key, one in value.items()}
        return [self.values(one) for one in value] if isinstance(value, list | tuple) else value

    def report(self, report: Values) -> Values:
        """Return the values of report.json with the paths in settings, failures, notes and badges shown so."""
        stages = [{**stage, "settings": self.values(stage["settings"])} for stage in report["stages"]]
        rows = [
            {**row, "file": self.shown(row["file"]), "error": self.text(row["error"], row["file"])}
            for row in report["failures"]["rows"]
        ]
        badges = [{**badge, "detail": self.text(badge["detail"])} for badge in report["summary"]["badges"]]
        return {
            **report,
            "notes": [self.text(note) for note in report["notes"]],
            "summary": {**report["summary"], "badges": badges},
            "stages": stages,
            "failures": {**report["failures"], "rows": rows},
        }
