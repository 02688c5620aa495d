"""The texts of the report about stages and drop reasons."""

from dataclasses import dataclass


@dataclass(frozen=True)
class StageText:
    """The title of a stage, a description, and the unit of its rows_in."""

    label: str
    does: str
    unit: str


STAGES = {
    "extract_pairs": StageText(
        "Extract pairs",
        "Reads the image links of every page, resolves their addresses, cleans their texts and detects the language. "
        "A link counts once for each of its texts, or once if it has none.",
        "texts of image links",
    ),
    "match_pairs": StageText(
        "Match pairs",
        "Looks for the metadata’s entries in every text, and brings the matched texts of one image together.",
        "pairs",
    ),
    "balance_pairs": StageText(
        "Balance",
        "Draws every text with its keep probability. An image stays if one of its texts does, or, with unit=image, the "
        "one that was taken for it.",
        "images",
    ),
    "download_images": StageText(
        "Download images", "Fetches the images that were kept, or takes them out of the shards they lie in.", "images"
    ),
    "write_shards": StageText(
        "Write shards",
        "Joins the downloaded images with their texts, filters them, and packs them into tar files.",
        "images",
    ),
}

MEANINGS = {
    # texts and their images' addresses
    "no_text": "the link has no alternative text and no title",
    "blank_text": "the text is blank",
    "short_text": "the text is shorter than the limit",
    "long_text": "the text is longer than the limit",
    "broken_text": "too many characters of the text are broken",
    "email": "the text holds an e-mail address",
    "listed_word": "the text holds a word of a word list",
    "reader_error": "an error at this record, which is told with the failures",
    "bad_row": "the row of the table cannot be read",
    "bad_sample": "the json or the text of the sample cannot be read",
    "no_image": "the sample has no whole image",
    "empty_url": "the link names no image",
    "data_url": "the image is part of the page itself (a data: address)",
    "bad_url": "the address cannot be understood",
    "scheme": "the address is neither http nor https",
    "private_host": "the address is on a private network",
    "blocked_host": "the host is on a block list",
    "removed": "the image is on a removal list",
    "language": "the language is not among those asked for",
    "lang_score": "the language is too uncertain",
    "language_unknown": "the language is unknown",
    "same_text": "the same text of the same image again",
    # matching and balancing
    "no_metadata": "there is no entry list for the language",
    "unmatched": "no entry of its language occurs in the text",
    "merged_into_image": "an image that several tables of matches hold, counted once",
    "max_texts": "the image has more texts than an image may keep",
    "not_drawn": "all its entries are frequent, and the draw went against it",
    "domain_cap": "its domain has more images than a domain may keep",
    # downloads
    "success": "arrived and was stored",
    "dns": "the host’s name leads nowhere",
    "private_address": "the host’s name leads into a private network",
    "redirects": "redirected too often",
    "busy": "the host asked to be left alone, or failed for the moment",
    "http_error": "the host refused or has no such file (HTTP status)",
    "opted_out": "the host forbids this use (X-Robots-Tag)",
    "robots_txt": "the host’s robots.txt forbids it",
    "ai_txt": "the host’s ai.txt forbids it",
    "tdm_reservation": "the host reserves the rights to text and data mining (TDMRep)",
    "empty": "the answer was empty",
    "timeout": "no complete answer in time",
    "tls": "the host’s certificate is not valid",
    "truncated": "the answer ended early",
    "coding": "the answer is packed in a way that cannot be undone (Content-Encoding)",
    "connection": "the connection could not be made, or broke",
    "unreadable": "the shard that held it is gone or has changed",
    "foreign_place": "the place lies outside of the shards that the pairs were made from",
    "too_large": "more bytes than allowed",
    "too_many_pixels": "more pixels than allowed",
    "undecodable": "the image is damaged",
    "vector_image": "a vector graphic, not a raster image",
    "not_an_image": "the answer was not an image",
    # shards
    "not_attempted": "its download has not been tried yet",
    "not_downloaded": "the image could not be had (see downloads)",
    "small_side": "the shorter side is below the limit",
    "aspect_ratio": "too narrow or too flat",
    "few_pixels": "too few pixels",
    "many_pixels": "too many pixels",
    "filter": "the filter expression does not hold for it",
    "benchmark_image": "it is an image of a benchmark",
    "face": "it shows a face (faces=drop)",
    "other_cluster": "it is in the set of another cluster (by=coarse)",
    "no_cluster": "the table of clusters has no row of it (by=coarse)",
    "no_face_boxes": "nobody has looked for faces in it, or the boxes cannot be read (faces=blur or drop)",
    "duplicate_image": "the same bytes as another image, which stays",
    "near_duplicate": "looks like another image, which stays",
    "in_other_set": "it is, or looks like, an image of another set (against)",
    "write_shards.not_drawn": "the second balance, in the counts of what arrived, went against it",
}


def meaning(reason: str, stage: str = "") -> str:
    """Return the meaning of a drop reason in a stage; for an unknown reason its name with blanks.

    >>> meaning("data_url"), meaning("not_yet_known")
    ('the image is part of the page itself (a data: address)', 'not yet known')
    """
    return MEANINGS.get(f"{stage}.{reason}") or MEANINGS.get(reason) or reason.replace("_", " ")
