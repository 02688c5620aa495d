"""Starter lists: entry lists made within seconds from what packages carry, without dumps and Spark.

An entry list of a language has, in this order: numbers; names of WordNet's synsets; words of wordfreq; the names and
the words in the capitals that their sources have lost (`_form`). An entry keeps its first place.
"""

import hashlib
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from curation.core.amounts import counted
from curation.core.errors import HeadtailError
from curation.core.input_files import FileInfo
from curation.core.languages import LANGUAGES, OTHER, Language
from curation.core.outputs import check_writable
from curation.core.parquet_sink import ParquetSink
from curation.core.progress import Stage, say, waiting
from curation.core.receipts import Receipt
from curation.core.recipes import Recipe
from curation.core.storage import exists, join, list_folder, remove, write_bytes, write_json
from curation.core.tables import MANIFEST
from metadata.lists.inputs import chosen_languages
from metadata.lists.manifest import TABLE, finished, refuse_other_lists, write_manifest
from metadata.lists.rules import LIST, EntryTable, SourceRow
from metadata.lists.starter_readme import README, starter_readme
from metadata.lists.write import WIKIS
from metadata.sources.spellings import capital_forms, other_spellings, restored
from metadata.sources.word_frequencies import LICENCE, WordList, word_lists
from metadata.sources.wordnet import SYNSETS, list_wordnets, read_names, shipped_wordnet

STAGE = "starter_lists"
LOGIC_VERSION = 1
"""Raise it when the same packages give other lists."""
NUMBERS = 100
MAX_CHARACTERS = 256
RULES = {
    "wordnet": "all, in lower case",
    "wordfreq": "all but those with runs of digits",
    "wordnet_form": "every lemma as it is written, and with capitals",
    "wordfreq_form": "words with capitals, and in spellings that case folding has lost",
}


@dataclass(frozen=True)
class StarterInputs:
    """What the lists of some languages are made from: files of WordNet and lists of words by language code."""

    languages: list[Language]
    wordnet: dict[str, list[FileInfo]]
    words: dict[str, WordList]

    @property
    def codes(self) -> list[str]:
        """The wikis' codes, in the table's order."""
        return [language.code for language in self.languages]

    @property
    def licence(self) -> str:
        """The licence that the words hand on to the lists, empty where there are only wordnets."""
        return LICENCE if self.words else ""

    def recipe(self) -> Recipe:
        """Return the recipe of the lists, which is the same on every machine with the same packages."""
        files = [_portable(file) for files in self.wordnet.values() for file in files]
        words = [{"path": found.name, "version": found.sha256} for found in dict.fromkeys(self.words.values())]
        return Recipe(STAGE, LOGIC_VERSION, {"languages": self.codes, "numbers": NUMBERS}, [*files, *words])

    def describe(self, licences: dict[str, list[str]]) -> list[dict]:
        """Return every input with its licence, for the manifest; `licences` are those of wordnets, by language."""
        wordnet = [
            {"kind": "wordnet", "lang": lang, **_portable(file), "licence": "; ".join(licences.get(lang, []))}
            for lang, files in self.wordnet.items()
            for file in files
        ]
        words = [
            {"kind": "words", "lang": lang, "path": found.name, "version": found.sha256, "licence": LICENCE}
            for lang, found in self.words.items()
        ]
        return [*wordnet, *words]

    def members(self) -> dict[str, list[str]]:
        """Return the wikis of each list, that of the list's own code first."""
        lists: dict[str, list[str]] = {}
        for language in self.languages:
            lists.setdefault(language.list_code, []).append(language.code)
        return {name: sorted(wikis, key=lambda wiki: (wiki != name, wiki)) for name, wikis in sorted(lists.items())}


def starter_inputs(names: Iterable[str], wordnet: list[str]) -> StarterInputs:
    """Return the inputs of the lists of languages; `wordnet` are further files of wordnets, or folders of them.

    Raises HeadtailError for a language that is unknown, or that neither wordfreq nor a wordnet has.
    """
    words = word_lists()
    chosen = chosen_languages(names)
    found = list_wordnets([str(shipped_wordnet()), *wordnet])
    codes = [language.code for language in chosen]
    if missing := [code for code in codes if code not in words and code not in found]:
        raise HeadtailError(
            f"languages: wordfreq has no words of {', '.join(missing)}, and no wordnet is given: leave them out, or "
            "make their lists with build_metadata, which takes any Wikipedia language; starter lists are of "
            + ", ".join(sorted({*words, *found}))
        )
    return StarterInputs(
        chosen,
        {code: found[code] for code in codes if code in found},
        {code: words[code] for code in codes if code in words},
    )


