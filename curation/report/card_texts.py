"""Sentences of a data card that hold for every set: use, limits, biases, people, and how to have a sample removed."""

USES = (
    "Training of contrastive and generative image-text models, and research on such data.",
    "Not: identifying people, decisions about people, surveillance, and products that nobody has evaluated for harm.",
)
LIMITS = (
    "Captions are alternative texts of web pages: many say little of the image, or something else.",
    "The data is a sample of what pages linked to when they were crawled; of the images some have gone since.",
    "Matching is by words: it does not know what an image shows, nor what a word means.",
    "Images were not checked by people, nor for pornography and violence, unless a filter above says so.",
)
BIASES = (
    "The web over-represents some countries, languages, professions and views, and its texts repeat prejudices.",
    "The entries decide what counts as rare: what no entry names was left out altogether.",
)
_FACES = {
    "keep": "Nobody was asked for consent, and faces are not blurred.",
    "blur": "Nobody was asked for consent. Faces are blurred where a detector found them; it misses some.",
    "drop": "Nobody was asked for consent. Images in which a detector found a face were left out; it misses some.",
}
"""What became of faces, by the setting `faces`."""
SOCIAL = (
    "A broad, balanced set lets more people study such models; models that are trained on it inherit what the web says "
    "about people."
)
RIGHTS = (
    "The licence is that of this collection. Images and texts belong to their owners, and their own terms hold; the "
    "json and the side-car of each sample name its address."
)
REMOVAL = (
    "Whoever wants a sample to be removed names its address or its uid to the publisher; `headtail remove_samples` "
    "takes it out of the shards, and later versions leave it out, too."
)


def people(faces: str) -> list[str]:
    """Return the sentences about people in a set that was written with the setting `faces`."""
    return [
        f"Images may show people, and texts may name them. {_FACES[faces]}",
        "EXIF and other metadata of images is not stored.",
    ]
