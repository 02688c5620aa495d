"""Settings of what is read: sources, addresses, texts and their languages."""

import ipaddress
from dataclasses import MISSING as NO_DEFAULT
from dataclasses import dataclass, fields
from typing import ClassVar

from omegaconf import MISSING

from conf.schema.base import Settings, setting
from curation.core.choices import (
    CsvEscape,
    Emails,
    Entities,
    ImageAddresses,
    LanguageRule,
    SourceKind,
)
from curation.core.errors import HeadtailError


@dataclass
class SourceConfig(Settings):
    """Where image-text pairs come from."""

    topic: ClassVar[str] = "source"
    preset: ClassVar[str] = "wat"
    kind: SourceKind = setting(
        SourceKind.wat, "file format: WAT, WARC, tables (Parquet, CSV, TSV), or WebDataset shards"
    )
    paths: list[str] = setting(MISSING, "files, folders, globs, URLs, crawls (CC-MAIN-2024-22), or *.paths.gz lists")
    prefix: str = setting(
        "https://data.commoncrawl.org/", "base URL of crawls and of the paths in lists, e.g. s3://commoncrawl/"
    )
    absolute_paths: bool = setting(
        False, "lists of paths may name files outside of source.prefix; set it only if you trust whoever wrote the list"
    )
    crawl: str = setting("", "name of the crawl, if the paths do not contain it (CC-MAIN-2024-22)")
    entities: Entities = setting(Entities.auto, "decode HTML entities of WAT files; auto: of crawls before mid-2019")
    max_file_bytes: int = setting(64 << 30, "maximum uncompressed size that is read of a file", unit="bytes", minimum=1)
    record_seconds: float = setting(
        60.0, "CPU time limit of a page or record; the rest of it is skipped", unit="s", minimum=0.1
    )
    image_addresses: ImageAddresses = setting(
        ImageAddresses.one,
        "addresses of an image that count (kind=warc): one, or all, so that a picture in five sizes counts five times",
    )
    page_metadata: bool = setting(
        False, "take the images of JSON-LD (ImageObject) and Open Graph (og:image) as well (kind=warc)"
    )
    url_column: str = setting("url", "column of image URLs (kind=table), or key in the json (kind=webdataset)")
    text_columns: dict[str, str] = setting(
        {},
        "text keys and their columns, e.g. source.text_columns.alt=TEXT (kind=webdataset: txt, or a key in the json); "
        "empty: alt=text",
    )
    lang_column: str = setting(
        "",
        "column of the texts' languages (kind=webdataset: key in the json), evidence for language.rule=careful; "
        "empty: none",
    )
    carry: dict[str, str] = setting(
        {}, "further columns of pairs: name in pairs and column of the source (kind=webdataset: key in the json)"
    )
    names: list[str] = setting([], "column names of CSV and TSV files without a header, in order")
    csv_escape: CsvEscape = setting(
        CsvEscape.auto,
        "quotes within quotes of CSV files: written twice (quote), or behind a backslash, as Spark does; auto: by the "
        "first MB of each file",
    )
    limit: int | None = setting(
        None, "read a random sample of this many files (kind=table: rows of all files), drawn with seed", minimum=1
    )

    def __post_init__(self) -> None:
        super().__post_init__()
        for declared in fields(self):
            kinds = _KINDS.get(declared.name, (self.kind,))
            value = getattr(self, declared.name)
            default = declared.default if declared.default_factory is NO_DEFAULT else declared.default_factory()
            if self.kind not in kinds and value != default:
                raise HeadtailError(
                    f"source.{declared.name} means nothing to source.kind={self.kind.value}, only to "
                    f"{' and '.join(kinds)}: leave it out, or set another source"
                )


