"""The scripts of the page, and the policy that lets these run and no others.

A script within the page runs only if the policy has the hash of its bytes, so a text that became a script in spite of
all escapes would not run. `strict-dynamic` lets such a script load another one: `search.js` loads `entries/<lang>.js`.
"""

from base64 import b64encode
from functools import lru_cache
from hashlib import sha256
from importlib.resources import files

from markupsafe import Markup

SCRIPTS = ("search", "whatif")


@lru_cache(len(SCRIPTS))
def script(name: str) -> Markup:
    """Return the text of one of SCRIPTS, for a `<script>` element."""
    return Markup(files("curation.report").joinpath(f"{name}.js").read_text("utf-8"))


@lru_cache(1)
def policy() -> str:
    """Return the content security policy of the page."""
    hashes = " ".join(f"'sha256-{b64encode(sha256(script(name).encode()).digest()).decode()}'" for name in SCRIPTS)
    return (
        f"default-src 'none'; script-src {hashes} 'strict-dynamic'; img-src data:; style-src 'unsafe-inline'; "
        "base-uri 'none'; form-action 'none'"
    )
