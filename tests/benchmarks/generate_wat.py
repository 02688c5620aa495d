"""A synthetic WAT in CommonCrawl's present layout, for benchmarks: fixed seed, one gzip member per record.

Shares follow what was counted in real WATs: 14% of links are images, of which 20% have `data:` URLs, 14% relative
ones, 12% no alt and 22% a blank one; about 180 links a page, 150 to 230 bytes of JSON a link; of the alts that are
not blank 60% are distinct. Each page has records for request, response and metadata.

    python -m tests.benchmarks.generate_wat /tmp/bench.wat.gz 500
"""

import json
import random
import sys
import zlib
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

WORDS = {
    "en": "the red kite over old town bridge with two small boats in morning light view from hill garden house water "
    "stone church summer market street people walking coast winter forest lake blue door wooden table coffee",
    "de": "der rote Drachen über alter Stadt Brücke mit zwei kleinen Booten im Morgenlicht Blick vom Hügel Garten Haus "
    "Wasser Stein Kirche Sommer Markt Straße Menschen Küste Winter Wald See blaue Tür Holztisch Kaffee",
    "fr": "le cerf-volant rouge sur la vieille ville pont avec deux petits bateaux lumière du matin vue de colline "
    "jardin maison eau pierre église été marché rue côte hiver forêt lac porte bleue table café",
    "es": "la cometa roja sobre el puente de ciudad vieja con dos barcos pequeños luz mañana vista desde colina jardín "
    "casa agua piedra iglesia verano mercado calle costa invierno bosque lago puerta azul mesa café",
    "ru": "красный воздушный змей над старым мостом города две маленькие лодки утренний свет вид с холма сад дом вода "
    "камень церковь лето рынок улица люди берег зима лес озеро синяя дверь деревянный стол кофе",
    "ar": "طائرة ورقية حمراء فوق جسر المدينة القديمة مع قاربين صغيرين في ضوء الصباح منظر من التل حديقة بيت ماء حجر "
    "كنيسة صيف سوق شارع ساحل شتاء غابة بحيرة باب أزرق طاولة قهوة",
    "ja": "赤い凧 古い町の橋 二つの小さな舟 朝の光 丘からの眺め 庭 家 水 石 教会 夏 市場 通り 海岸 冬 森 湖 "
    "青い扉 木の机 コーヒー",
    "zh": "红色风筝 老城的桥 两只小船 早晨的阳光 从山上看 花园 房子 水 石头 教堂 夏天 市场 街道 海岸 "
    "冬天 森林 湖 蓝色的门 木桌 咖啡",
}
LANGUAGE_WEIGHTS = {"en": 44, "de": 8, "fr": 8, "es": 8, "ru": 10, "ar": 4, "ja": 9, "zh": 9}
PATHS = (
    ("A@/href", 78),
    ("IMG@/src", 14),
    ("DIV@style/background", 1),
    ("FORM@/action", 1),
    ("IFRAME@/src", 1),
    ("LINK@/href", 5),
)
SEED = 20240518
VOCABULARY = {lang: words.split() for lang, words in WORDS.items()}
COMMON_SHARE = 0.4
"""Of the image links, where there are common images."""


def write_wat(
    path: Path,
    megabytes: int,
    seed: int = SEED,
    vocabulary: Mapping[str, Sequence[str]] = VOCABULARY,
    common: Sequence[dict[str, str]] = (),
) -> dict[str, int]:
    """Write about so many uncompressed megabytes (10^6 bytes); return counts: links, image_links, plain_bytes.

    Texts are words of a language's `vocabulary`, each as likely as it is often there. `common` are image links that
    pages share, the first ones the most often.
    """
    rng = random.Random(seed)
    counts = {"links": 0, "image_links": 0, "pages": 0, "plain_bytes": 0}
    pool: list[str] = []
    with path.open("wb") as file:

        def put(record: bytes) -> None:
            packer = zlib.compressobj(6, wbits=31)
            file.write(packer.compress(record) + packer.flush())
            counts["plain_bytes"] += len(record)

        put(_record("warcinfo", "", b"Software-Info: ia-web-commons\r\nisPartOf: CC-MAIN-2024-22\r\n"))
        while counts["plain_bytes"] < megabytes * 1_000_000:
            _put_page(rng, pool, counts, put, vocabulary, common)
    return counts


