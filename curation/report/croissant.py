"""`croissant.json`: the set of shards as MLCommons Croissant 1.1 describes data, with terms of responsible AI (RAI).

Each tar is a FileObject with its SHA-256, the images are a FileSet contained in the tars, the side-cars a FileSet
beside them. The record set `samples` joins the two by a regular expression on the stem of an image's name, its uid. The
context defines `containedIn`: without it a reader finds the description valid, and gives no record.

The record set `descriptions` has the json of each sample as a text, with the captions that were joined. `mlcroissant`
1.1 takes no key out of the json of a tar, joins two FileSets at most, and fails where a tar has two: so these records
stand for themselves, and their FileSet is contained in FileObjects that name the tars again.
"""

import re
from collections.abc import Iterator
from typing import Any

import pyarrow as pa

from curation.core.schemas import SAMPLES
from curation.report.card_facts import CardFacts, protocol
from curation.report.card_texts import BIASES, LIMITS, REMOVAL, RIGHTS, SOCIAL, USES, people
from curation.report.crawls import first_day
from curation.shards.readme import CAPTIONS
from curation.shards.sample_json import CAPTION, NEWEST, version_of

CROISSANT_1_1, RAI_1_0 = "http://mlcommons.org/croissant/1.1", "http://mlcommons.org/croissant/RAI/1.0"
_PLAIN_TERMS = (
    "arrayShape", "citeAs", "column", "containedIn", "equivalentProperty", "extract", "field", "fileProperty",
    "fileObject", "fileSet", "format", "includes", "isArray", "isLiveDataset", "jsonPath", "key", "md5", "parentField",
    "path", "recordSet", "references", "regex", "repeated", "replace", "samplingRate", "separator", "source",
    "subField", "transform",
)  # fmt: skip
CONTEXT: dict[str, Any] = {
    "@language": "en",
    "@vocab": "https://schema.org/",
    "cr": "http://mlcommons.org/croissant/",
    "rai": "http://mlcommons.org/croissant/RAI/",
    "dct": "http://purl.org/dc/terms/",
    "sc": "https://schema.org/",
    "conformsTo": "dct:conformsTo",
    "data": {"@id": "cr:data", "@type": "@json"},
    "dataType": {"@id": "cr:dataType", "@type": "@vocab"},
    "description": {"@container": "@language"},
    "examples": {"@id": "cr:examples", "@type": "@json"},
    "name": {"@container": "@language"},
    **{term: f"cr:{term}" for term in _PLAIN_TERMS},
}
IMAGES, SIDE_CARS, RECORDS = "images", "side-cars", "samples"
JSON_FILES, DESCRIPTIONS = "json-files", "descriptions"
"""The FileSet of the samples' json, and the record set of it."""
STEM = r"^([^.]+)"
"""The uid in the name of an image. A reader applies it twice, so it matches a uid as well."""
_KINDS = {
    pa.string(): "sc:Text", pa.float32(): "cr:Float32", pa.float64(): "cr:Float64", pa.int8(): "cr:Int8",
    pa.int16(): "cr:Int16", pa.int32(): "cr:Int32", pa.int64(): "cr:Int64", pa.bool_(): "sc:Boolean",
}  # fmt: skip
_LISTS = frozenset(_KINDS) - {pa.string(), pa.bool_()}
"""Types of scores that are described as lists, too: embeddings."""
_MEANINGS = {
    "uid": "id of the image: a hash of its address",
    "image": "the image as stored",
    "text": "the caption",
    "url": "address of the image on the web",
    "lang": "language of the caption: Wikipedia's code",
    "keep_probability": "probability with which balancing kept the image",
    "sha256": "SHA-256 of the image file as it was sent",
    "source_bytes": "size of the image file as it was sent",
    "original_width": "width in pixels as sent",
    "original_height": "height in pixels as sent",
    "width": "width in pixels as stored",
    "height": "height in pixels as stored",
    "ext": "ending of the stored image's name",
    "bytes": "size of the stored image",
}
_YEAR_WEEK = re.compile(r"CC-MAIN-(\d{4})-(\d\d)")

