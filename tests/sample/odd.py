"""What a real crawl holds besides good pages: one of each kind is on every page's turn."""

from typing import Any

from tests.sample.wat import Page

_PIXEL = "data:image/gif;base64,R0lGODlhAQABAIAAAP///wAAACH5BAEAAAAALAAAAAABAAEAAAICRAEAOw=="


def odd_links(good: str) -> dict[str, dict[str, Any]]:
    """Odd links by what is odd about them; `good` is the absolute address of a picture that exists."""

    def image(url: str | None, alt: str | None = None, **more: str) -> dict[str, Any]:
        fields = {"path": "IMG@/src", "url": url, "alt": alt, **more}
        return {name: value for name, value in fields.items() if value is not None}

    cut = len(good) // 2
    return {
        "empty_link": {},
        "no_url": image(None, "A picture without an address in the meadow"),
        "empty_url": image("", "An empty address and a red boat by the sea"),
        "blank_url": image("  ", "A blank address and a red boat by the sea"),
        "blanks_around_url": image(f"  {good}\n ", "A picture with blanks around its address"),
        "newline_in_url": image(f"{good[:cut]}\n\t{good[cut:]}", "A picture with a tab and a newline in its address"),
        "blank_in_url": image(f"{good}?name=summer holiday.jpg", "A picture with a blank in its address"),
        "fragment": image(f"{good}#top", "A picture and a fragment of its address"),
        "bad_host": image("http://[1/cat.jpg", "A host that is no host"),
        "bad_port": image("http://pictures.example:99999/cat.jpg", "A port that is no port"),
        "private_host": image("http://10.0.0.1/cat.jpg", "A cat in a private network"),
        "metadata_host": image("http://169.254.169.254/latest/meta-data/logo.png", "A logo where keys are kept"),
        "private_ipv6": image("http://[::ffff:192.168.0.7]/cat.jpg", "A cat in a disguised private network"),
        "numeric_host": image("http://167772161/cat.jpg", "A cat in a private network, as one number"),
        "localhost": image("http://localhost:1/cat.jpg", "A cat on this very machine"),
        "ftp": image("ftp://pictures.example/boat.jpg", "A boat on a file server"),
        "javascript": image("javascript:alert(1)", "A picture that is a script"),
        "file": image("file:///etc/passwd", "A file that is nobody's business"),
        "scheme_case": image(good.replace("http:", "HTTP:"), "A photo with a loud scheme in the address"),
        "mojibake": image(good, "CafÃ© mit schÃ¶nem Blick Ã¼ber die DÃ¤cher"),
        "replacement_character": image(good, "Une maison bleue \ufffd c\ufffdt\ufffd de la for\ufffdt"),
        "long_alt": image(good, "A red boat by the sea and a white house on the beach, seen in the morning. " * 45),
        "script": image(good, "A red house <script>alert(1)</script> by the sea"),
        "quotes": image(good, "\"><img src=x onerror='alert(2)'> a 'red' \"house\" & a boat"),
        "entities": image(good, "Fish &amp; chips &lt;b&gt;by the sea&lt;/b&gt;"),
        "lines_in_alt": image(good, "A red house\r\nby the sea\tand\n\na boat"),
        "null_in_alt": image(good, "A red boat \x00 by the sea \x1b[31m"),
        "bidi_alt": image(good, "A photo of a \u202etac\u202c on the beach"),
        "emoji": image(good, "A happy cat 🐱 in the snow ❄️ at night 🌃"),
        "separator": image(good, "A lighthouse\u2028by the sea"),
        "data_alt": image(_PIXEL, "A photo of a boat by the sea that nobody can download"),
        "numbers": image(good, "IMG_20190704_173355.jpg"),
        "title_only": image(good, None, title="A title of a photo without an alt text"),
        "other_path": {"path": "INPUT@/src", "url": good, "alt": "A button with a picture of a heart"},
        "background": {"path": "TD@/background", "url": good},
        "no_path": {"url": good, "alt": "A link that does not say what it is"},
    }


def odd_pages(host: str) -> dict[str, Page]:
    """Odd pages by what is odd about them."""
    at = f"http://{host}/odd"
    link = {"path": "IMG@/src", "url": "boat.jpg", "alt": "A boat that is on no page"}
    head = {"Title": "An odd page"}
    twice = {"Set-Cookie": ["a=1; path=/", "b=2; path=/"], "X-Cache": ["HIT", "MISS"]}
    return {
        "empty_html": Page(f"{at}/empty-html", {}),
        "empty_head_and_links": Page(f"{at}/empty-head", {"Head": {}, "Links": []}),
        "no_head": Page(f"{at}/no-head", {"Links": [link]}),
        "no_links": Page(f"{at}/no-links", {"Head": head}),
        "links_object": Page(f"{at}/links-object", {"Head": head, "Links": {}}),
        "bad_base": Page(f"{at}/bad-base", {"Head": {**head, "Base": "http://[1/"}, "Links": [link]}),
        "relative_base": Page(f"{at}/relative-base", {"Head": {**head, "Base": "../other/"}, "Links": [link]}),
        "blank_in_uri": Page(f"{at}/a page with blanks", {"Head": head, "Links": [link]}),
        "repeated_header": Page(f"{at}/repeated-header", {"Head": head, "Links": [link]}, headers=twice),
        "pdf": Page(f"{at}/leaflet.pdf", None, content_type="application/pdf"),
        "broken_json": Page(f"{at}/broken", {"Head": head, "Links": [link] * 20}, broken=True),
    }
