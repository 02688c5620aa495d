"""The words of the entries that the kept text of a sample holds: the key `entries` of its json.

A run copies the words of its entry lists into its work folder, so that a stopped run goes on with the same words,
whatever has become of the table or the lists since. Where the words cannot be had, `entries` is an empty list.
"""

from collections.abc import Iterable

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from curation.balancing.entry_table import Words
from curation.core import storage
from curation.core.parquet_sink import ParquetSink
from curation.core.schemas import ENTRIES
from curation.core.table_reader import open_table_file
from curation.shards.sample_json import SampleForm

FILE = "words.parquet"
COLUMNS = pa.schema([ENTRIES.field(name) for name in ("lang", "entry_id", "entry")])


def copy_words(words: Iterable[Words], work: str) -> str:
    """Copy words into a work folder, unless an earlier run did; return the path of the file, "" if there are none."""
    path = storage.join(work, FILE)
    if not storage.exists(path):
        with ParquetSink(path, COLUMNS) as sink:
            for each in words:
                for batch in each:
                    sink.write(batch.select(COLUMNS.names))
    with open_table_file(path, COLUMNS) as file:
        return path if file.metadata.num_rows else ""


def with_words(rows: pa.Table, form: SampleForm) -> pa.Table:
    """Return samples with the column `entries`, a list of words, if their form has it; null for words that are lacking.

    Reads `text`, `lang` and `texts`. Memory holds the words of the samples, and of one row group of the file.
    """
    if form.version == 1:
        return rows
    ids = kept_ids(rows)
    if not form.words:
        return rows.append_column("entries", pa.array([[]] * rows.num_rows, pa.list_(pa.string())))
    langs = rows["lang"].combine_chunks().dictionary_encode()
    codes = np.repeat(langs.indices.to_numpy(), np.diff(ids.offsets.to_numpy()))
    words = read_words(form.words, langs.dictionary, codes, ids.flatten().to_numpy())
    return rows.append_column("entries", pa.ListArray.from_arrays(ids.offsets, words))


def kept_ids(rows: pa.Table) -> pa.ListArray:
    """Return the entry ids of the text that became the caption of each sample.

    Raises AssertionError if the caption is not exactly one of the image's texts.
    """
    texts = rows["texts"].combine_chunks()
    parents, structs = pc.list_parent_indices(texts), texts.flatten()
    named = [pc.equal(structs.field(name), rows[name].combine_chunks().take(parents)) for name in ("text", "lang")]
    chosen = pc.and_(*named)
    if not np.array_equal(parents.filter(chosen).to_numpy(), np.arange(rows.num_rows)):
        raise AssertionError("the caption of a sample is not one of the texts of its image")
    ids = structs.field("entry_ids").filter(chosen)
    offsets = np.cumsum([0, *pc.list_value_length(ids).to_numpy()])
    return pa.ListArray.from_arrays(pa.array(offsets, pa.int32()), ids.flatten())


def read_words(path: str, langs: pa.StringArray, codes: np.ndarray, ids: np.ndarray) -> pa.Array:
    """Return the word of each entry, named by the place of its language in `langs` and its id.

    Reads the row groups that may hold them; null for a word that the file lacks.
    """
    wanted, back = np.unique(codes.astype(np.int64) << 32 | ids, return_inverse=True)
    places, words = np.full(len(wanted), -1), [pa.array([], pa.string())]
    known = 0
    with open_table_file(path, COLUMNS) as file:
        for index in range(file.metadata.num_row_groups):
            bounds = file.metadata.row_group(index).column(0).statistics
            if not any(bounds.min <= lang <= bounds.max for lang in langs.to_pylist()):
                continue
            group = file.read_row_group(index).combine_chunks()
            in_langs = pc.cast(pc.index_in(group["lang"], langs), pa.int64()).fill_null(-1).to_numpy()
            keys = in_langs << 32 | group["entry_id"].to_numpy()
            at = pc.index_in(pa.array(wanted), pa.array(keys))
            here = np.flatnonzero(at.is_valid())
            places[here] = known + np.arange(len(here))
            known += len(here)
            words.append(group["entry"].combine_chunks().take(at.drop_null()))
    places = places[back]
    return pa.concat_arrays(words).take(pa.array(places, mask=places < 0))
