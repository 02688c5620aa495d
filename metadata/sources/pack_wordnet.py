"""Makes the names of WordNet that headtail ships, from Princeton's database.

`python -m metadata.sources.pack_wordnet /usr/share/wordnet` writes `wordnet-3.0-synsets.tsv.gz` and the licence beside
this module; Debian's package wordnet-base has the database in that folder.
"""

import gzip
import sys
from pathlib import Path

from metadata.sources.wordnet import DATABASE_FILES, LICENCE_FILE, SYNSETS, database_lemmas, shipped_wordnet

_LICENCE_LINES = range(1, 30)
"""The numbered lines at the beginning of a database file that hold the licence."""


def synset_lines(folder: Path) -> list[str]:
    """Return a line for each synset of a database, in the order of its files: its lemmas, with tabs between them.

    Before them, each after `# `, stands the licence of WordNet, which wants to stay with every copy.
    """
    lines = [f"# {line}".rstrip() for line in licence_lines(folder)]
    for name in DATABASE_FILES:
        with open(folder / name, encoding="utf-8") as file:
            lines += ["\t".join(words) for line in file if (words := database_lemmas(line))]
    return lines


def licence_lines(folder: Path) -> list[str]:
    """Return the licence that stands at the beginning of each database file, without the numbers of its lines."""
    with open(folder / DATABASE_FILES[0], encoding="utf-8") as file:
        head = [next(file) for _ in _LICENCE_LINES]
    return [line.strip().partition(" ")[2] for line in head]


def pack(folder: Path, target: Path) -> None:
    """Write the names and the licence to a folder; the same database gives the same bytes with the same zlib."""
    text = "".join(f"{line}\n" for line in synset_lines(folder))
    (target / SYNSETS).write_bytes(gzip.compress(text.encode(), 9, mtime=0))
    (target / LICENCE_FILE).write_text("".join(f"{line}\n" for line in licence_lines(folder)))


if __name__ == "__main__":
    pack(Path(sys.argv[1]), shipped_wordnet().parent)
