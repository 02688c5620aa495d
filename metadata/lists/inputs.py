"""The inputs of entry lists: the files that a user's paths name, by language."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from curation.core.errors import HeadtailError
from curation.core.input_files import FileInfo, list_files
from curation.core.languages import LANGUAGES, OTHER, Language, language_of
from curation.core.storage import exists, join
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
    """A dump or a table of articles of one language; `prefixes` are the names of its namespaces in lower case."""

    file: FileInfo
    lang: str
    prefixes: frozenset[str]

    def ranges(self, range_bytes: int) -> Iterator[dict]:
        """Yield the ranges of the file as inputs of a recipe; their `path` is `lang:path#start-end`."""
        for start, end in plan_ranges(self.file.path, self.file.size, range_bytes):
            name = f"{self.lang}:{self.file.path}#{start}-{'' if end is None else end}"
            yield {"path": name, "size": self.file.size, "version": self.file.version}


def chosen_languages(names: Iterable[str]) -> list[Language]:
    """Return the languages that a user names, in the table's order; raises HeadtailError at an unknown name."""
    found: dict[str, Language] = {}
    for name in names:
        language = language_of(name)
        if language is None:
            raise HeadtailError(f"languages: {name!r} is no Wikipedia language (give codes such as en or zh_yue)")
        found[language.code] = language
    if not found:
        raise HeadtailError("languages must be given: languages=[en,de]")
    return [found[code] for code in LANGUAGES if code in found]


def split_language(path: str) -> tuple[str | None, str]:
    """Return the language that a user may put before a path (None if there is none), and the path.

    >>> split_language("de:/data/a.txt"), split_language("s3://data/a.txt")
    (('de', '/data/a.txt'), (None, 's3://data/a.txt'))
    """
    prefix, colon, rest = path.partition(":")
    language = language_of(prefix) if colon and not rest.startswith("//") else None
    return (language.code, rest) if language else (None, path)


def fetched(sources: str, kind: str) -> list[str]:
    """Return the folder of one kind of files of fetch_sources in a list, empty if it does not exist."""
    if sources and not exists(sources):
        raise HeadtailError(f"sources={sources} does not exist: run fetch_sources first")
    folder = join(sources, kind)
    return [folder] if sources and exists(folder) else []


def list_articles(paths: Iterable[str], languages: Iterable[str]) -> list[Articles]:
    """Return the dumps and tables of articles of the chosen languages, in the order of language and path.

    The language is the one before the path, else the one in the head of the dump. Files of other languages are left
    out. Raises HeadtailError for a file of unknown language, and for a Parquet file that is no table of articles.
    """
    found = {}
    chosen = set(languages)
    for path in paths:
        lang, rest = split_language(path)
        for file in list_files([rest], ARTICLE_ENDINGS):
            # Parts are called `...-multistream1.xml-p1p41242.bz2`; their index files do not have `.xml` in their names.
            if ".xml" not in file.path.rsplit("/", 1)[-1] and not file.path.endswith(".parquet"):
                continue
            site = site_of(file.path)
            code = lang or (site.language.code if site and site.language else None)
            if code is None:
                raise HeadtailError(f"the language of {file.path} is unknown: put its code before the path, en:{path}")
            if code in chosen:
                found[code, file.path] = Articles(file, code, site.prefixes if site else frozenset())
    return [found[key] for key in sorted(found)]


def list_custom(paths: Iterable[str]) -> list[tuple[str | None, FileInfo]]:
    """Return a user's own lists in the given order, each with the code of its entry list, None for all lists."""
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
        """The names of the namespaces by wiki, from its dumps."""
        names: dict[str, set[str]] = {}
        for entry in self.articles:
            names.setdefault(entry.lang, set()).update(entry.prefixes)
        return {lang: tuple(sorted(found)) for lang, found in sorted(names.items()) if found}

    @property
    def lists(self) -> list[dict]:
        """The files that are not counted first, wordnets and users' lists, as inputs of a recipe."""
        custom = [("before", *entry) for entry in self.custom_before] + [
            ("after", *entry) for entry in self.custom_after
        ]
        return [
            *(vars(file) for files in self.wordnet.values() for file in files),
            *({**vars(file), "list": lang, "place": place} for place, lang, file in custom),
        ]

    def merges(self, folder: str) -> list[MergeTask]:
        """Return a task for each list that texts are matched against.

        These are a list for each base language, the union `other`, and a list for each wiki without a detector label.
        """
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
        """Return every input with its licence, for the manifest; `licences` are those of wordnets, by language."""

        def describe_file(kind: str, lang: str | None, file: FileInfo, licence: str) -> dict:
            return {"kind": kind, "lang": lang, **vars(file), "licence": licence}

        found = [
            describe_file("wordnet", lang, file, "; ".join(licences.get(lang, [])))
            for lang, files in self.wordnet.items()
            for file in files
        ]
        found += [describe_file("articles", entry.lang, entry.file, LICENCES["articles"]) for entry in self.articles]
        found += [describe_file("page views", None, file, LICENCES["page views"]) for file in self.page_views]
        custom = [*self.custom_before, *self.custom_after]
        return found + [describe_file("custom", lang, file, LICENCES["custom"]) for lang, file in custom]


def list_inputs(
    languages: list[str],
    dumps: list[str],
    page_views: list[str],
    wordnet: list[str],
    custom_before: list[str],
    custom_after: list[str],
) -> MetadataInputs:
    """Return all inputs of the chosen languages; raises HeadtailError for a path without a file."""
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
