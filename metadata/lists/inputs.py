"""Which file is whose: a user's paths to the inputs of each language."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from curation.core.errors import HeadtailError
from curation.core.languages import LANGUAGES, OTHER, Language, language_of
from curation.core.storage import FileInfo, exists, join, list_files
from metadata.lists.write import MergeTask
from metadata.sources.articles import site_of
from metadata.sources.dumps import plan_ranges
from metadata.sources.wordnet import list_wordnets

ARTICLE_ENDINGS = (".bz2", ".gz", ".xml", ".parquet")
LICENCES = {
    "articles": "CC BY-SA 4.0 and GFDL (Wikipedia's text; dumps from before June 2023: CC BY-SA 3.0 and GFDL)",
    "page views": "CC0 1.0 (Wikimedia)",
    "custom": "the user's own",
}


@dataclass(frozen=True)
class Articles:
    """A file of articles, the language it is in, and the ranges it is read in."""

    file: FileInfo
    lang: str
    prefixes: frozenset[str]

    def ranges(self, range_bytes: int) -> Iterator[dict]:
        """Yield the inputs of the tasks that read it: {path, size, version}; the path tells language and range."""
        for start, end in plan_ranges(self.file.path, self.file.size, range_bytes):
            name = f"{self.lang}:{self.file.path}#{start}-{'' if end is None else end}"
            yield {"path": name, "size": self.file.size, "version": self.file.version}


def chosen_languages(names: Iterable[str]) -> list[Language]:
    """Return the languages that a user names, in the table's order; raises HeadtailError at an unknown name."""
    found: dict[str, Language] = {}
    for name in names:
        language = language_of(name)
        if language is None:
            raise HeadtailError(
                f"languages: {name!r} is no Wikipedia language (its code is wanted, such as en or zh_yue)"
            )
        found[language.code] = language
    if not found:
        raise HeadtailError("languages must be given: languages=[en,de]")
    return [found[code] for code in LANGUAGES if code in found]


def split_language(path: str) -> tuple[str | None, str]:
    """Split the language that a user may put before a path off it.

    >>> split_language("de:/data/a.txt"), split_language("s3://data/a.txt")
    (('de', '/data/a.txt'), (None, 's3://data/a.txt'))
    """
    prefix, colon, rest = path.partition(":")
    language = language_of(prefix) if colon and not rest.startswith("//") else None
    return (language.code, rest) if language else (None, path)


def fetched(sources: str, kind: str) -> list[str]:
    """The folder of a kind of files that fetch_sources filled, if there is one."""
    if sources and not exists(sources):
        raise HeadtailError(f"sources={sources} is not there: headtail fetch_sources fills it")
    folder = join(sources, kind)
    return [folder] if sources and exists(folder) else []


def list_articles(paths: Iterable[str], languages: Iterable[str]) -> list[Articles]:
    """Return the dumps and tables of articles of the chosen languages, in the order of language and path.

    The language is what stands before the path, else what the dump's head says. Files of other languages are left
    out; one whose language nothing tells raises HeadtailError.
    """
    found = {}
    chosen = set(languages)
    for path in paths:
        lang, rest = split_language(path)
        for file in list_files([rest], ARTICLE_ENDINGS):
            # Parts are called `...-multistream1.xml-p1p41242.bz2`; their indexes are no XML.
            if ".xml" not in file.path.rsplit("/", 1)[-1] and not file.path.endswith(".parquet"):
                continue
            site = site_of(file.path)
            code = lang or (site.language.code if site and site.language else None)
            if code is None:
                raise HeadtailError(f"{file.path} does not tell which Wikipedia it is of: put it in front, en:{path}")
            if code in chosen:
                found[code, file.path] = Articles(file, code, site.prefixes if site else frozenset())
    return [found[key] for key in sorted(found)]


