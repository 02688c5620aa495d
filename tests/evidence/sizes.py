"""The sizes of a piece of evidence, as key=value on the command line."""

import re
from dataclasses import dataclass, field, fields
from pathlib import Path

from curation.core.errors import HeadtailError
from tests.evidence.material import Material

FIXED_T = re.compile(r"t(\d+(\.\d+)?)")
LARGE = (
    "de", "ru", "ja", "es", "fr", "pt", "it", "pl", "nl", "zh", "fa", "tr", "cs", "id", "vi", "ko", "uk", "hu", "ar",
    "sv", "ro", "el", "da", "fi", "no", "th", "sk", "bg", "he", "hr", "lt", "sr", "sl", "ca", "et", "lv",
)  # fmt: skip
"""The languages with most pages on the web, roughly in this order; others follow in alphabetical order."""
ONLINE = "online"
ARMS = ("balanced", "random", "everything", ONLINE)
WEB = ("material", "concepts", "links", "languages", "english", "spread", "exponent", "seed")
"""The sizes that decide the web, and thereby the runs over it."""
MAY_BE_ZERO = ("port", "spread", "side_by_side")


@dataclass(frozen=True)
class Sizes:
    """What to make, and how much of it. `links` are pictures on pages; `arm` is the size of the balanced set."""

    out: Path = field(
        default=Path("build/evidence/main"), metadata={"help": "folder of the web, the runs and the models"}
    )
    material: str = field(default="npm", metadata={"help": "npm: emoji; sketches: shapes drawn by code, no network"})
    concepts: int = field(default=256, metadata={"help": "things that are drawn"})
    links: int = field(default=100_000, metadata={"help": "links to pictures, faults included"})
    languages: str = field(default="all", metadata={"help": "all, or codes, the reference first: en,de"})
    english: float = field(default=0.6, metadata={"help": "share of the pages in the first language"})
    spread: float = field(default=1.0, metadata={"help": "exponent of Zipf's law for the other languages"})
    exponent: float = field(default=1.15, metadata={"help": "of Zipf's law"})
    lists: str = field(
        default="starter", metadata={"help": "entry lists of the arms: starter, or names (those of the material)"}
    )
    arm: int = field(default=5_000, metadata={"help": "images that balancing is to keep"})
    arms: str = field(
        default="balanced,random", metadata={"help": f"of {', '.join(ARMS)}, and of thresholds, like t50"}
    )
    seeds: int = field(default=3, metadata={"help": "trainings of each arm"})
    samples_seen: int = field(default=250_000, metadata={"help": "samples of a training"})
    side_by_side: int = field(default=0, metadata={"help": "trainings at a time; 0: one a core, one on a GPU"})
    seed: int = field(default=1, metadata={"help": "of the web and of the draws"})
    port: int = field(default=8767, metadata={"help": "of the image host at 127.0.0.1; 0: a free one"})
    training: Path = field(
        default=Path("build/training/bin/python"), metadata={"help": "Python that has OpenCLIP (make check-training)"}
    )

    @property
    def reference(self) -> str:
        """The language that the arms keep."""
        return "en" if self.languages == "all" else self.languages.split(",")[0]

    @property
    def chosen_arms(self) -> list[str]:
        """The arms by name, the balanced one first."""
        wanted = self.arms.split(",")
        if unknown := [arm for arm in wanted if arm not in ARMS and not FIXED_T.fullmatch(arm)]:
            raise HeadtailError(f"arms={self.arms}: {', '.join(unknown)} is neither of {', '.join(ARMS)} nor like t50")
        if "balanced" not in wanted:
            raise HeadtailError(f"arms={self.arms}: the others are compared with balanced, which is missing")
        return ["balanced", *(arm for arm in dict.fromkeys(wanted) if arm != "balanced")]

    def chosen_languages(self, material: Material) -> list[str]:
        """The languages, the reference first."""
        if self.languages == "all":
            return ["en", *sorted(set(material.languages) - {"en"}, key=lambda lang: (_size_rank(lang), lang))]
        wanted = self.languages.split(",")
        if unknown := [lang for lang in wanted if lang not in material.languages]:
            raise HeadtailError(f"languages={self.languages}: the material has no names in {', '.join(unknown)}")
        return wanted


def _size_rank(lang: str) -> int:
    return LARGE.index(lang) if lang in LARGE else len(LARGE)


def parse(arguments: list[str]) -> Sizes:
    """Read key=value arguments.

    Raises HeadtailError for a name that is no size, and for a value of another type.

    >>> parse(["concepts=30", "material=sketches"]).concepts
    30
    """
    known = {each.name: each for each in fields(Sizes)}
    given: dict[str, object] = {}
    for argument in arguments:
        name, separator, value = argument.partition("=")
        if not separator or name not in known:
            raise HeadtailError(f"{argument} is no setting: {', '.join(f'{name}=' for name in known)}")
        kind = type(known[name].default)
        try:
            given[name] = value if kind is str else Path(value) if kind is type(Path()) else kind(value)
        except ValueError:
            raise HeadtailError(f"{name}={value}: expected a number like {known[name].default}") from None
    sizes = Sizes(**given)  # type: ignore[arg-type]  # the types are those of the defaults
    if sizes.lists not in ("starter", "names"):
        raise HeadtailError(f"lists={sizes.lists}: expected starter or names")
    for name, each in known.items():
        if isinstance(each.default, int | float) and name not in MAY_BE_ZERO and getattr(sizes, name) <= 0:
            raise HeadtailError(f"{name}={getattr(sizes, name)}: expected a number above 0")
    return sizes
