"""The configuration language: from text to sections, plugins and branches.

The grammar is that of Logstash 8.15 (logstash-core/lib/logstash/compiler/lscl/lscl_grammar.treetop), without
what our pipelines do not use: codecs with options, ``xor`` and ``nand``, and calls of methods.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

import lark

# A string, a number, a list, or the pairs of a hash.
Value: TypeAlias = "str | int | float | bool | list[Value] | dict[str, Value]"

_GRAMMAR = r"""
start: section*
section: (INPUT | FILTER | OUTPUT) block
block: "{" (plugin | branch)* "}"
plugin: WORD "{" attribute* "}"
attribute: (WORD | STRING) "=>" value
?value: STRING -> string
      | WORD -> word
      | "[" [value ("," value)*] "]" -> array
      | "{" pair* "}" -> hash
pair: (WORD | STRING) "=>" value
branch: "if" condition block ("else" "if" condition block)* ("else" block)?
?condition: expression
          | expression ("and" expression)+ -> all
          | expression ("or" expression)+ -> any
?expression: "(" condition ")"
           | "!" "(" condition ")" -> negated
           | "!" selector -> negated
           | operand "in" operand -> contained
           | operand "not" "in" operand -> absent
           | operand COMPARISON operand -> compared
           | operand MATCH (STRING | REGEX) -> matched
           | operand
?operand: STRING -> string
        | WORD -> number
        | "[" value ("," value)+ "]" -> array
        | selector
