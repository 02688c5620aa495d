"""Why extraction drops candidates: the names in manifests. docs/extraction.md explains them.

Readers add reasons of their own (`bad_row` of tables, `bad_sample` and `no_image` of webdataset).
"""

NO_TEXT, SAME_TEXT = "no_text", "same_text"
LANGUAGE, LANG_SCORE, LISTED_WORD = "language", "lang_score", "listed_word"
LANGUAGE_UNKNOWN = "language_unknown"

KEPT = 0
TEXT_REASONS = ("", "blank_text", "short_text", "long_text", "broken_text", "email")
"""The text rules' reasons by their numbers; 0 is a text that stays."""
BLANK, SHORT, LONG, BROKEN, EMAIL = range(1, 6)
URL_REASONS = ("", "empty_url", "data_url", "bad_url", "scheme", "private_host", "blocked_host", "removed")
"""The URL rules' reasons by their numbers; 0 is a URL that stays."""
EMPTY, DATA, BAD, SCHEME, PRIVATE, BLOCKED, REMOVED = range(1, 8)
