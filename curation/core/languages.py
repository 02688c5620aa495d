"""The Wikipedia languages: the one table of codes, names, scripts, merges and detector labels.

A language is called by its Wikipedia code with underscores (`zh_yue`, `be_tarask`), as in the names of database dumps.
The table is `languages.tsv` beside this module, tab-separated, with empty cells for none. Its columns:

- code: Wikipedia's code. Beside the papers' 330 codes stand `aa`, a closed wiki whose dumps remain, and `ryu`, an
  incubator that the second paper segments.
- script: ISO 15924 code.
- blanks: `yes` where blanks separate words.
- label: label of the detector lid.176 for texts of this language.
- wordnet: code of Open Multilingual Wordnet, whose `als` is Albanian, not Alemannic.
- merges: language in whose list the entries go. It is the same written language under another norm (`be_tarask`,
  `simple`, `nds_nl`), or one that the detector cannot tell apart (`zh_classical`, `zh_yue`: the papers' choice).
  `zh_min_nan` does not merge: its Wikipedia is in Latin letters.
- name: English name.
"""

import csv
from dataclasses import dataclass
from functools import cache
from importlib.resources import files

OTHER = "other"
"""The list that holds the entries of every language without a detector label."""

# Old codes and ISO 639 codes of wikis that are called otherwise.
_ALIASES = {
    "be_x_old": "be_tarask",
    "bho": "bh",
    "cmn": "zh",
    "egl": "eml",
    "gsw": "als",
    "lzh": "zh_classical",
    "nan": "zh_min_nan",
    "nb": "no",
    "rup": "roa_rup",
    "sgs": "bat_smg",
    "vro": "fiu_vro",
    "yue": "zh_yue",
}


@dataclass(frozen=True)
class Language:
    """One Wikipedia language.

    `label`, `wordnet` and `merges` are None where the table has none.
    """

    code: str
    name: str
    script: str
    blanks: bool
    label: str | None
    wordnet: str | None
    merges: str | None

    @property
    def list_code(self) -> str:
        """Code of the list for texts of this language: its own, that of the language it merges into, or `other`."""
        if self.merges:
            return self.merges
        return self.code if self.label else OTHER


def _read_table() -> dict[str, Language]:
    lines = files("curation.core").joinpath("languages.tsv").read_text("utf-8").splitlines()
    rows = csv.DictReader(lines, delimiter="\t", quoting=csv.QUOTE_NONE)
    return {
        row["code"]: Language(
            code=row["code"],
            name=row["name"],
            script=row["script"],
            blanks=row["blanks"] == "yes",
            label=row["label"] or None,
            wordnet=row["wordnet"] or None,
            merges=row["merges"] or None,
        )
        for row in rows
    }


LANGUAGES: dict[str, Language] = _read_table()
"""All languages by code, in the order of codes."""

_BY_LABEL = {language.label: language.list_code for language in LANGUAGES.values() if language.label}


def language_of(name: str) -> Language | None:
    """Return the language of a wiki's name (a code, an old code, the first part of a domain), None if there is none.

    >>> language_of("be-x-old").code
    'be_tarask'
    """
    code = name.strip().lower().replace("-", "_")
    return LANGUAGES.get(_ALIASES.get(code, code))


@cache
def code_of_label(label: str) -> str:
    """Return the code of the list that texts with a detector label are matched against; `other` for other labels.

    >>> [code_of_label(label) for label in ("de", "__label__yue", "lrc")]
    ['de', 'zh', 'other']
    """
    return _BY_LABEL.get(label.removeprefix("__label__"), OTHER)
