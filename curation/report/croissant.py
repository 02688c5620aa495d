"""`croissant.json`: the set of shards as MLCommons Croissant 1.1 describes data, with terms of responsible AI (RAI).

Each tar is a FileObject with its SHA-256, the images are a FileSet contained in the tars, the side-cars a FileSet
beside them. The record set `samples` joins the two by a regular expression on the stem of an image's name, its uid. The
context defines `containedIn`: without it a reader finds the description valid, and gives no record.

The captions and the json in the tars are no FileSets of their own: `mlcroissant` 1.1 reads one FileSet of a tar only.
"""

import re
from datetime import date
from typing import Any

import pyarrow as pa

from curation.core.schemas import SAMPLES
from curation.report.card_facts import CardFacts, protocol
from curation.report.card_texts import BIASES, LIMITS, REMOVAL, RIGHTS, SOCIAL, USES, people

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
STEM = r"^([^.]+)"
"""The uid in the name of an image. A reader applies it twice, so it matches a uid as well."""
_KINDS = {
    pa.string(): "sc:Text", pa.float64(): "cr:Float64", pa.int32(): "cr:Int32", pa.int64(): "cr:Int64",
}  # fmt: skip
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
        "recordSet": [_record_set()],
    }


def _distribution(facts: CardFacts) -> list[Values]:
    files = facts.part.manifest["files"]
    tars = [
        {
            "@type": "cr:FileObject",
            "@id": file["tar"],
            "name": file["tar"],
            "contentUrl": file["tar"],
            "contentSize": f"{file['tar_bytes']} B",
            "encodingFormat": "application/x-tar",
            "sha256": file["tar_sha256"],
        }
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
    return [*tars, images, side_cars]


def _record_set() -> Values:
    name = {"fileSet": {"@id": IMAGES}, "extract": {"fileProperty": "filename"}, "transform": {"regex": STEM}}
    fields = [
        _field("uid", "sc:Text", name) | {"references": _column("uid")},
        _field("image", "sc:ImageObject", {"fileSet": {"@id": IMAGES}, "extract": {"fileProperty": "content"}}),
        *(_field(column.name, _KINDS[column.type], _column(column.name)) for column in SAMPLES if column.name != "uid"),
    ]
    return {
        "@type": "cr:RecordSet",
        "@id": RECORDS,
        "name": RECORDS,
        "description": "An image with its caption, address and facts.",
        "key": {"@id": f"{RECORDS}/uid"},
        "field": fields,
    }


def _column(name: str) -> Values:
    return {"fileSet": {"@id": SIDE_CARS}, "extract": {"column": name}}


def _field(name: str, kind: str, source: Values) -> Values:
    about = {"name": name, "description": _MEANINGS[name]}
    return {"@type": "cr:Field", "@id": f"{RECORDS}/{name}", **about, "dataType": kind, "source": source}


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


def first_day(crawl: str) -> str:
    """Return the Monday of the week that names a crawl.

    >>> first_day("CC-MAIN-2024-51")
    '2024-12-16'
    """
    year, week = (int(number) for number in crawl.rsplit("-", 2)[1:])
    return date.fromisocalendar(year, max(1, min(week, 52)), 1).isoformat()
