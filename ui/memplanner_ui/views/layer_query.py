"""The language of the layers' filter: ``type:Linear size>100MiB -name:lm_head``.

Terms stand beside each other and all have to hold; ``-`` before one turns it round. A word alone
is looked for in names and types. Capitals do not matter.
"""

from __future__ import annotations

import operator
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Protocol

import numpy as np
import numpy.typing as npt

from memplanner.errors import MemplannerError
from memplanner.units import parse_bytes
from memplanner_ui.language import translatable, translate

Integers = npt.NDArray[np.int64]
Booleans = npt.NDArray[np.bool_]

_WORD_KEYS = ("name", "type", "dtype", "trainable")
_SIZE_KEYS: Mapping[str, str] = {
    "size": "size",
    "total": "size",
    "parameters": "parameters",
    "param": "parameters",
    "gradients": "gradients",
    "grad": "gradients",
    "optimizer_state": "optimizer_state",
    "optimizer": "optimizer_state",
    "optim": "optimizer_state",
    "activations": "activations",
    "activ": "activations",
    "kv_cache": "kv_cache",
    "kv": "kv_cache",
    "temporaries": "temporaries",
    "temp": "temporaries",
    "communication": "communication",
    "comm": "communication",
    "overhead": "overhead",
    "other": "other",
}
"""What can be written for each column; the columns' short titles are among them."""
_COMPARE: Mapping[str, Callable[[Integers, int], Booleans]] = {
    ">": operator.gt,
    "<": operator.lt,
    ">=": operator.ge,
    "<=": operator.le,
    "=": operator.eq,
}
_DTYPES: Mapping[str, str] = {
    "bf16": "bfloat16",
    "fp16": "float16",
    "half": "float16",
    "fp32": "float32",
    "fp64": "float64",
    "fp8": "float8",
}
"""The field's short names, as torch begins them."""
_ANSWERS: Mapping[str, bool] = {"yes": True, "true": True, "no": False, "false": False}

_TERM = re.compile(
    r"""(?P<minus>-)?
    (?:(?P<key>[^\W\d]\w*)\s*(?P<sign>>=|<=|>|<|=|:)(?P<space>\s*)
       (?P<value>"[^"]*"|[0-9.]+\s+(?:[KMGT]i?)?B\b|[^\s"]*)
    |(?P<word>"[^"]*"|[^\s"]+))""",
    re.VERBOSE | re.IGNORECASE,
)

HELP = translatable(
    "Views",
    "Words are looked for in names and types. Terms, all of which have to "
    "hold:<br><b>name:</b>mlp, <b>type:</b>Linear, <b>type=</b>Linear (nothing "
    "longer)<br><b>size&gt;</b>100MiB, <b>activations&gt;=</b>1GiB, and any other "
    "category<br><b>dtype:</b>bf16 and <b>trainable:</b>yes, of a module’s own "
    "parameters<br>A comma means either: <b>type:</b>Linear,Embedding. A minus "
    "turns a term round: <b>-name:</b>lm_head",
)
"""The filter's tool tip, as rich text."""


class QueryError(MemplannerError):
    """A term of a query means nothing; ``str(error)`` is the sentence to show."""


class Rows(Protocol):
    """What a query is put to: rows of a table, each list with one item a row."""

    @property
    def names(self) -> Sequence[str]:
        """The dotted name of the module that each row belongs to."""

    @property
    def lower_names(self) -> Sequence[str]:
        """Names in lower case."""

    @property
    def texts(self) -> Sequence[str]:
        """Name, title and type of each row in lower case: what words are looked for in."""

    @property
    def own_types(self) -> Sequence[str]:
        """Types as the model has them, and words where a row is no module."""

    @property
    def dtypes(self) -> Sequence[tuple[str, ...]]:
        """Of each row's own parameters, as torch names them."""

    @property
    def trainable(self) -> Sequence[bool | None]:
        """Whether any of the row's own parameters is trained; None where it has none."""

    def bytes_of(self, part: str) -> Integers:
        """Bytes of each row and what is below it, of one of ``PARTS`` or ``size`` for all."""


