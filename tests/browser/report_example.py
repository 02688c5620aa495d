"""A report of invented numbers and hostile texts, in the format of report.json."""

import base64
import functools
import io
import pickle
from typing import Any

import numpy as np
from PIL import Image, ImageDraw

from curation.report.head_tail import head_tail
from curation.report.page import render
from curation.report.summaries import thin

HOSTILE = (
    "<script>window.hacked = 1</script>",
    '"><img src="http://198.51.100.7/pixel.gif" onerror="window.hacked = 1">',
    "</style><script src=//198.51.100.7/x.js></script>",
    "\u202e\u2066right to left\u0000 and a null",
    "<!-- " + "long " * 300,
)
NAMES = {
    "en": ("English", "photo home new red free house the image blue car logo black girl garden white wedding city"),
    "de": ("German", "Foto Haus neu Bild rot Garten Stadt frei Auto Baum Berg See Wald Hund Katze Brot Tisch"),
    "fr": ("French", "photo maison nouveau rouge jardin ville libre voiture arbre montagne lac chien chat pain"),
    "ar": ("Arabic", "صورة بيت جديد أحمر حديقة مدينة سيارة شجرة جبل بحيرة كلب قطة خبز"),
    "zh": ("Chinese", "照片 房子 新 红色 花园 城市 汽车 树 山 湖 狗 猫 面包"),
    "th": ("Thai", "ภาพ บ้าน ใหม่ แดง สวน เมือง รถยนต์ ต้นไม้ ภูเขา ทะเลสาบ สุนัข แมว"),
}
CAPTIONS = {
    "en": "Red brick house with a small garden in the old town",
    "de": "Blick über den See auf die Berge bei Sonnenaufgang",
    "fr": "Un chat noir endormi sur une table de jardin",
    "ar": "صورة حديقة صغيرة في مدينة قديمة",
    "zh": "山间湖泊旁的红色小屋照片",
    "th": "ภาพบ้านหลังเล็กริมทะเลสาบ",
}


def example_report() -> dict[str, Any]:
    """Return the report; every call returns the same values, the caller's own to change."""
    return pickle.loads(_example())


@functools.cache
def example_page() -> str:
    """Return the page of the report."""
    return render(example_report())


@functools.cache
def _example() -> bytes:
    return pickle.dumps(_report())