_KINDS = {
    "entities": (SourceKind.wat,),
    "image_addresses": (SourceKind.warc,),
    "page_metadata": (SourceKind.warc,),
    "url_column": (SourceKind.table, SourceKind.webdataset),
    "text_columns": (SourceKind.table, SourceKind.webdataset),
    "lang_column": (SourceKind.table, SourceKind.webdataset),
    "carry": (SourceKind.table, SourceKind.webdataset),
    "names": (SourceKind.table,),
    "csv_escape": (SourceKind.table,),
}
"""The settings that some kinds of source use, and these kinds."""


@dataclass
class UrlsConfig(Settings):
    """Which image URLs are accepted."""

    topic: ClassVar[str] = "urls"
    allow_private_hosts: list[str] = setting(
        [], "private networks that URLs may name and images may be fetched from, e.g. [127.0.0.1/32]"
    )
    block_hosts: list[str] = setting([], "hosts, or files of hosts, to refuse together with their subdomains")
    removals: list[str] = setting([], "images to leave out, or removal lists: one uid or URL per line")

    def __post_init__(self) -> None:
        super().__post_init__()
        for network in self.allow_private_hosts:
            try:
                whole = ipaddress.ip_network(network, strict=False)
            except ValueError:
                raise HeadtailError(
                    f"urls.allow_private_hosts: {network} is not a network; write it like 10.1.0.0/16 or 127.0.0.1/32"
                ) from None
            if "/" in network and ipaddress.ip_interface(network).ip != whole.network_address:
                address = ipaddress.ip_interface(network).ip
                raise HeadtailError(
                    f"urls.allow_private_hosts: {network} names the address {address} and the size of a network: write "
                    f"{address}/{address.max_prefixlen} for this address, or {whole} for all {whole.num_addresses:,}"
                )


@dataclass
class TextConfig(Settings):
    """Which texts are accepted, and how texts are cleaned."""

    topic: ClassVar[str] = "text"
    min_chars: int | None = setting(None, "minimum length; shorter texts are dropped", unit="characters", minimum=1)
    max_chars: int | None = setting(None, "maximum length; longer texts are dropped", unit="characters", minimum=1)
    max_replacement_share: float = setting(
        0.1, "maximum share of U+FFFD (invalid bytes) in a text; other texts are dropped", minimum=0, maximum=1
    )
    collapse_blanks: bool = setting(False, "replace each run of white space by one blank (the papers keep the runs)")
    emails: Emails = setting(Emails.keep, "e-mail addresses in texts: keep, mask as [email], or drop the text")
    word_lists: str = setting(
        "", "path of word lists, one word per line, with {lang} for the language: texts with a listed word are dropped"
    )


@dataclass
class LanguageConfig(Settings):
    """Language identification."""

    topic: ClassVar[str] = "language"
    preset: ClassVar[str] = "lid176"
    model: str = setting(
        "lid.176.ftz", "fastText model: lid.176.ftz (included), a path, or none: all texts are in languages[0]"
    )
    min_score: float = setting(
        0.0, "minimum score of the detected language; texts with a lower score are dropped", minimum=0, maximum=1
    )
    rule: LanguageRule | None = setting(
        None,
        "published: the classifier's first label; careful: also scripts and the page (docs/languages.md); "
        "null: careful, and published in a run that was begun with it",
    )
    unknown: str = setting("en", "list of texts whose language rule=careful cannot decide: a list code, other, or drop")
    merge: list[str] = setting(
        [], "languages that share the list of the first one, e.g. language.merge=[no+nn+da,id+ms]; empty: none"
    )

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.model == "none" and self.rule is LanguageRule.careful:
            raise HeadtailError(
                "language.rule=careful weighs the labels of a classifier, and language.model=none asks none: "
                "leave one of them out"
            )
        if self.model == "none" or self.rule is LanguageRule.published:
            self.refuse_unknown()

    def refuse_unknown(self) -> None:
        """Raise HeadtailError if `unknown` is given, though the careful rule does not decide the languages."""
        if self.unknown != type(self).unknown:
            raise HeadtailError(
                f"language.unknown={self.unknown} is for texts that language.rule=careful cannot decide, and this run "
                f"has another rule (language.rule, language.model): leave it out"
            )
