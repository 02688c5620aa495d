"""Language-variant markup of wikitext, `-{zh-hans:信息; zh-hant:資訊}-`: what a reader without a preference sees.

MediaWiki's LanguageConverter converts the pages of a few wikis between scripts and norms. Only these wikis have the
markup; elsewhere `-{` is text. Source: MediaWiki, includes/language/LanguageConverterFactory.php (the wikis),
includes/language/converters/ (variants and their order), ConverterRule.php and LanguageConverter.php (flags, nesting).
"""

import re
from dataclasses import dataclass
from functools import cached_property

MAX_DEPTH = 10
"""MediaWiki converts no markup that nests deeper. It also bounds the work: each level is read once more."""

_VARIANTS = {
    "ban": "ban ban-bali ban-x-dharma ban-x-palmleaf ban-x-pku",
    "crh": "crh crh-latn crh-cyrl",
    "gan": "gan gan-hans gan-hant",
    "iu": "iu ike-cans ike-latn",
    "kk": "kk kk-cyrl kk-latn kk-arab kk-kz kk-tr kk-cn",  # switched off in 2023: older dumps hold the markup
    "ku": "ku ku-latn ku-arab",
    "mni": "mni mni-beng",
    "sh": "sh-latn sh-cyrl",
    "shi": "shi shi-tfng shi-latn",
    "sr": "sr sr-ec sr-el",
    "tg": "tg tg-latn",
    "tly": "tly tly-cyrl",
    "uz": "uz uz-latn uz-cyrl",
    "wuu": "wuu wuu-hans wuu-hant",
    "zgh": "zgh zgh-latn",
    "zh": "zh zh-hans zh-hant zh-cn zh-tw zh-hk zh-sg zh-mo zh-my",
}
"""The variants of each wiki that has the markup: that of readers without a preference, then those it falls back to."""

# Other names of variants: those of BCP 47.
_ALIASES = {
    "sr-cyrl": "sr-ec",
    "sr-latn": "sr-el",
    "zh-hans-cn": "zh-cn",
    "zh-hans-my": "zh-my",
    "zh-hans-sg": "zh-sg",
    "zh-hant-hk": "zh-hk",
    "zh-hant-mo": "zh-mo",
    "zh-hant-tw": "zh-tw",
}
# Runs of braces are counted: in `{{{1}}}-` no brace belongs to a `}-`.
_MARK = re.compile(r"-\{(?!\{)|\{\{+|\}+-?")
_LINK = re.compile(r"\[\[|\]\]|\{\{|\}\}|\|")
_SILENT = frozenset("HTN-")


@dataclass(frozen=True)
class Variants:
    """The variants of a wiki, in the order in which one is taken."""

    codes: tuple[str, ...]

    @classmethod
    def of(cls, lang: str | None) -> "Variants | None":
        """Return the variants of a Wikipedia by its code; None if its pages have no such markup."""
        codes = _VARIANTS.get(lang or "")
        return cls(tuple(codes.split())) if codes else None

    @cached_property
    def _names(self) -> dict[str, str]:
        aliases = {alias: code for alias, code in _ALIASES.items() if code in self.codes}
        return {code: code for code in self.codes} | aliases

    @cached_property
    def _separator(self) -> re.Pattern[str]:
        # A semicolon separates forms only before a form, or at the end: `-{zh-hans:a&amp;b; zh-hant:c;}-`.
        names = "|".join(map(re.escape, self._names))
        return re.compile(rf";(?=\s*+(?:(?:{names})\s*+:|[^;:]*=>\s*+(?:{names})\s*+:|\Z))", re.IGNORECASE)

    def shown(self, text: str) -> str:
        """Return a text with each markup replaced by the form that it shows. Markup without an end is left.

        >>> Variants.of("zh").shown("-{zh-cn:软件; zh-tw:軟體}-很-{好}-。-{H|zh-cn:博客;zh-tw:部落格}-")
        '软件很好。'
        """
        if "-{" not in text:
            return text
        open_: list[_Open] = []
        pieces: list[str] = []
        start = braces = 0
        for mark in _MARK.finditer(text):
            run = mark[0]
            if run == "-{":
                if len(open_) < MAX_DEPTH:
                    pieces.append(text[start : mark.start()])
                    open_.append(_Open(len(pieces), braces))
                    start, braces = mark.end(), 0
                continue
            if run[0] == "{":
                braces += len(run)
                continue
            size = len(run.rstrip("-"))
            # A single brace before the dash ends the markup even if a template in it has no end.
            closes = open_ and run[-1] == "-" and (size == 1 or size > braces)
            if not closes:
                braces = max(braces - size, 0) if size > 1 else braces
                continue
            pieces.append(text[start : mark.end() - 2])
            opened = open_.pop()
            inner = "".join(pieces[opened.piece :])
            del pieces[opened.piece :]
            pieces.append(self._show(inner))
            start, braces = mark.end(), opened.braces
        # Markup without an end is text.
        for opened in open_:
            pieces[opened.piece - 1] += "-{"
        pieces.append(text[start:])
        return "".join(pieces)

    def _show(self, rule: str) -> str:
        """Return what one markup shows, given what stands between its brackets."""
        flags, rule = _split_flags(rule)
        if "R" in flags:
            return rule
        if "A" not in flags and flags & _SILENT and "D" not in flags:
            return ""
        if flags & self._names.keys():
            return rule
        forms = self._forms(rule)
        if not forms:
            return rule
        if "D" in flags:
            return "; ".join(forms.values())
        return next((forms[code] for code in self.codes if code in forms), next(iter(forms.values())))

    def _forms(self, rule: str) -> dict[str, str]:
        """Return the forms of a rule by variant; none if the rule is a text, or if one of its variants is unknown."""
        forms: dict[str, str] = {}
        later: dict[str, str] = {}
        for part in self._separator.split(rule):
            name, colon, form = part.partition(":")
            if not colon:
                continue
            _, one_way, target = name.rpartition("=>")
            code = self._names.get(target.strip().lower())
            if code is None:
                return {}
            if one_way:
                later.setdefault(code, form.strip())
            elif form.strip():
                forms[code] = form.strip()
        return forms | {code: form for code, form in later.items() if code not in forms}


@dataclass(frozen=True)
class _Open:
    """A markup that is open: its first piece, and the braces of templates that are open around it."""

    piece: int
    braces: int


def _split_flags(rule: str) -> tuple[set[str], str]:
    """Return the flags of a rule and the rest. A `|` within a link or a template does not end flags.

    >>> _split_flags("A|zh:a"), _split_flags("[[a|b]]")
    (({'A'}, 'zh:a'), (set(), '[[a|b]]'))
    """
    depth = 0
    for mark in _LINK.finditer(rule):
        if mark[0] == "|":
            if not depth:
                flags = {flag.strip() for flag in rule[: mark.start()].split(";")}
                return flags - {""}, rule[mark.end() :]
        elif mark[0] in ("[[", "{{"):
            depth += 1
        else:
            depth = max(depth - 1, 0)
    return set(), rule
