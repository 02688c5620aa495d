"""Who can read a set of shards: a line for each trainer and tool, with the reason where it cannot, or not all of it.

The demands are those of the versions that DEMANDS names, as their sources and documentation state them; docs/shards.md
has them in words. A demand that a reader makes of its own settings, such as a batch size, is in readme.py.
"""

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass

from curation.shards.energon import FOLDER
from curation.shards.readme import small_shard
from curation.shards.sample_json import CAPTION
from curation.shards.traits import BLANK, KINDS, Traits

IMAGES = ("jpg", "png", "jpeg", "webp")
"""Extensions, in the order in which OpenCLIP looks for the image of a sample."""
MAX_SHOWN = 3


@dataclass(frozen=True)
class SetFolder:
    """A set as its folder tells: the samples of each tar, and the names of all that lies there."""

    tars: Mapping[str, int]
    names: Collection[str]


@dataclass(frozen=True)
class Reading:
    """The samples that a reader takes, of `total`; why not all, or a remark."""

    reader: str
    samples: int
    total: int
    reason: str = ""

    def __str__(self) -> str:
        """Return the line of a reader.

        >>> print(Reading("RayGen", 3, 4, "1 has no jpg"), Reading("DALI", 4, 4), sep=chr(10))
        RayGen reads 3 of 4 samples: 1 has no jpg
        DALI reads all 4 samples
        """
        taken = f"all {self.total:,}" if self.samples == self.total else f"{self.samples:,} of {self.total:,}"
        able = f"reads {taken} samples" if self.samples else "cannot read the set"
        return f"{self.reader} {able}{': ' if self.reason else ''}{self.reason}"


def readings(traits: Traits, folder: SetFolder) -> list[Reading]:
    """Return who reads a set; empty for a set without samples."""
    found = [(reader, *judge(traits, folder)) for reader, judge in DEMANDS.items() if traits.samples]
    return [Reading(reader, samples, traits.samples, reason) for reader, samples, reason in found]


def _released_openclip(traits: Traits, folder: SetFolder) -> tuple[int, str]:
    taken = _complete(traits, IMAGES)
    remarks = [_lacking(traits, "txt"), _lacking(traits, *IMAGES)]
    if "sizes.json" not in folder.names:
        remarks.append("there is no sizes.json: give --train-num-samples")
    remarks.append(small_shard(folder.tars))
    return taken, _joined(remarks)


def _main_openclip(traits: Traits, folder: SetFolder) -> tuple[int, str]:
    taken, reason = _released_openclip(traits, folder)
    strings = {place for place, kinds in _kinds(traits.values).items() if kinds == {"string"}}
    always = [name for name in ("text", "caption") if traits.with_value(name, "string") == traits.samples]
    joined = sorted(name for name in strings if name.startswith(CAPTION) and "." not in name and "[" not in name)
    keys = ";".join([*always[:1], *joined[:MAX_SHOWN]])
    hint = f"captions in the json: --json-text-key '{keys}'" if keys else "no key of the json is a text in all samples"
    return taken, _joined([reason, hint])


def _hugging_face(traits: Traits, _: SetFolder) -> tuple[int, str]:
    if len(set(traits.first)) > 1:
        return 0, f"its first samples have other members each ({' / '.join(sorted(set(traits.first)))})"
    first, whole = _kinds([value for values in traits.first_values for value in values]), _kinds(traits.values)
    for place, kinds in first.items():
        if len(kinds) > 1:
            return 0, f"{place} of the json is of several kinds in its first samples ({', '.join(sorted(kinds))})"
    for place, kinds in whole.items():
        # A place that the first samples lack is left out of the table, with all below it.
        if place in first and first[place] and not kinds <= _castable(first[place]):
            return 0, f"{place} of the json has several kinds ({', '.join(sorted(kinds))})"
    untyped = [place for place, kinds in whole.items() if kinds and _is_untyped(place, first)]
    remarks = []
    if untyped:
        remarks.append(f"as a stream only, for {untyped[0]} of the json is null or empty in the first samples")
    keys = [place for place in whole if "." not in place and "[" not in place]
    odd = [key for key in keys if traits.with_value(key, *KINDS) < traits.having("json")]
    if odd:
        remarks.append(f"older versions refuse it, for some samples lack {odd[0]} in the json")
    taken = traits.members[traits.first[0]]
    if taken < traits.samples:
        other = next(members for members in traits.members if members != traits.first[0])
        remarks.append(f"others have other members ({other}) than the first ({traits.first[0]}), which it leaves out")
    return taken, _joined(remarks)


def _raygen(traits: Traits, _: SetFolder) -> tuple[int, str]:
    if refused := sorted(name for name in _extensions(traits) if not _raygen_takes(name)):
        hint = "; download.formats=jpg stores jpg only" if set(refused) & set(IMAGES) else ""
        return 0, f"it refuses members of the kind {', '.join(refused[:MAX_SHOWN])}{hint}"
    kinds = _kinds(traits.values)
    for place, allowed in {"text": {"string"}, "texts": {"string", "list"}, "texts[]": {"string"}}.items():
        if odd := kinds.get(place, set()) - allowed:
            return 0, f"it takes strings, and {place} of the json is {', '.join(sorted(odd))}"
    texts = traits.having("txt") or traits.with_value("text", "string") or traits.with_value("texts", "string", "list")
    return min(traits.having("jpg"), texts), _joined([_lacking(traits, "jpg")])


