"""The clue rule: which words of a clue say the target or a related word, and how.

A word is said when it stands there as it is, in another form (equal stem, or a listed irregular form), as a real part
of a compound, or in pieces (`e-l-e-p-h-a-n-t`, `ele-phant`). Punctuation, line breaks, hyphens, letter case, accents
and invisible characters hide nothing. A stop word counts only when it is the forbidden word itself, so that nothing
excuses a forbidden `just`, and `each` in a clue for `beach` is no part of it.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Mapping
from functools import lru_cache
from itertools import pairwise, product
from typing import Any, Literal, NamedTuple, TypeAlias, cast

from games import material

PACKAGE = "games.taboo"

How: TypeAlias = Literal["same", "form", "part", "pieces"]
"""The word itself; another form of it; one is a compound that the other is part of; letter by letter or split."""

_WORD = re.compile(r"[^\W\d_]+")
_ASCII_WORD = re.compile(r"[a-z]+")
_LONGEST = 60
"""No word of a dictionary is longer: beyond it nothing is stemmed or cached, and to contain a word is to say it."""
_SHORTEST_PART = 4
_SHORTEST_REST = 3
_UNSEEN = frozenset({"Mn", "Me", "Cf"})
_UMLAUT = "\u0308"
_PLAIN = str.maketrans("äöü", "aou")
_ENDINGS = str.maketrans("ey", "ii")

_LINKS: Mapping[str, tuple[str, ...]] = {"en": ("s",), "de": ("s", "es", "n", "en", "er", "e")}
_PLURAL = {"en": re.compile("s$"), "de": re.compile("(?:n|en|e|s|er)$")}
_PREFIXES: Mapping[str, frozenset[str]] = {"en": frozenset({"un", "non"}), "de": frozenset({"un"})}
_SUFFIXES: Mapping[str, re.Pattern[str]] = {
    "en": re.compile(
        r"(?:er|or|ist|ing|ed|ful|less|ness|ish|like|ly|let|ling|ship|hood|dom|ess|able|al|ment|y)(?:e?s)?"
    ),
    "de": re.compile(
        r"(?:chen|lein|in|inn|er|ler|ung|heit|keit|schaft|los|haft|voll|bar|sam|lich|ig|isch|tum)(?:e[nmrs]?|s|n)?"
    ),
}
"""Endings that make a new word of an old one where the stemmer does not take them off."""


class Fault(NamedTuple):
    """One forbidden thing in a clue: what was said, which word it gives away (0 is the target), and how."""

    said: str
    place: int
    how: How


def fold(text: str, language: str) -> str:
    """Lower case without accents (German keeps its umlauts, and `ss` for `ß`) and without invisible characters."""
    if text.isascii():
        return text.lower()
    apart = unicodedata.normalize("NFKD", text.casefold())
    kept = (c for c in apart if unicodedata.category(c) not in _UNSEEN or (language == "de" and c == _UMLAUT))
    return unicodedata.normalize("NFC", "".join(kept)).casefold()


def tokens(text: str, language: str) -> list[str]:
    """The words of a text, folded; hyphens, apostrophes, digits and line breaks separate them."""
    return _words(fold(text, language))


def _words(folded: str) -> list[str]:
    return (_ASCII_WORD if folded.isascii() else _WORD).findall(folded)


@lru_cache(maxsize=4)
def _stemmer(language: str) -> Callable[[str], str]:
    import snowballstemmer  # takes 60 ms, and listing the games needs no stems

    kind = {"en": snowballstemmer.EnglishStemmer, "de": snowballstemmer.GermanStemmer}[language]
    return cast(Any, kind()).stemWord


@lru_cache(maxsize=4)
def _irregular(language: str) -> Mapping[str, str]:
    lines = (fold(line, language).split() for line in material.lines(PACKAGE, f"material/forms_{language}.txt"))
    return {form: base for base, *forms in lines for form in forms}


def stem(word: str, language: str) -> str:
    """The Snowball stem of a folded word."""
    return word if len(word) > _LONGEST else _stem(word, language)


@lru_cache(maxsize=65536)
def _stem(word: str, language: str) -> str:
    return _stemmer(language)(word)


def base(word: str, language: str) -> str:
    """What an irregular form comes from (`mouse` for `mice`), or the word itself."""
    return _irregular(language).get(word, word)


def same_stem(a: str, b: str, language: str) -> bool:
    """Whether two folded words are forms of one word, regular or irregular."""
    of_a, of_b = base(a, language), base(b, language)
    if of_a is a and of_b is b:
        return _alike(a, b) and stem(a, language) == stem(b, language)
    return any(_alike(x, y) and stem(x, language) == stem(y, language) for x, y in product((a, of_a), (b, of_b)))


def _alike(a: str, b: str) -> bool:
    """Whether two words begin alike: if not they cannot have one stem, and the stemmer, which is slow, is not asked."""
    n = min(3, len(a), len(b))
    return a[:n] == b[:n] or beginning(a, n) == beginning(b, n)


def beginning(word: str, n: int) -> str:
    """The first letters with a sign for what endings change: `dry` and `dries`, `use` and `using`, `Baum`, `Bäume`."""
    bare = plain(word[: n + 2]).replace("ae", "a").replace("oe", "o").replace("ue", "u")
    return bare.translate(_ENDINGS)[:n]


@lru_cache(maxsize=4)
def stop_words(language: str) -> frozenset[str]:
    """Words that carry no content, folded."""
    return frozenset(fold(line, language) for line in material.lines(PACKAGE, f"material/stopwords_{language}.txt"))


@lru_cache(maxsize=4)
def known_words(language: str) -> frozenset[str]:
    """The guesser's vocabulary and the stop words: what may be the other half of a compound. Without umlauts."""
    vocabulary = material.lines(PACKAGE, f"material/vocabulary_{language}.txt")
    return frozenset(plain(word) for word in (*stop_words(language), *(fold(v.strip(), language) for v in vocabulary)))


