"""Texts for comparing classifiers with the library: everything that decides where a token or an n-gram ends."""

import random

PIECES = (
    *("the", "haus", "дом", "猫", "a", "", "ß", "Hello", "WORLD", "foo-bar", "image_0012.jpg", "…", "日本語", "สวัสดี"),
    *("</s>", "</s>x", "x</s>", "<", ">", "__label__", "__label__de", "__label__l1", "__label", "x__label__"),
    *("\0", "q\0w", "\n", "\n\n", "a\nb", "\t", "\v", "\f", "\r", "\x1c", "\x85", "\xa0", "\u2028", "\u3000", " "),
    *("\u0301", "e\u0301", "\ufffd", "\ufeff", "\U0010ffff", "\ue000", "👩‍👩‍👧", "\u200d", "ﷺ", "𝒳", "\x7f"),
)
ALPHABETS = (
    "abcdefghijklmnopqrstuvwxyz",
    "etaoinshrdlu ",
    "абвгдежзиклмнопрст ",
    "的一是不了人我在有他",
    "あいうえおかきく ",
    "ابتثجح ",
)


def generated_texts(count: int, seed: int) -> list[str]:
    """Some texts: pieces between blanks, letters of an alphabet, any code points, and now and then a long one."""
    rng = random.Random(seed)
    texts = []
    for number in range(count):
        kind = number % 4
        if kind == 0:
            text = " ".join(rng.choice(PIECES) for _ in range(rng.randint(0, 9)))
        elif kind == 1:
            text = "".join(rng.choices(rng.choice(ALPHABETS), k=rng.randint(0, 60)))
        elif kind == 2:
            points = (rng.randint(0, rng.choice((0x7F, 0x24F, 0xFFFF, 0x10FFFF))) for _ in range(rng.randint(0, 20)))
            text = "".join(chr(point) for point in points if not 0xD800 <= point <= 0xDFFF)
        else:
            text = "".join(rng.choice(PIECES) for _ in range(rng.randint(1, 5)))
        if number % 5000 == 9:
            text = (text or "x") * rng.randint(1, 10_000)
        texts.append(text)
    return texts