def _raygen_takes(name: str) -> bool:
    return name in ("jpg", "txt", "url.txt", "npy", "npz", "pth.gz") or name.endswith("json")


def _nemo(traits: Traits, _: SetFolder) -> tuple[int, str]:
    return traits.having("jpg"), _one_extension(traits, "JPEG images named jpg only")


def _clip_retrieval(traits: Traits, _: SetFolder) -> tuple[int, str]:
    extension = max(IMAGES, key=lambda name: _complete(traits, (name,)))
    option = "" if extension == "jpg" else f"with wds_image_key={extension}"
    return _complete(traits, (extension,)), _joined(
        [option, _one_extension(traits, "one extension of images"), _lacking(traits, "txt")]
    )


def _energon(traits: Traits, folder: SetFolder) -> tuple[int, str]:
    if FOLDER not in folder.names:
        return 0, f"there is no {FOLDER}: run `energon prepare`, or write the shards again"
    if missing := [tar for tar in folder.tars if f"{tar}.idx" not in folder.names]:
        return 0, f"{len(missing):,} tars have no index, such as {missing[0]}.idx: run `energon prepare`"
    return _complete(traits, IMAGES), _joined([_lacking(traits, "txt"), _lacking(traits, *IMAGES)])


def _dali(traits: Traits, folder: SetFolder) -> tuple[int, str]:
    missing = [tar for tar in folder.tars if f"{tar.removesuffix('.tar')}.idx" not in folder.names]
    index = f"{len(missing):,} tars without an index, which it reads once more to make one" if missing else ""
    images = [name for name in IMAGES if name in _extensions(traits)]
    hint = f"with ext={';'.join(images)}" if len(images) > 1 else ""
    return _complete(traits, IMAGES), _joined([index, hint, _lacking(traits, "txt"), _lacking(traits, *IMAGES)])


def _metaclip(traits: Traits, _: SetFolder) -> tuple[int, str]:
    pairs = traits.with_value("texts[]", "list")
    if pairs == traits.samples and not traits.with_value("texts[]", "string", "object"):
        return pairs, ""
    kinds = _kinds(traits.values).get("texts[]", set()) or {"missing"}
    return 0, f"it takes [key, text] pairs in texts of the json, whose kind is {', '.join(sorted(kinds))}"


DEMANDS: Mapping[str, Callable[[Traits, SetFolder], tuple[int, str]]] = {
    "OpenCLIP 3.3.0": _released_openclip,
    "OpenCLIP (main)": _main_openclip,
    "Hugging Face datasets 5": _hugging_face,
    "RayGen": _raygen,
    "NeMo Curator": _nemo,
    "Megatron-Energon 7": _energon,
    "NVIDIA DALI": _dali,
    "MetaCLIP's loader": _metaclip,
    "clip-retrieval": _clip_retrieval,
}
"""Reader -> the function that returns how many samples it takes, and a remark."""


def _extensions(traits: Traits) -> set[str]:
    return {name for members in traits.members for name in members.split()}


def _complete(traits: Traits, images: Collection[str]) -> int:
    """Return the number of samples that have a txt and an image of one of the extensions."""
    sets = ((set(members.split()), count) for members, count in traits.members.items())
    return sum(count for members, count in sets if "txt" in members and members & set(images))


def _lacking(traits: Traits, *extensions: str) -> str:
    count = traits.samples - traits.having(*extensions)
    return f"{count:,} without {' or '.join(extensions)}" if count else ""


def _one_extension(traits: Traits, demand: str) -> str:
    counts = {name: traits.having(name) for name in IMAGES}
    listed = ", ".join(f"{name} {count:,}" for name, count in counts.items() if count)
    return (
        f"it takes {demand} ({listed}; download.formats=jpg stores jpg only)" if counts["jpg"] < traits.samples else ""
    )


def _joined(remarks: Collection[str]) -> str:
    return "; ".join(reason for reason in remarks if reason)


def _kinds(values: Collection[str]) -> dict[str, set[str]]:
    """Return the kinds of values by place; a null is of any kind, and a blank string a string."""
    found: dict[str, set[str]] = {}
    for value in values:
        place, _, kind = value.rpartition(": ")
        found.setdefault(place, set()).update({"string" if kind == BLANK else kind} - {"null"})
    return found


def _castable(kinds: set[str]) -> set[str]:
    numbers = {"integer", "float"}
    return kinds | numbers if kinds & numbers else kinds


def _is_untyped(place: str, first: Mapping[str, set[str]]) -> bool:
    """Return whether the first samples have the place, but nothing there that tells its type."""
    if place.endswith("[]") and place not in first:
        return "list" in first.get(place.removesuffix("[]"), ())
    return place in first and not first[place]