def _report() -> dict[str, Any]:
    rng = np.random.default_rng(7)
    entries = [_entries(rng, lang, size) for lang, size in zip(NAMES, (4000, 1500, 1200, 800, 700, 300), strict=True)]
    return {
        "format": 2,
        "run": {
            "id": "5b1d0c3f5b1d0c3f",
            "finished": "2026-11-23T08:40:12+00:00",
            "seed": 0,
            "versions": {"headtail": "0.1.0", "python": "3.11.2", "pyspark": "4.3.0", "pyarrow": "26.0.1"},
            "inputs": {"files": 7, "bytes": 48_213_004},
            "metadata": {"id": "9c1e3f2a55aa", "languages": 9, "entries": 61_240},
        },
        "notes": [f"The shards are of another balance ({HOSTILE[0]}), and not shown: run write_shards"],
        "overview": [
            {"label": label, "unit": unit, "count": count, "balanced": count < 9_999, "headline": "links" in unit}
            for label, unit, count in (
                ("Records read", "records", 31_204),
                ("Image links", "image links", 84_112),
                ("Pairs with a text", "pairs", 51_730),
                ("Images with a match", "images", 27_402),
                ("Images kept", "images", 9_812),
                ("Images downloaded", "images", 6_377),
                ("Samples written", "training samples", 6_104),
            )
        ],
        "stages": _stages(),
        "languages": [_language(one) for one in entries],
        "domains": {
            "counted_share": 1.0, "domains": 812, "domains_kept": 640, "images": 27_402, "images_kept": 9_812,
            "attempted": 9_812, "arrived": 6_377, "hhi": 0.11, "hhi_kept": 0.012,
            "top_levels": [
                {"name": name, "images": 900, "images_kept": 100, "attempted": 100, "arrived": 41}
                for name in (".org", "(unknown)", HOSTILE[1])
            ],
            "rows": [
                {"domain": domain, "images": images, "images_kept": kept, "keep_share": kept / images,
                 "attempted": kept, "arrived": kept // 2}
                for domain, images, kept in (("example.org", 9_000, 700), (HOSTILE[0], 512, 512), ("b.test", 40, 1))
            ],
        },
        "crawls": {
            "unknown": 120,
            "months": [{"month": f"20{year}-{month:02d}", "pairs": 900 + 37 * month * year}
                       for year in (13, 24) for month in range(1, 12)],
            "years": [{"year": "2013", "attempted": 3_000, "arrived": 1_100},
                      {"year": "2024", "attempted": 6_000, "arrived": 5_100}],
        },
        "benchmarks": _benchmarks(),
        "entries": entries,
        "entries_per_text": [
            {"bin": name, "before": before, "after": after}
            for name, before, after in zip(
                ["1", "2", "3", "4", "5", "6–7", "8–9", "10–14", "15 and more"],
                [4120, 6391, 7740, 5120, 3277, 2904, 1240, 611, 99],
                [880, 1602, 2544, 2012, 1500, 1422, 690, 377, 71],
                strict=True,
            )
        ],
        "texts_per_image": [
            {"bin": "1", "before": 22_318, "after": 7110},
            {"bin": "2", "before": 3_904, "after": 1980},
            {"bin": "3–4", "before": 1_022, "after": 610},
            {"bin": "5–9", "before": 158, "after": 112},
        ],
        "downloads": {
            "attempted": 9812,
            "bytes": 131_000_222,
            "statuses": [
                {"status": "success", "meaning": "arrived and could be decoded", "count": 6377, "http": {"200": 6377}},
                {"status": "http_error", "meaning": "refused", "count": 2210, "http": {"404": 2100, "403": 110}},
                {"status": "timeout", "meaning": "no complete answer in time", "count": 812, "http": {}},
                {"status": "not_an_image", "meaning": "the answer was no image", "count": 301, "http": {"200": 301}},
                {"status": HOSTILE[0], "meaning": HOSTILE[1], "count": 112, "http": {HOSTILE[0]: 112}},
            ],
        },
        "texts": _texts(),
        "images": _images(rng),
        "samples": [_sample(rng, index) for index in range(24)],
        "kept_texts": [
            {"text": text, "lang": "en", "keep_probability": 0.31, "entries": [HOSTILE[1], "red"]}
            for text in (*HOSTILE, *CAPTIONS.values())
        ],
        "summary": {
            "badges": [
                {"name": "Language", "state": "yes", "detail": "decided by a classifier"},
                {"name": "Near duplicates", "state": "no", "detail": "kept"},
                {"name": "Decontamination", "state": "not checked", "detail": HOSTILE[1]},
            ],
            "alerts": [f"{HOSTILE[0]} has 12% of the kept images."],
        },
        "cost": {
            "stages": [{"core_hours": 0.4, "hours": 0.2, "read_bytes": 48_000, "written_bytes": 9_000_000}] * 5,
            "core_hours": 2.0, "hours": 1.0, "read_bytes": 48_213_004, "written_bytes": 45_000_000,
            "price_core_hour": 0.04, "price": 0.08,
        },
        "failures": {
            "total": 2,
            "rows": [
                {"file": "crawl/3/warc.wat.gz", "offset": 1_204_882, "error": "truncated", "records_read": 412},
                {"file": HOSTILE[2], "offset": None, "error": HOSTILE[1], "records_read": 0},
            ],
        },
        "shards": {
            "path": "/data/run/shards", "count": 25, "bytes": 131_000_222,
            "command": "python -m open_clip_train.main --train-data '/data/run/shards/{00000..00024}.tar'",
            "benchmark_images": {
                "method": "perceptual hash", "hash_version": 1, "distance": 4,
                "benchmarks": {"food101": {"images": 25_250, "hits": 0}, "imagenet": {"images": 50_000, "hits": 31}},
                "examples": [{"uid": "0" * 24, "benchmark": "imagenet", "image": "1.jpg", "distance": 2}],
            },
        },
        "second_balance": {
            "t": dict.fromkeys(NAMES, 41.5), "missing_texts": 12.5, "missing_share": 0.021, "sufficient_headroom": 0.31,
        },
        "targets": [{"lang": "en", "entries": 186, "weights": 180, "own_t": 6}],
        "concepts": {
            "combine": "product",
            "namespaces": [
                {"namespace": "colours", "t": 400.0, "tail_share": 0.31, "concepts": 5, "concepts_from_t": 2,
                 "images_with": 20_110, "images_without": 7_292, "count": 31_020, "kept": 7_480,
                 "rows": 41_000, "rows_without_image": 20_890,
                 "most": [{"concept_id": 3, "concept": HOSTILE[0], "count": 19_000, "kept": 2_310},
                          {"concept_id": 17, "concept": None, "count": 900, "kept": 402}]},
            ],
        },
        "forecast": {
            "reference": "en", "place": 2, "kept_images": 9_812, "sampled": False, "limit": False, "measured": True,
            "images_per_second": 310.5, "bytes_per_image": 21_460.0, "survivors": 0.622,
            "points": [
                {"t": t, "tail_share": t / 900, "texts": 90 * images / 80, "images": images, "samples": images * 0.622,
                 "bytes": images * 0.622 * 21_460, "seconds": images / 310.5}
                for t, images in ((20.0, 4_100.5), (50.0, 8_900.0), (60.0, 9_790.25), (500.0, 27_000.0))
            ],
        },
        "never_matching": {
            "total": 214,
            "languages": [
                {"lang": "en", "name": "English", "count": 201, "examples": ["Mr. Smith", HOSTILE[1]]},
                {"lang": "de", "name": "German", "count": 13, "examples": ["z.B.", "Dr. Oetker"]},
            ],
        },
    }  # fmt: skip


def _benchmarks() -> list[dict[str, Any]]:
    stages = {"raw": (900, 0), "balanced": (60, 0), "expected": (44.5, 0), "in_shards": (21, 0)}
    names = [
        {"class": name, "match": match, "entry": entry, **{stage: pair[k == 0] for stage, pair in stages.items()}}
        for k, (name, match, entry) in enumerate([(HOSTILE[1], "absent", None), ("dog", "part", HOSTILE[0])])
    ]
    return [
        {
            "task": task, "lang": "en", "classes": 2, "entry_classes": 0, "case_classes": 0,
            "part_classes": 1, "absent_classes": 1,
            "stages": {name: {"zero": 1, "kl": None, "kl_counted": 8.055} for name in stages},
            "zero": 1, "zero_in": "in_shards", "alert": True, "rarest": {"class": HOSTILE[1], "exposures": 0},
            "names": names,
        }
        for task in ("pets", HOSTILE[2])
    ]  # fmt: skip


def _entries(rng: np.random.Generator, lang: str, size: int) -> dict[str, Any]:
    t = 60.0
    before = np.sort((9000 * size / 4000 / np.arange(1, size + 1) ** 0.95).astype(np.int64) + 1)
    after = np.minimum(before, (t * (before / t) ** 0.25).astype(np.int64) + rng.integers(0, 3, size))
    at = thin(np.cumsum(before))
    words = NAMES[lang][1].split()
    words += [f"{words[index % len(words)]} {index}" for index in range(20 - len(words))]
    words[1] = HOSTILE[1] if lang == "en" else words[1]
    top = [
        {"entry_id": index, "entry": words[index], "before": int(before[-1 - index]), "after": int(after[-1 - index])}
        for index in range(20)
    ]
    return {
        "lang": lang,
        "name": NAMES[lang][0],
        "t": t,
        "entries": size * 2,
        "entries_matched": size,
        "matches_before": int(before.sum()),
        "matches_after": int(after.sum()),
        "top_before": top,
        "top_after": sorted(top, key=lambda entry: -entry["after"]),
        "curve": {
            "entries": [0, *(at + 1).tolist()],
            "before": [0, *np.cumsum(before)[at].tolist()],
            "after": [0, *np.cumsum(after)[at].tolist()],
            "threshold": int(np.searchsorted(before, t)),
        },
        "sources": [{"source": HOSTILE[2], "entries": size, "matched": size // 2, "before": 90, "after": 30}],
        "tail_entries": [
            {"entry_id": 1, "entry": HOSTILE[index], "before": 3, "after": 3, "text": text}
            for index, text in enumerate((HOSTILE[3], HOSTILE[4], None))
        ],
        "zero": size,
        **head_tail(before, after, t, (after * 2.0**24).astype(np.int64)),
        **{key: [one | {"change": 0.01} for one in top[:3]] for key in ("gained", "fallen", "around_t")},
    }


def _language(one: dict[str, Any]) -> dict[str, Any]:
    texts = one["matches_before"] // 3
    return {
        **{key: one[key] for key in ("lang", "name", "t", "entries", "entries_matched")},
        "tail_share": 0.06,
        "matches": one["matches_before"],
        "texts": texts,
        "texts_kept": texts // 3,
        "images_kept": texts // 4,
        "samples": texts // 5,
    }


def _stages() -> list[dict[str, Any]]:
    rows: list[tuple] = [
        ("extract_pairs", "Extract pairs", "Reads every image link of every page.", "image links", 84_112, 51_730,
         {"data_url": (15_990, "the image is inside the page (a data: URL)"), "no_alt": (9_402, "no alternative text"),
          "blank_text": (6_770, "an empty text"), "bad_url": (220, "no usable web address")}),
        ("match_pairs", "Match pairs", "Finds the entries of the metadata in each text.", "pairs", 51_730, 27_402,
         {"no_match": (18_328, "no entry of its language occurs in the text"),
          "merged_into_image": (4_100, "another text of an image that is counted already"),
          "same_text": (1_900, "the same text of the same image")}),
        ("balance_pairs", "Balance", "Draws each text by its keep probability.", "images", 27_402, 9_812,
         {"not_drawn": (17_590, "only head entries, and the draw went against it")}),
        ("download_images", "Download images", "Fetches what was kept.", "images", 9_812, 6_377,
         {"failed": (3_435, "no image came back")}),
        ("write_shards", "Write shards", "Packs samples into tar files.", "images", 6_377, 6_104,
         {"duplicate_image": (273, "the same bytes as another image")}),
    ]  # fmt: skip
    return [
        {
            "stage": stage, "label": label, "does": does, "unit": unit, "rows_in": rows_in, "rows_out": rows_out,
            "drops": [
                {"reason": reason, "meaning": m, "count": count,
                 "examples": [
                     {"text": HOSTILE[0], "lang": "en", "note": "0.35"}, {"url": HOSTILE[1], "note": "HTTP 404"},
                 ]}
                for reason, (count, m) in drops.items()
            ],
            "facts": {}, "parts": 1, "seconds": 12.4, "settings": {"balance.t": None, "language.model": HOSTILE[0]},
        }
        for stage, label, does, unit, rows_in, rows_out, drops in rows
    ]  # fmt: skip


def _texts() -> dict[str, Any]:
    bins = [{"bin": name, "before": 9_000, "after": 3_000} for name in ("1–9", "10–19", "20 and more")]
    marks = ("characters", "words", "over_least", "over_most", "email", "phone")
    return {
        "texts": {"before": 31_502, "after": 11_098},
        "characters": bins,
        "words": bins,
        "keys": [{"key": key, "before": 900, "after": 300} for key in ("alt", HOSTILE[0])],
        "marks": {name: {"before": 315, "after": 11} for name in marks},
        "repeats": {
            "before": {"values": 31_502, "distinct": 20_100, "repeated": 14_000, "groups": 2_598, "largest": 700},
            "after": {"values": 11_098, "distinct": 9_100, "repeated": 3_000, "groups": 1_002, "largest": 31},
        },
    }


def _images(rng: np.random.Generator) -> dict[str, Any]:
    def histogram(values: np.ndarray, edges: np.ndarray) -> dict[str, Any]:
        return {"edges": edges.tolist(), "counts": np.histogram(values, edges)[0].tolist(), "beyond": 3}

    return {
        "types": {"jpg": 6000, HOSTILE[0]: 104},
        "scores": [
            {"name": name, "values": 6_100, "missing": 4, "deciles": [0.01 * k * k for k in range(10)] + [None]}
            for name in ("clip_score", HOSTILE[0])
        ],
        "repeats": {"values": 6_377, "distinct": 6_104, "repeated": 500, "groups": 227, "largest": 9},
        "width": histogram(rng.normal(480, 160, 6104), np.arange(0, 1025, 64)),
        "height": histogram(rng.normal(380, 140, 6104), np.arange(0, 1025, 64)),
        "aspect": histogram(rng.lognormal(0.2, 0.3, 6104), np.arange(0, 4.01, 0.25)),
        "bytes": histogram(rng.lognormal(9.8, 0.6, 6104), np.arange(0, 100_001, 5000)),
    }


def _sample(rng: np.random.Generator, index: int) -> dict[str, Any]:
    lang = list(NAMES)[index % len(NAMES)]
    width, height = [(240, 160), (180, 240), (240, 240), (240, 90)][index % 4]
    image = Image.new("RGB", (width, height), tuple(int(v) for v in rng.integers(60, 220, 3)))
    drawing = ImageDraw.Draw(image)
    for _ in range(5):
        x, y, r = (int(v) for v in rng.integers(10, 150, 3))
        drawing.ellipse((x, y, x + r, y + r), fill=tuple(int(v) for v in rng.integers(30, 255, 3)))
    data = io.BytesIO()
    image.save(data, "JPEG", quality=75)
    text = HOSTILE[index // 4] if index % 4 == 1 and index // 4 < len(HOSTILE) else CAPTIONS[lang]
    p = float(np.round(rng.random() ** 0.5, 6))
    return {
        "uid": f"{index:024x}",
        "url": [f"https://images.example.org/{lang}/{index}.jpg", "javascript:window.hacked=1", "http://[broken"][
            index % 3
        ],
        "text": text,
        "lang": lang,
        "keep_probability": p,
        "width": width * 3,
        "height": height * 3,
        "thumbnail": "data:image/jpeg;base64," + base64.b64encode(data.getvalue()).decode(),
        "texts": [
            {"text": text, "lang": lang, "keep_probability": p, "kept": True, "entries": NAMES[lang][1].split()[:3]},
            {"text": HOSTILE[1], "lang": "en", "keep_probability": 0.02, "kept": False, "entries": [HOSTILE[0]]},
        ][: 1 + index % 2],
    }