Values = dict[str, Any]


def croissant(facts: CardFacts) -> Values:
    """Return the description as JSON values."""
    optional = {
        "url": facts.url,
        "creator": {"@type": "sc:Organization", "name": facts.creator} if facts.creator else "",
    }
    return {
        "@context": CONTEXT,
        "@type": "sc:Dataset",
        "conformsTo": [CROISSANT_1_1, RAI_1_0],
        "name": facts.name,
        "description": facts.summary,
        "license": facts.licence.link,
        **{key: value for key, value in optional.items() if value},
        "citeAs": f"{facts.creator or 'headtail'}: {facts.name}, {facts.date[:4]}",
        "datePublished": facts.date,
        "version": "1.0.0",
        "inLanguage": facts.langs,
        "keywords": ["image-text", "CLIP", "WebDataset"],
        "isLiveDataset": False,
        **{f"rai:{term}": value for term, value in rai_terms(facts).items()},
        "distribution": _distribution(facts),
        "recordSet": [_samples(facts.scores), _descriptions(facts)],
    }


def _distribution(facts: CardFacts) -> list[Values]:
    files = facts.part.manifest["files"]
    tars = [
        {
            "@type": "cr:FileObject",
            "@id": name(file["tar"]),
            "name": name(file["tar"]),
            "contentUrl": file["tar"],
            "contentSize": f"{file['tar_bytes']} B",
            "encodingFormat": "application/x-tar",
            "sha256": file["tar_sha256"],
        }
        for name in (str, _again)
        for file in files
    ]
    images = {
        "@type": "cr:FileSet",
        "@id": IMAGES,
        "name": IMAGES,
        "description": "The images of all samples; beside each lie its caption (.txt) and its facts (.json).",
        "containedIn": [{"@id": file["tar"]} for file in files],
        "encodingFormat": ["image/jpeg", "image/png", "image/webp"],
        "includes": ["*.jpg", "*.png", "*.webp"],
    }
    side_cars = {
        "@type": "cr:FileSet",
        "@id": SIDE_CARS,
        "name": SIDE_CARS,
        "description": "A table for each tar, with a row for each sample in the order of the tar.",
        "encodingFormat": "application/x-parquet",
        "includes": [file["path"] for file in files],
    }
    json_files = {
        "@type": "cr:FileSet",
        "@id": JSON_FILES,
        "name": JSON_FILES,
        "description": "The json of all samples.",
        "containedIn": [{"@id": _again(file["tar"])} for file in files],
        "encodingFormat": "application/json",
        "includes": ["*[0-9a-f].json"],  # not syn.json
    }
    return [*tars, images, side_cars, json_files]


def _again(tar: str) -> str:
    """Return the id of a tar as the source of the json."""
    return f"{tar}-json"


def _samples(scores: pa.Schema) -> Values:
    name = {"fileSet": {"@id": IMAGES}, "extract": {"fileProperty": "filename"}, "transform": {"regex": STEM}}
    fields = [
        _field("uid", "sc:Text", name) | {"references": _column("uid")},
        _field("image", "sc:ImageObject", {"fileSet": {"@id": IMAGES}, "extract": {"fileProperty": "content"}}),
        *(_field(column.name, _KINDS[column.type], _column(column.name)) for column in SAMPLES if column.name != "uid"),
        *(field for column in scores for field in _score(column)),
    ]
    left = [column.name for column in scores if not any(_score(column))]
    further = f" The side-cars have further columns of other types: {', '.join(left)}." if left else ""
    return {
        "@type": "cr:RecordSet",
        "@id": RECORDS,
        "name": RECORDS,
        "description": f"An image with its caption, address and facts.{further}",
        "key": {"@id": f"{RECORDS}/uid"},
        "field": fields,
    }