@dataclass(frozen=True, slots=True)
class Term:
    """One term. ``key`` is empty for a word alone; ``values`` are alternatives, in lower case."""

    key: str
    sign: str
    values: tuple[str, ...]
    size_bytes: int = 0
    negated: bool = False

    def matches(self, rows: Rows) -> Booleans:
        """Which rows it holds for."""
        found = self._found(rows)
        return ~found if self.negated else found

    def _found(self, rows: Rows) -> Booleans:
        if self.key in _SIZE_KEYS:
            return _COMPARE[self.sign](rows.bytes_of(self.key), self.size_bytes)
        if self.key == "trainable":
            wanted = {_ANSWERS[value] for value in self.values}
            return _array([trained in wanted for trained in rows.trainable])
        if self.key == "dtype":
            return self._among(rows.dtypes)
        if self.key == "name":
            return self._in(rows.lower_names)
        if self.key == "type":
            return self._of_few(rows.own_types)
        (word,) = self.values
        return _array([word in text for text in rows.texts])

    def _in(self, texts: Sequence[str]) -> Booleans:
        """Of texts in lower case."""
        values = self.values
        if self.sign == "=":
            return _array([text in values for text in texts])
        if len(values) == 1:
            (value,) = values
            return _array([value in text for text in texts])
        return _array([any(value in text for value in values) for text in texts])

    def _of_few(self, texts: Sequence[str]) -> Booleans:
        """Few different texts are asked about many times."""
        different = list(set(texts))
        found = self._in([text.lower() for text in different])
        answers = dict(zip(different, found.tolist(), strict=True))
        return _array([answers[text] for text in texts])

    def _among(self, rows: Sequence[tuple[str, ...]]) -> Booleans:
        """Few combinations of types are asked about many times."""
        holds = operator.eq if self.sign == "=" else str.startswith
        answers = {
            types: any(holds(name, value) for name in types for value in self.values)
            for types in set(rows)
        }
        return _array([answers[types] for types in rows])


@dataclass(frozen=True, slots=True)
class Query:
    """Terms that all have to hold; none of them: everything is found."""

    terms: tuple[Term, ...] = ()

    def __bool__(self) -> bool:
        return bool(self.terms)

    def matches(self, rows: Rows) -> Booleans:
        """Which of ``rows`` every term holds for."""
        found = np.ones(len(rows.names), bool)
        for term in self.terms:
            found &= term.matches(rows)
        return found


def parse_query(text: str) -> Query:
    """The query that ``text`` says.

    Raises ``QueryError`` with one sentence about the first term that means nothing.
    """
    terms = []
    place = 0
    while place < len(text):
        if text[place].isspace():
            place += 1
            continue
        match = _TERM.match(text, place)
        if match is None:
            raise QueryError(
                translate("Views", "A quotation mark is open: close it, or leave it out.")
            )
        place = match.end()
        terms.append(_term(match))
    return Query(tuple(terms))


def _term(match: re.Match[str]) -> Term:
    negated = match["minus"] is not None
    if match["key"] is None:
        word = match["word"].strip('"')
        if not word or word == "-":
            raise QueryError(
                translate(
                    "Views", "“{term}” looks for nothing: write a word, such as -mlp."
                ).format(term=match[0])
            )
        return Term("", ":", (word.lower(),), negated=negated)
    key, sign, value = match["key"].lower(), match["sign"], match["value"].strip('"')
    if match["space"] and sign == ":":
        value = ""  # a colon that is followed by a space ends nothing
    if key in _SIZE_KEYS:
        return _size_term(key, sign, value, negated)
    if key in _WORD_KEYS:
        return _word_term(key, sign, value, negated)
    near = get_close_matches(key, (*_WORD_KEYS, *_SIZE_KEYS), 1)
    hint = (
        translate("Views", "There is no “{key}”: did you mean “{near}”?")
        if near
        else translate("Views", "There is no “{key}”: use name, type, dtype, trainable or size.")
    )
    raise QueryError(hint.format(key=match["key"], near=near[0] if near else ""))


def _size_term(key: str, sign: str, value: str, negated: bool) -> Term:
    if sign == ":":
        raise QueryError(
            translate("Views", "“{key}” is a size: compare it, such as {key}>100MiB.").format(
                key=key
            )
        )
    if not value:
        raise QueryError(
            translate(
                "Views", "“{key}{sign}” needs a size after it, such as {key}{sign}100MiB."
            ).format(key=key, sign=sign)
        )
    try:
        size = parse_bytes(value)
    except ValueError:
        raise QueryError(
            translate("Views", "“{value}” is not a size: write it like {key}{sign}1.5GiB.").format(
                value=value, key=key, sign=sign
            )
        ) from None
    return Term(_SIZE_KEYS[key], sign, (), size_bytes=size, negated=negated)


def _word_term(key: str, sign: str, value: str, negated: bool) -> Term:
    if sign not in (":", "="):
        raise QueryError(
            translate("Views", "“{key}” is a word: write {key}: and what to look for.").format(
                key=key
            )
        )
    values = tuple(part.lower() for part in value.split(",") if part)
    example = {"name": "mlp", "type": "Linear", "dtype": "bf16", "trainable": "yes"}[key]
    if not values:
        raise QueryError(
            translate(
                "Views", "“{key}{sign}” needs a word right after it, such as {key}:{example}."
            ).format(key=key, sign=sign, example=example)
        )
    if key == "trainable":
        wrong = next((part for part in values if part not in _ANSWERS), None)
        if wrong is not None:
            raise QueryError(
                translate(
                    "Views", "“{wrong}” is no answer: write trainable:yes or trainable:no."
                ).format(wrong=wrong)
            )
    if key == "dtype":
        values = tuple(_DTYPES.get(part, part) for part in values)
    return Term(key, sign, values, negated=negated)


def _array(values: list[bool]) -> Booleans:
    return np.array(values, bool)