def plain(word: str) -> str:
    """A folded word without umlauts, since forms and compounds change them: `haus` in `häuserzeile`."""
    return word if word.isascii() else word.translate(_PLAIN)


@lru_cache(maxsize=4)
def _unrelated(language: str) -> frozenset[frozenset[str]]:
    """Pairs of words that look alike by chance."""
    lines = (fold(line, language).split() for line in material.lines(PACKAGE, f"material/unrelated_{language}.txt"))
    return frozenset(frozenset((a, b)) for a, *others in lines for b in others)


@lru_cache(maxsize=65536)
def relation(said: str, word: str, language: str) -> How | None:
    """How one folded word of a clue gives a folded forbidden word away; None where it does not."""
    if said == word:
        return "same"
    if said in stop_words(language):
        return None
    how: How | None = "form" if same_stem(said, word, language) else None
    if how is None:
        a, b = plain(base(said, language)), plain(base(word, language))
        part, whole = (a, b) if len(a) <= len(b) else (b, a)
        if len(part) < _SHORTEST_PART or part[:_SHORTEST_PART] not in whole:
            return None
        how = "part" if _is_part(part, whole, language, shortened=part is a) else None
    return None if how is not None and frozenset((said, word)) in _unrelated(language) else how


def _is_part(part: str, whole: str, language: str, *, shortened: bool) -> bool:
    """Whether one word is made of another: `flash` and `flashlight`, `teach` and `teacher`, not `hair` and `chair`."""
    if _inflected(whole, language):
        return False
    for a in dict.fromkeys((part, stem(part, language))):
        for b in dict.fromkeys((whole, stem(whole, language), _PLURAL[language].sub("", whole))):
            if len(a) < _SHORTEST_PART or len(a) >= len(b):
                continue
            if b.startswith(a) and (_ends(b[len(a) :], language, shortened) or _is_rest(b[len(a) :], language, 0)):
                return True
            if b.endswith(a) and (b[: -len(a)] in _PREFIXES[language] or _is_rest(b[: -len(a)], language, -1)):
                return True
    return False


def _inflected(word: str, language: str) -> bool:
    """Whether a word is a long form of a word we know, so that what looks like a part is not: `thin` in `thinking`."""
    base = stem(word, language)
    return len(word) - len(base) >= 3 and not known_words(language).isdisjoint({base, f"{base}e", f"{base}en"})


def _ends(rest: str, language: str, shortened: bool) -> bool:
    # `part` is no part of `party`, while `rainy` says `rain`
    return _SUFFIXES[language].fullmatch(rest) is not None and not (shortened and rest == "y")


def _is_rest(rest: str, language: str, side: int) -> bool:
    """Whether what is left of a compound is a word, with or without a linking sound on the inner side."""
    known = known_words(language)
    for link in ("", *_LINKS[language]):
        if side == 0 and link and rest.startswith(link):
            inner = rest[len(link) :]
        elif side == -1 and link and rest.endswith(link):
            inner = rest[: -len(link)]
        elif not link:
            inner = rest
        else:
            continue
        if len(inner) >= _SHORTEST_REST and (inner in known or stem(inner, language) in known):
            return True
    return False