selector: SELECTOR
INPUT: "input"
FILTER: "filter"
OUTPUT: "output"
COMPARISON: "==" | "!=" | "<=" | ">=" | "<" | ">"
MATCH: "=~" | "!~"
// As in Logstash, a list with a single element is read as a field.
SELECTOR.2: /(\[[^\[\],]+\])+/
REGEX: /\/(\\[\/]|[^\/])*\//
// The brackets keep lark from taking the backslash for an escape of its own.
STRING: /"(\\["]|[^"])*"|'(\\[']|[^'])*'/
WORD: /-?[0-9]+(\.[0-9]*)?(?![A-Za-z_-])|[A-Za-z0-9_-]+/
%ignore /[ \t\r\n]+/
%ignore /#[^\r\n]*/
"""
_PARSER = lark.Lark(_GRAMMAR, parser="lalr", propagate_positions=True)
_BAREWORD = re.compile(r"[A-Za-z_][A-Za-z0-9_]+")
_NUMBER = re.compile(r"-?[0-9]+(\.[0-9]*)?")
_FIELD = re.compile(r"\[([^\[\],]+)\]")


class PipelineError(Exception):
    """A pipeline says what Logstash, or this interpreter, does not understand; the text says where."""


@dataclass(frozen=True)
class Field:
    """A reference to a field, as the names on the way to it."""

    path: tuple[str, ...]


@dataclass(frozen=True)
class Regex:
    """A regular expression, without its slashes."""

    pattern: str


@dataclass(frozen=True)
class Condition:
    """What decides about a branch: ``what`` is the operator, ``operands`` what it is applied to."""

    what: str
    operands: tuple[Any, ...]


@dataclass(frozen=True)
class Plugin:
    """One plugin with its options; an option may occur again."""

    name: str
    options: tuple[tuple[str, Value], ...]
    place: str


@dataclass(frozen=True)
class Branch:
    """Conditions and what follows from each; None is the ``else``."""

    cases: tuple[tuple[Any, Sequence[Plugin | Branch]], ...]


@dataclass(frozen=True)
class Section:
    """An ``input``, ``filter`` or ``output`` section."""

    kind: str
    statements: Sequence[Plugin | Branch]


def field(reference: str) -> Field:
    """Return the field that ``reference`` names: ``name`` or ``[name][inside]``.

    Raises:
        PipelineError: It is neither.
    """
    if not reference.startswith("["):
        return Field((reference,))
    path = tuple(_FIELD.findall(reference))
    if "".join(f"[{name}]" for name in path) != reference:
        raise PipelineError(f"{reference} is no reference to a field")
    if any(set(name) & set("\"' ") for name in path):
        raise PipelineError(f"{reference} is read as a field by Logstash; a list needs two elements or more")
    return Field(path)


class _Builder(lark.Transformer[lark.Token, Any]):
    """Makes the classes above of the parser's tree."""

    def __init__(self, name: str) -> None:
        super().__init__()
        self._name = name

    def string(self, children: list[lark.Token]) -> str:
        # Logstash processes no escape sequences unless config.support_escapes is set.
        return str(children[0])[1:-1]

    def word(self, children: list[lark.Token]) -> Value:
        text = str(children[0])
        if _NUMBER.fullmatch(text):
            return float(text) if "." in text else int(text)
        if not _BAREWORD.fullmatch(text):
            raise PipelineError(f"{self._name}:{children[0].line}: {text} must be quoted")
        return {"true": True, "false": False}.get(text, text)

    def number(self, children: list[lark.Token]) -> Value:
        found = self.word(children)
        if isinstance(found, bool | str):
            raise PipelineError(f"{self._name}:{children[0].line}: {found} must be quoted")
        return found

    def array(self, children: list[Any]) -> list[Any]:
        return [child for child in children if child is not None]

    def pair(self, children: list[Any]) -> tuple[str, Value]:
        name = str(children[0])
        return name[1:-1] if name[0] in "\"'" else name, children[1]

    attribute = pair

    def hash(self, children: list[tuple[str, Value]]) -> dict[str, Value]:
        names = [name for name, _ in children]
        if len(names) != len(set(names)):
            raise PipelineError(f"{self._name}: a hash has a key twice: {', '.join(names)}")
        return dict(children)

    def selector(self, children: list[lark.Token]) -> Field:
        return field(str(children[0]))

    def _condition(self, what: str, operands: list[Any]) -> Condition:
        return Condition(what, tuple(operands))

    def all(self, children: list[Any]) -> Condition:
        return self._condition("all", children)

    def any(self, children: list[Any]) -> Condition:
        return self._condition("any", children)

    def negated(self, children: list[Any]) -> Condition:
        return self._condition("not", children)

    def contained(self, children: list[Any]) -> Condition:
        return self._condition("in", children)

    def absent(self, children: list[Any]) -> Condition:
        return self._condition("not in", children)

    def compared(self, children: list[Any]) -> Condition:
        left, operator, right = children
        return self._condition(str(operator), [left, right])

    def matched(self, children: list[Any]) -> Condition:
        left, operator, pattern = children
        return self._condition(str(operator), [left, Regex(str(pattern)[1:-1])])

    def plugin(self, children: list[Any]) -> Plugin:
        return Plugin(str(children[0]), tuple(children[1:]), f"{self._name}:{children[0].line}")

    def block(self, children: list[Any]) -> list[Any]:
        return children

    def branch(self, children: list[Any]) -> Branch:
        pairs = list(zip(children[0::2], children[1::2], strict=False))
        if len(children) % 2:
            pairs.append((None, children[-1]))
        return Branch(tuple(pairs))

    def section(self, children: list[Any]) -> Section:
        return Section(str(children[0]), children[1])

    def start(self, children: list[Section]) -> list[Section]:
        return children


def parse(text: str, name: str) -> list[Section]:
    """Return the sections of a pipeline's file.

    Args:
        text: The file's content.
        name: The file's name, for messages.

    Raises:
        PipelineError: The text is not in the language; the message names file and line.
    """
    try:
        sections: list[Section] = _Builder(name).transform(_PARSER.parse(text))
    except lark.exceptions.VisitError as error:
        raise error.orig_exc from error
    except lark.exceptions.UnexpectedInput as error:
        raise PipelineError(
            f"{name}:{error.line}: not understood here: {error.get_context(text).strip()}"
        ) from error
    return sections