def _score(column: pa.Field) -> Iterator[Values]:
    """Yield the field of a column of scores; none for a type that Croissant has no word for."""
    is_list = pa.types.is_list(column.type)
    kind = column.type.value_type if is_list else column.type
    if kind in (_LISTS if is_list else _KINDS):
        shape = {"isArray": True, "arrayShape": "-1"} if is_list else {}
        meaning = "a score that was joined to the image; null where there is none"
        yield _field(column.name, _KINDS[kind], _column(column.name), meaning) | shape


def _descriptions(facts: CardFacts) -> Values:
    """Return the record set of the json, whose description names the keys."""
    source = {"fileSet": {"@id": JSON_FILES}}
    stem = {**source, "extract": {"fileProperty": "filename"}, "transform": {"regex": STEM}}
    captions = facts.part.manifest.get(CAPTIONS, {})
    joined = [
        f"{CAPTION}{name} ({mine['samples_with']:,} samples had one when the set was written)"
        for name, mine in captions.items()
    ]
    told = f" Captions that were joined: {', '.join(joined)}; an empty text where there is none." if joined else ""
    newest = version_of(facts.part.manifest) == NEWEST
    texts = (
        "texts (those that balancing kept), matched_texts (all, with the numbers of balancing), entries"
        if newest
        else "texts (all that matched, with the numbers of balancing)"
    )
    return {
        "@type": "cr:RecordSet",
        "@id": DESCRIPTIONS,
        "name": DESCRIPTIONS,
        "description": f"The json of each sample as a text. Keys that {RECORDS} lack: {texts}.{told}",
        "key": {"@id": f"{DESCRIPTIONS}/uid"},
        "field": [
            _field("uid", "sc:Text", stem, records=DESCRIPTIONS),
            _field(
                "json",
                "sc:Text",
                {**source, "extract": {"fileProperty": "content"}},
                "the json of the sample, as UTF-8",
                DESCRIPTIONS,
            ),
        ],
    }


def _column(name: str) -> Values:
    return {"fileSet": {"@id": SIDE_CARS}, "extract": {"column": name}}


def _field(name: str, kind: str, source: Values, meaning: str = "", records: str = RECORDS) -> Values:
    about = {"name": name, "description": meaning or _MEANINGS[name]}
    return {"@type": "cr:Field", "@id": f"{records}/{name}", **about, "dataType": kind, "source": source}


def rai_terms(facts: CardFacts) -> Values:
    """Return the terms of the RAI vocabulary, as far as the manifests and the report tell them."""
    made = protocol(facts)
    missing = facts.dropped("download_images") | facts.dropped("write_shards")
    told = ", ".join(f"{reason} {count:,}" for reason, count in sorted(missing.items()) if count)
    stage = facts.stages.get("extract_pairs")
    raw = f"{stage['rows_in']:,} image links of {stage['facts'].get('records_read', 0):,} records" if stage else ""
    return {
        "dataCollection": " ".join(made),
        "dataCollectionType": ["Web Scraping", "Secondary Data Analysis"],
        "dataCollectionMissingData": f"Images that balancing kept and that are not here, by reason: {told or 'none'}.",
        **({"dataCollectionRawData": raw} if raw else {}),
        "dataCollectionTimeframe": [*map(first_day, filter(_YEAR_WEEK.fullmatch, facts.crawls)), facts.date],
        "dataPreprocessingProtocol": made,
        "dataManipulationProtocol": next((line for line in made if line.startswith("Balancing")), ""),
        "dataUseCases": list(USES),
        "dataLimitations": list(LIMITS),
        "dataBiases": list(BIASES),
        "dataSocialImpact": SOCIAL,
        "personalSensitiveInformation": [*people(facts.faces), RIGHTS],
        "dataReleaseMaintenancePlan": REMOVAL,
    }