def _put_page(
    rng: random.Random,
    pool: list[str],
    counts: dict[str, int],
    put: Callable[[bytes], None],
    vocabulary: Mapping[str, Sequence[str]],
    common: Sequence[dict[str, str]],
) -> None:
    lang = rng.choices(list(LANGUAGE_WEIGHTS), LANGUAGE_WEIGHTS.values())[0]
    words = vocabulary[lang]
    host = f"www.{_slug(rng, 2)}.{rng.choice(('com', 'org', 'net', 'de', 'fr', 'ru', 'jp'))}"
    page_url = f"https://{host}/{_slug(rng, 3)}/{rng.randrange(10**6)}.html"
    links = [_link(rng, host, words, pool, counts, common) for _ in range(rng.randrange(20, 341))]
    head = {
        "Metas": [{"name": "viewport", "content": "width=device-width"}] * 2,
        "Title": _words(rng, words, 8),
        "Link": [{"path": "LINK@/href", "url": f"https://{host}/{_slug(rng, 3)}.css", "rel": "stylesheet"}] * 6,
        "Scripts": [{"path": "SCRIPT@/src", "url": f"https://{host}/{_slug(rng, 3)}.js", "type": "text/javascript"}]
        * 6,
    }
    if rng.random() < 0.04:
        head["Base"] = f"https://{host}/{_slug(rng, 1)}/"
    headers = {"Server": "nginx", "Content-Type": "text/html; charset=UTF-8", "Vary": ["Accept-Encoding", "Cookie"]}
    response = {"Response-Message": {"Version": "HTTP/1.1", "Status": "200", "Reason": "OK"}, "Headers": headers}
    request = {"Request-Message": {"Method": "GET", "Version": "HTTP/1.1", "Path": "/"}, "Headers": {"Host": host}}
    page = {**response, "HTML-Metadata": {"Head": head, "Links": links}, "Entity-Length": "81920"}
    for kind, payload in (
        ("request", {"HTTP-Request-Metadata": request}),
        ("response", {"HTTP-Response-Metadata": page}),
        ("metadata", {"WARC-Metadata-Metadata": {"Metadata-Records": [{"Name": "fetchTimeMs", "Value": "377"}] * 3}}),
    ):
        names = {"WARC-Type": kind, "WARC-Target-URI": page_url, "WARC-Date": "2024-05-18T01:58:10Z"}
        container = {"Filename": "CC-MAIN-20240517233122-20240518023122-00000.warc.gz", "Compressed": True}
        envelope = {"Payload-Metadata": payload, "Format": "WARC", "WARC-Header-Metadata": names}
        record = {"Container": container, "Envelope": envelope}
        put(_record("metadata", page_url, json.dumps(record, ensure_ascii=False, separators=(",", ":")).encode()))
    counts["pages"] += 1
    counts["links"] += len(links)


def _link(
    rng: random.Random,
    host: str,
    words: Sequence[str],
    pool: list[str],
    counts: dict[str, int],
    common: Sequence[dict[str, str]],
) -> dict[str, str]:
    path = rng.choices([name for name, _ in PATHS], [weight for _, weight in PATHS])[0]
    if path != "IMG@/src":
        url = f"https://{host}/{_slug(rng, 5)}/{_slug(rng, 6)}?id={rng.randrange(10**8)}&ref={_slug(rng, 2)}"
        return {"path": path, "url": url, "text": _words(rng, words, 5)}
    counts["image_links"] += 1
    if common and rng.random() < COMMON_SHARE:
        return common[int(len(common) * rng.random() ** 3)]
    draw = rng.random()
    name = f"{_slug(rng, 4)}/{rng.randrange(10**9)}"
    if draw < 0.20:
        url = "data:image/png;base64," + "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk" * 2
    elif draw < 0.34:
        url = rng.choice(("/images/", "../img/", "", "./media/", "/wp-content/uploads/2024/")) + name + ".jpg"
    elif draw < 0.38:
        url = f"//cdn.{host}/{name}.png"
    else:
        url = f"https://{host}/wp-content/uploads/{name}-{_slug(rng, 3)}.jpg"
    link = {"path": path, "url": url}
    draw = rng.random()
    if draw < 0.22:
        link["alt"] = ""
    elif draw < 0.88:
        if not pool or rng.random() < 0.6:
            pool.append(_words(rng, words, 9) + f" {rng.randrange(1000)}")
            link["alt"] = pool[-1]
        else:
            link["alt"] = rng.choice(pool)
    if rng.random() < 0.1:
        link["title"] = _words(rng, words, 4)
    return link


def _record(kind: str, page_url: str, body: bytes) -> bytes:
    target = f"WARC-Target-URI: {page_url}\r\n" if page_url else ""
    json_type = "application/json" if page_url else "application/warc-fields"
    return (
        (
            f"WARC/1.0\r\nWARC-Type: {kind}\r\n{target}WARC-Date: 2024-06-02T10:11:12Z\r\n"
            "WARC-Record-ID: <urn:uuid:01234567-89ab-cdef-0123-456789abcdef>\r\n"
            "WARC-Refers-To: <urn:uuid:fedcba98-7654-3210-fedc-ba9876543210>\r\n"
            f"Content-Type: {json_type}\r\nContent-Length: {len(body)}\r\n\r\n"
        ).encode()
        + body
        + b"\r\n\r\n"
    )


def _words(rng: random.Random, words: Sequence[str], most: int) -> str:
    return " ".join(rng.choices(words, k=rng.randrange(2, most + 1)))


def _slug(rng: random.Random, words: int) -> str:
    return "-".join(rng.choices(WORDS["en"].split(), k=words))


if __name__ == "__main__":
    print(json.dumps(write_wat(Path(sys.argv[1]), int(sys.argv[2]))))
