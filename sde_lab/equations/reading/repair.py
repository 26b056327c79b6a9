"""A line with a mistake → the line as it would work, found by trying small changes."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterator

from sde_lab.equations.errors import EquationError
from sde_lab.equations.functions import FUNCTIONS
from sde_lab.equations.reading import read, vocabulary

MAX_TRIALS = 40
"""Changes that are tried at most."""
MAX_LINE_CHARS = 400
"""Length of a line up to which changes are tried."""
_LOOKALIKES = str.maketrans(
    "аеорсухіѕԁАВЕКМНОРСТХοΑΒΕΖΗΙΚΜΝΟΡΤΥΧ", "aeopcyxisdABEKMHOPCTXoABEZHIKMNOPTYX"
)
_NO_REPAIR = (
    "no value",
    "no finite value",
    "at most",
    "numbers up to",
    "powers up to",
    "operations",
    "function here",
)
"""Hints on values and sizes, which no change of signs mends."""
_IMPOSSIBLE = ("not possible", "lies outside", "is empty")
"""Hints on what no small change makes possible; the line works without it."""
_PAIRS = {"]": ")", ")": "]", "}": ")", "[": "(", "{": "("}


def repaired_line(text: str, error: EquationError) -> str | None:
    """Return the line of an error as it would work, or None if no small change helps.

    A change counts if the whole text can be read with it, or if what cannot be read afterwards
    stands in a later line. Nothing is claimed of what was meant: it is a proposal to look at.
    """
    lines = text.split("\n")
    if any(words in error.hint for words in _NO_REPAIR):
        return None
    if not 1 <= error.line <= len(lines) or len(lines[error.line - 1]) > MAX_LINE_CHARS:
        return None
    line = lines[error.line - 1]
    tried: set[str] = {line}
    for candidate in _candidates(line, error):
        if candidate in tried or not candidate.strip():
            continue
        tried.add(candidate)
        if len(tried) > MAX_TRIALS:
            break
        if _works("\n".join([*lines[: error.line - 1], candidate, *lines[error.line :]]), error):
            return candidate.strip()
    return None


def _works(text: str, error: EquationError) -> bool:
    try:
        read(text)
    except EquationError as other:
        return other.line > error.line
    return True


def _candidates(line: str, error: EquationError) -> Iterator[str]:
    """Yield lines with one change each, the likeliest first."""
    place = min(error.column - 1, len(line))
    before, rest = line[:place], line[place:]
    token = re.match(r"\\?\w+|\S", rest)
    word = token[0] if token else ""
    after = rest[len(word) :]
    if any(words in error.hint for words in _IMPOSSIBLE):
        yield from _of_the_possible(line, place, error)
        return
    yield from _of_the_hint(line, place, word, error)
    yield from _with_bracket(line, place)
    yield f"{before}{after}"
    yield f"{before.rstrip().rstrip('+-*/^')}{rest}"
    yield f"{before.rstrip().rstrip('+-*/^')} {after.lstrip()}"
    yield f"{before}*{rest}"
    yield re.sub(r"([-+*/^])\s*[+*/^]", r"\1 ", line)
    yield f"{line}*dt"
    yield f"{before}1{rest}"
    if "=" not in line:
        yield re.sub(r"^(\s*d\w+)\s+", r"\1 = ", line)
    yield before.rstrip().rstrip("+-*/^,")


def _of_the_possible(line: str, place: int, error: EquationError) -> Iterator[str]:
    """Yield the line without what is not possible, or without a range that is none."""
    if "delays" in error.hint:
        yield re.sub(r"\(\s*t\s*-[^)]*\)", "", line)
    elif "not possible" in error.hint:
        yield _without_term(line, place)
    else:
        yield re.sub(r"\s*in\s*\[[^\]]*\]", "", line)


def _of_the_hint(line: str, place: int, word: str, error: EquationError) -> Iterator[str]:
    """Yield the line with what the message names."""
    before, after = line[:place], line[place + len(word) :]
    yield line.translate(_LOOKALIKES)
    yield line.replace("==", "=")
    if "decimal point" in error.hint:
        yield re.sub(r"(\d),(\d)", r"\1.\2", line)
    if word in _PAIRS:
        yield f"{before}{_PAIRS[word]}{after}"
    if "leave dt out" in error.hint:
        yield re.sub(r"\s*\*?\s*\bdt\b(?!\s*=)(?<!/dt)", "", line)
    if "is not a function" in error.hint or "does not define" in error.hint:
        for name in difflib.get_close_matches(word, [*FUNCTIONS, *vocabulary.FUNCTION_NAMES], 2):
            yield f"{before}{name}{after}"
    if "put *" in error.hint:
        yield f"{before}{word}*{after.lstrip()}"
        yield f"{before}*{word}{after}"
    if "neither dt nor a noise" in error.hint:
        yield from _with_differential(line, place)
    if match := re.search(r"did you mean (\w+)", error.hint):
        yield f"{before}{match[1]}{after}"


def _without_term(line: str, place: int) -> str:
    """Return the line without the term, or the part behind a semicolon, at a place."""
    start = max(line.rfind(sign, 0, place) for sign in "+-;")
    ends = [end for sign in "+-;" if (end := line.find(sign, place)) >= 0]
    return line[: max(start, 0)].rstrip() + (f" {line[min(ends) :]}" if ends else "")


def _with_differential(line: str, place: int) -> Iterator[str]:
    """Yield the line with dt behind the term that begins at a place, or behind later ones."""
    depth = 0
    for index in range(place, len(line)):
        depth += (line[index] in "([{") - (line[index] in ")]}")
        if depth <= 0 and index > place and (line[index] in "+-;," or line[index] in ")"):
            yield f"{line[:index].rstrip()}*dt {line[index:]}"
    yield f"{line.rstrip()}*dt"
    head, relation, right = line.partition("=")
    if relation:
        yield f"{head}= ({right.strip()})*dt"


def _with_bracket(line: str, place: int) -> Iterator[str]:
    """Yield the line with one more bracket: before the differentials, at the place, at an end."""
    opened = line.count("(") - line.count(")")
    if opened > 0:
        for match in re.finditer(r"\s*\*?\s*\bd(?:t|[WBZ]\w*)", line):
            yield f"{line[: match.start()]}){line[match.start() :]}"
        yield f"{line[:place]}){line[place:]}"
        yield line.rstrip() + ")" * opened
    elif opened < 0:
        head, relation, right = line.partition("=")
        yield f"{head}{relation} ({right.lstrip()}"
        for match in reversed(list(re.finditer(r"\)", line))):
            yield f"{line[: match.start()]}{line[match.end() :]}"
