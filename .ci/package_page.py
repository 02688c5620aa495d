"""README on a package index: links to files of the repository become addresses, for the index has no such files."""

import re
from pathlib import Path
from typing import Any

from hatchling.metadata.plugin.interface import MetadataHookInterface

CODE = re.compile(r"(```.*?```|`[^`\n]*`)", re.DOTALL)
LINK = re.compile(r"(\]\(|\b(?:src|href)=\")(?!\w+:|#|/)([^)\s\"]+)")
IMAGE = (".png", ".svg", ".gif", ".jpg", ".webp")


class PackagePage(MetadataHookInterface):
    """Called by hatchling whenever it makes the metadata of headtail (pyproject.toml)."""

    def update(self, metadata: dict[str, Any]) -> None:
        """Add README with its links as addresses below the project's `Source`."""
        text = Path(self.root, "README.md").read_text("utf-8")
        metadata["readme"] = {"content-type": "text/markdown", "text": absolute(text, metadata["urls"]["Source"])}


def absolute(text: str, source: str) -> str:
    """Return markdown with the links outside of code made absolute."""

    def address(link: re.Match[str]) -> str:
        return f"{link[1]}{source}/{'raw' if link[2].lower().endswith(IMAGE) else 'blob'}/main/{link[2]}"

    return "".join(piece if piece.startswith("`") else LINK.sub(address, piece) for piece in CODE.split(text))
