"""The README beside starter lists: what they are, what they are not, and their licences."""

from typing import Any

from metadata.sources.wordnet import LICENCE, LICENCE_FILE, shipped_wordnet

README = "README.md"
TEMPLATE = """# Starter entry lists: {languages}

Made by `headtail starter_lists` to begin with. `_manifest.json` names every input with its version and licence,
`_table.md` counts the terms of each source. `<language>.parquet` is a list with the columns `text`, `source` and
`score`; the row number is the entry id.

| list | entries | of these can match nothing |
|---|--:|--:|
{lists}

| source | entries | score |
|---|---|---|
| `number` | 0 to 99 | |
| `wordnet` | names of synsets in lower case, as in Demystifying CLIP Data | synsets with that name |
| `wordfreq` | words of wordfreq, most frequent first | occurrences in 10^9 words |
| `wordnet_form` | lemmas as they are written, and with capitals | synsets of the lemma |
| `wordfreq_form` | words with capitals, and in spellings that wordfreq has lost | that of the word |

Matching is case-sensitive, and wordfreq has small letters only. So each word also begins with a capital, and words of
up to four letters stand in capitals (USA). Greek words end in ς again, German words with ss also have ß, Serbian words
stand in both alphabets. Some of these forms are no words: they match nothing, and cost nothing but room.

## What these lists are not

- They are not the metadata of MetaCLIP. A third of that is pairs of words and titles from Wikipedia: names of people,
  places and works, and phrases such as "cherry blossom". Here such entries come from wordnets only.
- Counts, thresholds and balanced sets that are made with them cannot be compared with those of the papers.
- Words with runs of digits (1990, RTX3080) and with capitals inside (iPhone) are missing.
- wordfreq holds texts up to 2021: newer words are missing.
{small}- Chinese words are in simplified characters. Korean words are parts of written words, so few of those match.

For a data set that you publish, or train on for long, make lists from Wikipedia with `headtail fetch_sources` and
`headtail build_metadata`. Matches, and all that follows from them, are then made again.

## Licences

{licences}
{words}{wordnet}"""
WORDS = """
These lists hold words of wordfreq, and so have its licence: {licence}. Pass them on
under the same licence, name wordfreq (github.com/rspeer/wordfreq, which lists its sources), and say what you changed.
Here the words were given capitals and other spellings, and words with runs of digits were left out.
"""
WORDNET = """
The licence of WordNet 3.0:

```
{text}```
"""


def starter_readme(manifest: dict[str, Any]) -> str:
    """Return the README of lists with this manifest; the same manifest gives the same text."""
    princeton = any(entry["licence"] == LICENCE for entry in manifest["inputs"])
    small = [entry["lang"] for entry in manifest["inputs"] if " small_" in entry["path"]]
    licences = dict.fromkeys(
        f"- {entry['lang']}: {entry['path'].rsplit('/', 1)[-1]}: {entry['licence']}" for entry in manifest["inputs"]
    )
    return TEMPLATE.format(
        languages=", ".join(manifest["settings"]["languages"]),
        lists="\n".join(
            f"| `{row['list']}.parquet` | {row['entries']:,} | {row['cannot_match']:,} |" for row in manifest["lists"]
        ),
        small=f"- Of {', '.join(small)}, it holds only words that stand once in a million.\n" if small else "",
        licences="\n".join(licences),
        words=WORDS.format(licence=manifest["licence"]) if manifest.get("licence") else "",
        wordnet=WORDNET.format(text=shipped_wordnet().with_name(LICENCE_FILE).read_text()) if princeton else "",
    )