class _Forbidden(NamedTuple):
    """The forbidden words of an instance, and what tells at a glance that a word has nothing to do with them."""

    wholes: tuple[tuple[str, int], ...]
    """Each word in one piece, and of how many words it is made."""
    keys: frozenset[str]
    """The first two letters of all their forms."""
    parts: tuple[str, ...]
    """The first letters of those that could be part of another word."""
    text: str
    """All of them, to look for parts in."""


@lru_cache(maxsize=8192)
def _forbidden(words: tuple[str, ...], language: str) -> _Forbidden:
    made = [tokens(word, language) for word in words]
    wholes = tuple(("".join(pieces), len(pieces)) for pieces in made)
    bare = {plain(form) for whole, size in wholes if size for form in (whole, base(whole, language))}
    keys = {word[:2] for word in bare}
    if language == "de":
        keys |= {f"{word[0]}e" for word in bare} | {word[0] + word[2:3] for word in bare if word[1:2] == "e"}  # aepfel
    parts = tuple(word[:_SHORTEST_PART] for word in bare if len(word) >= _SHORTEST_PART)
    return _Forbidden(wholes, frozenset(keys), parts, "\n".join(bare))


def faults(clue: str, target: str, related: tuple[str, ...], language: str) -> list[Fault]:
    """Every way in which a clue breaks the rule, target first; nothing for a legal one."""
    words = (target, *related)
    forbidden = _forbidden(words, language)
    text = fold(clue, language)
    said = _words(text)
    found = [
        Fault(one, n, how)
        for one in _suspects(said, text, forbidden, language)
        for n, (whole, size) in enumerate(forbidden.wholes)
        if size and (how := _how(one, whole, size, language))
    ]
    joined = "".join(said)
    for n, (whole, size) in enumerate(forbidden.wholes):
        if size and whole in joined and all(fault.place != n for fault in found):
            stretch = _in_pieces(text, whole, size, language)
            found.extend([Fault(stretch, n, "pieces")] if stretch else [])
    return sorted(found, key=lambda fault: fault.place) if found else found


def _suspects(said: list[str], text: str, forbidden: _Forbidden, language: str) -> dict[str, None]:
    """The words of a clue that are worth a closer look, which few are."""
    _, keys, parts, listed = forbidden
    irregular = _irregular(language)
    bare = plain(text)
    inside = [part for part in parts if part in bare]
    return {
        one: None
        for one, word in zip(said, said if bare is text else _words(bare), strict=True)
        if word[:2] in keys
        or one in irregular
        or (word[:_SHORTEST_PART] in listed and len(word) >= _SHORTEST_PART)
        or (inside and any(part in word for part in inside))
    }


def _how(said: str, whole: str, size: int, language: str) -> How | None:
    if len(said) > _LONGEST:
        return "part" if whole in said else None
    how = relation(said, whole, language)
    return None if size > 1 and how == "part" else how  # `cream` may be said where `ice cream` may not


def _in_pieces(text: str, whole: str, least: int, language: str) -> str:
    """The stretch of a folded clue that spells a forbidden word over several words; empty where there is none."""
    spans = [match.span() for match in _WORD.finditer(text)]
    starts: dict[int, int] = {}
    ends: dict[int, int] = {}
    offset = 0
    for n, (start, end) in enumerate(spans):
        starts[offset] = n
        offset += end - start
        ends[offset] = n
    joined = "".join(text[start:end] for start, end in spans)
    at = joined.find(whole)
    while at >= 0:
        first, last = starts.get(at), ends.get(at + len(whole))
        if first is not None and last is not None and last > first:
            stretch = spans[first : last + 1]
            if least > 1 or not _by_chance(text, stretch, language):
                return text[stretch[0][0] : stretch[-1][1]]
        at = joined.find(whole, at + 1)
    return ""


def _by_chance(text: str, spans: list[tuple[int, int]], language: str) -> bool:
    """Whether words that happen to spell a forbidden one were meant as words: `to get her`, `is land`."""
    pieces = [text[start:end] for start, end in spans]
    if all(len(piece) == 1 for piece in pieces):
        return False
    gaps = (text[a[1] : b[0]] for a, b in pairwise(spans))
    if not all(gap.isspace() for gap in gaps):
        return False
    stops = [piece for piece in pieces if piece in stop_words(language) and (len(piece) > 1 or piece in {"a", "i"})]
    return len(stops) >= max(1, len(pieces) - 1)