def write_starter_lists(folder: str, inputs: StarterInputs) -> None:
    """Write the lists with their table, manifest and README into a folder, unless the same packages made those there.

    Raises HeadtailError if the folder holds lists that another job has made.
    """
    recipe = inputs.recipe()
    if manifest := finished(folder, recipe):
        if not exists(join(folder, README)):  # stopped between the two
            _write_readme(folder, manifest)
        say(STAGE, f"is done: {counted(len(manifest['lists']), 'lists')} in {folder}")
        return
    check_writable([folder])
    _clear(folder)
    stage = Stage(STAGE, f"lists of {', '.join(inputs.codes)}")
    receipts = []
    for name, wikis in inputs.members().items():
        with waiting(f"making the list of {name}"):
            receipts.append(_write_list(folder, name, wikis, inputs))
        say(STAGE, f"{name}: {counted(receipts[-1].rows_out, 'entries')}")
    written = write_manifest(folder, recipe, inputs, inputs.codes, receipts, [], inputs.licence)
    _write_readme(folder, written)
    for line in _lacking(written["wikis"]):
        say(STAGE, line)
    entries = sum(receipt.rows_out for receipt in receipts)
    licence = f"; their licence: {inputs.licence}" if inputs.licence else ""
    say(STAGE, f"done: {counted(entries, 'entries')} in {folder}, {stage.seconds:.1f} s{licence}")


def add_sources(table: EntryTable, lang: str, inputs: StarterInputs, suffix: str = "") -> dict[str, Any]:
    """Add the entries of one language to a list; return the accounts of its sources, and the licences of its wordnets.

    `suffix` follows the names of the sources where the list has another code than the language.
    """
    paths = [file.path for file in inputs.wordnet.get(lang, [])]
    names = read_names(lang, paths, first_only=True)
    lemmas = read_names(lang, paths, first_only=False).counts
    listed = inputs.words[lang].words() if lang in inputs.words else ()
    words = [(restored(word, lang), frequency) for word, frequency in listed]
    sources: dict[str, list[tuple[str, float]]] = {
        "wordnet": list(names.counts.items()),
        "wordfreq": words,
        "wordnet_form": [
            (form, count) for name, count in lemmas.items() for form in (name, *capital_forms(name, lang))
        ],
        "wordfreq_form": [(form, frequency) for word, frequency in words for form in _forms(word, lang)],
    }
    missing = {"wordnet": "no wordnet", "wordfreq": "no words in wordfreq"}
    rows = []
    for source, terms in sources.items():
        note = "" if terms else missing.get(source, "")
        row = SourceRow(f"{source}{suffix}", RULES[source], len(terms), len(terms), note=note)
        table.add(row, terms, 0, MAX_CHARACTERS)
        rows.append(row.to_json())
    return {"licences": names.licences, "sources": rows}


def _lacking(wikis: dict[str, list[dict]]) -> list[str]:
    """Return a line for each note about sources, with the languages that lack it."""
    notes: dict[str, list[str]] = {}
    for lang, rows in wikis.items():
        for row in rows:
            if row["note"]:
                notes.setdefault(row["note"], []).append(lang)
    return [f"{note}: {', '.join(langs)}" for note, langs in notes.items()]


def _forms(word: str, lang: str) -> Iterator[str]:
    spellings = other_spellings(word, lang)
    yield from spellings
    for spelling in (word, *spellings):
        yield from capital_forms(spelling, lang)


def _write_list(folder: str, name: str, wikis: list[str], inputs: StarterInputs) -> Receipt:
    """Write a list and the accounts of its wikis; facts of the receipt: `added_<source>`."""
    table = EntryTable()
    numbers = SourceRow("number", f'"0" to "{NUMBERS - 1}"', NUMBERS, NUMBERS)
    table.add(numbers, ((str(number), None) for number in range(NUMBERS)), 0, MAX_CHARACTERS)
    for lang in wikis:
        account = add_sources(table, lang, inputs, "" if lang == name else f":{lang}")
        account["sources"].insert(0, numbers.to_json())
        write_json(join(folder, WIKIS, f"{lang}.json"), account)
    receipt = Receipt(name)
    for row in table.rows:
        receipt.rows_in += row.chosen
        receipt.drops.update(row.drops)
    receipt.facts.update(Counter(f"added_{source}" for source, _ in table.texts.values()))
    with ParquetSink(join(folder, f"{name}.parquet"), LIST.with_metadata({"licence": inputs.licence})) as sink:
        for batch in table.to_batches():
            sink.write(batch)
    receipt.rows_out = sink.rows
    receipt.outputs.append(sink.output())
    return receipt.check()


def _write_readme(folder: str, manifest: dict[str, Any]) -> None:
    write_bytes(join(folder, README), starter_readme(manifest).encode())


def _clear(folder: str) -> None:
    """Delete starter lists of other languages or packages; raises HeadtailError for lists of another job."""
    refuse_other_lists(folder, STAGE)
    manifest = join(folder, MANIFEST)
    if not exists(manifest) and not exists(join(folder, WIKIS)):
        return
    remove(manifest)
    for name in list_folder(folder):
        stem, _, ending = name.rpartition(".")
        if name in (README, TABLE, WIKIS) or (ending == "parquet" and stem in (*LANGUAGES, OTHER)):
            remove(join(folder, name))


def _portable(file: FileInfo) -> dict:
    """Return a file as an input of a recipe; the shipped one without the path that it has on this machine."""
    if file.path != str(shipped_wordnet()):
        return vars(file)
    return {"path": SYNSETS, "version": hashlib.sha256(Path(file.path).read_bytes()).hexdigest()}
