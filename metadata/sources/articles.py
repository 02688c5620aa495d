"""Counts the words and bigrams of one wiki's articles, from a range of a dump or from a table of plain texts."""

from collections.abc import Iterator
from dataclasses import dataclass, field

import pyarrow as pa

from curation.core.beats import watch
from curation.core.languages import LANGUAGES
from curation.core.parquet_sink import ParquetSink
from curation.core.receipts import Receipt
from curation.core.recipes import added
from curation.core.schemas import check_schema
from curation.core.table_reader import foreign_schema, read_foreign_batches
from metadata.sources.dumps import Site, read_pages, read_site
from metadata.sources.ngrams import COUNTS, count_ngrams
from metadata.sources.variants import Variants
from metadata.sources.wikitext import RULES, BadMarkupError, LinkPrefixes, TooDeepError, TooLargeError, article_text

LOGIC_VERSION = 1
"""Raise it when the same input gives other counts."""


@dataclass(frozen=True)
class DumpSettings:
    """Which pages are counted: those of `namespaces` with at most `max_page_bytes` of XML. `rules` is the version of
    the rules that make text of their wikitext."""

    namespaces: tuple[int, ...] = field(default=(0,), kw_only=True)
    max_page_bytes: int
    rules: int = added(1, default=RULES)


@dataclass(frozen=True)
class CountTask:
    """A table of articles, or the bytes of a dump from `start` to `end`; None is the end of the file."""

    input: str
    lang: str
    start: int
    end: int | None
    output: str


def count_file(task: CountTask, settings: DumpSettings) -> Receipt:
    """Write the partial counts (`ngrams.COUNTS`) of the articles of a task.

    Rows in are pages, rows out the counted articles. Drops beside those of `dumps.read_pages`: `redirect`,
    `other_namespace`, `no_text`, `too_deep`, `bad_wikitext`. Facts: `words`, `text_chars`, `wikitext_chars`,
    bytes read.
    """
    receipt = Receipt(f"{task.input}@{task.start}")
    watch(receipt)
    if task.input.endswith(".parquet"):
        texts = _table_texts(task.input, receipt)
    else:
        texts = read_articles(task.input, task.start, task.end, settings, receipt, task.lang)
    with ParquetSink(task.output, COUNTS) as sink:
        for batch in count_ngrams(texts, LANGUAGES[task.lang]):
            if batch["source"][0].as_py() == "unigram":
                receipt.facts["words"] += pa.compute.sum(batch["count"]).as_py()
            sink.write(batch)
    receipt.outputs.append(sink.output())
    return receipt


def read_articles(
    path: str, start: int, end: int | None, settings: DumpSettings, receipt: Receipt, lang: str | None = None
) -> Iterator[str]:
    """Yield the plain texts of a dump's articles, the pages of the chosen namespaces that are no redirects.

    `lang` is the code of the wiki, by default the one that the head of the dump names.
    """
    site = read_site(path)
    prefixes = LinkPrefixes.of(site.link_names)
    variants = Variants.of(lang or (site.language.code if site.language else None))
    for page in read_pages(path, start, end, settings.max_page_bytes, site, receipt):
        if page.is_redirect:
            receipt.drops["redirect"] += 1
        elif page.namespace not in settings.namespaces:
            receipt.drops["other_namespace"] += 1
        elif page.wikitext is None:
            receipt.drops["no_text"] += 1
        else:
            receipt.facts["wikitext_chars"] += len(page.wikitext)
            try:
                text = article_text(page.wikitext, prefixes, variants, settings.rules)
            except TooLargeError:
                receipt.drops["too_large"] += 1
                continue
            except TooDeepError:
                receipt.drops["too_deep"] += 1
                continue
            except BadMarkupError:
                receipt.drops["bad_wikitext"] += 1
                continue
            receipt.rows_out += 1
            receipt.facts["text_chars"] += len(text)
            yield text


def check_articles(path: str) -> None:
    """Raise HeadtailError if a Parquet file is no table of articles."""
    check_schema(foreign_schema(path), articles_schema(path), path, further=None)


def articles_schema(path: str) -> pa.Schema:
    """Return the schema that a table of articles must have: `text`, a string of either Arrow type."""
    found = foreign_schema(path)
    large = "text" in found.names and found.field("text").type == pa.large_string()
    return pa.schema([pa.field("text", pa.large_string() if large else pa.string())])


def _table_texts(path: str, receipt: Receipt) -> Iterator[str]:
    """Yield the texts of a table of plain articles."""
    for batch in read_foreign_batches(path, articles_schema(path), ["text"], 1024, further=None):
        for data in batch.column("text").cast(pa.large_binary()):
            text = (data.as_py() or b"").decode("utf-8", "replace")  # writers do not check it
            receipt.rows_in += 1
            if text.strip():
                receipt.rows_out += 1
                receipt.facts["text_chars"] += len(text)
                yield text
            else:
                receipt.drops["no_text"] += 1


def site_of(path: str) -> Site | None:
    """Return the wiki of a dump, None for a table of articles, which does not name its wiki.

    Raises HeadtailError for a Parquet file that is no table of articles.
    """
    if not path.endswith(".parquet"):
        return read_site(path)
    check_articles(path)
    return None