def list_custom(paths: Iterable[str]) -> list[tuple[str | None, FileInfo]]:
    """Return a user's own lists, in the given order, each with the list it is for, or None: for all."""
    found = []
    for path in paths:
        lang, rest = split_language(path)
        found += [(lang and LANGUAGES[lang].list_code, file) for file in list_files([rest])]
    return found


@dataclass(frozen=True)
class MetadataInputs:
    """Every file that entry lists are built from."""

    languages: list[Language]
    articles: list[Articles]
    page_views: list[FileInfo]
    wordnet: dict[str, list[FileInfo]]
    custom_before: list[tuple[str | None, FileInfo]]
    custom_after: list[tuple[str | None, FileInfo]]

    @property
    def codes(self) -> list[str]:
        """The wikis' codes, in the table's order."""
        return [language.code for language in self.languages]

    @property
    def namespaces(self) -> dict[str, tuple[str, ...]]:
        """Names of the namespaces by wiki, as its dumps tell them."""
        names: dict[str, set[str]] = {}
        for entry in self.articles:
            names.setdefault(entry.lang, set()).update(entry.prefixes)
        return {lang: tuple(sorted(found)) for lang, found in sorted(names.items()) if found}

    @property
    def lists(self) -> list[dict]:
        """The files that go into the lists as they are, for the recipe."""
        custom = [("before", *entry) for entry in self.custom_before] + [
            ("after", *entry) for entry in self.custom_after
        ]
        return [
            *(vars(file) for files in self.wordnet.values() for file in files),
            *({**vars(file), "list": lang, "place": place} for place, lang, file in custom),
        ]

    def merges(self, folder: str) -> list[MergeTask]:
        """The tasks of `lists.merge_lists`: a list for each base language, the union `other`, and each wiki's own
        where no detector label leads to it."""
        members: dict[str, list[str]] = {}
        for language in self.languages:
            members.setdefault(language.list_code, []).append(language.code)
            if language.list_code == OTHER:
                members[language.code] = [language.code]
        return [
            MergeTask(
                name=code,
                folder=folder,
                # The base language's own entries come before those of the wikis that merge into it.
                members=tuple(sorted(wikis, key=lambda wiki: (wiki != code, wiki))),
                before=tuple(file.path for lang, file in self.custom_before if lang in (None, code)),
                after=tuple(file.path for lang, file in self.custom_after if lang in (None, code)),
            )
            for code, wikis in sorted(members.items())
        ]

    def describe(self, licences: dict[str, list[str]]) -> list[dict]:
        """Every input with its licence, for the manifest; `licences` are WordNet's, by language."""

        def told(kind: str, lang: str | None, file: FileInfo, licence: str) -> dict:
            return {"kind": kind, "lang": lang, **vars(file), "licence": licence}

        found = [
            told("wordnet", lang, file, "; ".join(licences.get(lang, [])))
            for lang, files in self.wordnet.items()
            for file in files
        ]
        found += [told("articles", entry.lang, entry.file, LICENCES["articles"]) for entry in self.articles]
        found += [told("page views", None, file, LICENCES["page views"]) for file in self.page_views]
        custom = [*self.custom_before, *self.custom_after]
        return found + [told("custom", lang, file, LICENCES["custom"]) for lang, file in custom]


def list_inputs(
    languages: list[str],
    dumps: list[str],
    page_views: list[str],
    wordnet: list[str],
    custom_before: list[str],
    custom_after: list[str],
) -> MetadataInputs:
    """Find all inputs of the chosen languages; raises HeadtailError for a path that names nothing."""
    chosen = chosen_languages(languages)
    codes = [language.code for language in chosen]
    found = list_wordnets(wordnet)
    return MetadataInputs(
        languages=chosen,
        articles=list_articles(dumps, codes),
        page_views=list_files(page_views) if page_views else [],
        wordnet={code: found[code] for code in codes if code in found},
        custom_before=list_custom(custom_before),
        custom_after=list_custom(custom_after),
    )
