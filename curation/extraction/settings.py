"""What decides the pairs of an input file."""

from dataclasses import dataclass

import pyarrow as pa

from curation.core.choices import Entities, ImageAddresses, SourceKind
from curation.core.errors import HeadtailError
from curation.core.recipes import added
from curation.core.schemas import PAIRS, STORED
from curation.extraction.distinct import EVIDENCE
from curation.extraction.language import LanguageRules
from curation.extraction.text_rules import TextRules
from curation.extraction.urls import UrlRules
from curation.sources.caption_tables import TableColumns

LOGIC_VERSION = 1
RULES = {SourceKind.wat: 2, SourceKind.warc: 2, SourceKind.table: 2, SourceKind.webdataset: 2}
"""The version of each source's rules: raise it when the same settings and inputs give other rows. A run keeps the rules
by which it was begun (recipes.kept); docs/extraction.md has what each version means."""
WITH_COLUMNS = (SourceKind.table, SourceKind.webdataset)
LANG_BY_COLUMN = "lang_by"
WITH_IMAGES = SourceKind.webdataset
"""The source whose files hold the images, too."""


@dataclass(frozen=True)
class ExtractionSettings:
    """Everything that decides the rows of a file.

    `columns` apply to the sources table and webdataset, `entities` to WATs. `crawl` names the crawl of files whose path
    does not. Reading a file ends after `max_file_bytes`, uncompressed, that of a record after `record_seconds` of CPU
    time. `rules` is the version of the source's rules. `image_addresses` and `page_metadata` apply to WARCs; by the
    rules 1, an image has all its addresses.
    """

    source: SourceKind
    entities: Entities
    crawl: str
    max_file_bytes: int
    urls: UrlRules
    texts: TextRules
    language: LanguageRules
    columns: TableColumns
    record_seconds: float = added(60.0)
    rules: int = added(1, default=1)
    image_addresses: ImageAddresses = added(ImageAddresses.all, default=ImageAddresses.all)  # noqa: RUF009 a field
    page_metadata: bool = added(False, default=False)

    def __post_init__(self) -> None:
        if self.source != SourceKind.warc or self.rules == 1:
            object.__setattr__(self, "image_addresses", ImageAddresses.all)
        if self.source != SourceKind.warc:
            object.__setattr__(self, "page_metadata", False)
        own = {*PAIRS.names, LANG_BY_COLUMN, EVIDENCE, *(STORED.names if self.source == WITH_IMAGES else [])}
        if taken := sorted({name for name, _ in self.columns.carry} & own):
            raise HeadtailError(
                f"source.carry.{taken[0]}: pairs have a column {taken[0]} of their own; write another name, such as "
                f"source.carry.source_{taken[0]}"
            )
        if self.columns.lang and not self.language.is_careful:
            raise HeadtailError(
                f"source.lang_column={self.columns.lang} is evidence for language.rule=careful, but a classifier alone "
                f"or none decides the languages of this run (language.rule, language.model): leave the column out"
            )

    @property
    def schema(self) -> pa.Schema:
        """The schema of the pairs.

        It is PAIRS, LANG_BY_COLUMN under the careful rule of languages, the columns that are carried along, as strings,
        and where the image lies.
        """
        decided = [pa.field(LANG_BY_COLUMN, pa.string(), nullable=False)] if self.language.is_careful else []
        carried = [pa.field(name, pa.string()) for name, _ in self.columns.carry if self.source in WITH_COLUMNS]
        return pa.schema([*PAIRS, *decided, *carried, *(STORED if self.source == WITH_IMAGES else [])])
