"""Kibana's query language as Elasticsearch's: what Kibana sends for the saved searches' queries.

The subset that the objects use, by Kibana's documentation of KQL: ``field : value``, ``field : "a phrase"``,
``field : (a or b)``, ``field : *``, a value with stars, ranges, ``and``, ``or``, ``not`` and parentheses.
``and`` binds before ``or``.
"""

from __future__ import annotations

from typing import Any

import lark

_GRAMMAR = r"""
?start: any
?any: all ("or" all)*
?all: not ("and" not)*
?not: "not" not -> negated
    | "(" any ")"
    | FIELD ":" value -> equals
    | FIELD RANGE (TERM | FIELD) -> range
?value: one | "(" one ("or" one)+ ")" -> either
one: TERM | FIELD | PHRASE
RANGE: ">=" | "<=" | ">" | "<"
PHRASE: /"[^"]*"/
FIELD.1: /[A-Za-z@][A-Za-z0-9_.@-]*/
TERM: /[^\s():"<>=]+/
%ignore /\s+/
"""
_PARSER = lark.Lark(_GRAMMAR, parser="earley", lexer="dynamic", maybe_placeholders=False)
_RANGES = {">=": "gte", "<=": "lte", ">": "gt", "<": "lt"}
Query = dict[str, Any]


class _Builder(lark.Transformer[lark.Token, Any]):
    def __init__(self, fields: set[str]) -> None:
        super().__init__()
        self._fields = fields

    def any(self, children: list[Query]) -> Query:
        return {"bool": {"should": children, "minimum_should_match": 1}}

    def all(self, children: list[Query]) -> Query:
        return {"bool": {"filter": children}}

    def negated(self, children: list[Query]) -> Query:
        return {"bool": {"must_not": children}}

    def one(self, children: list[lark.Token]) -> list[str]:
        return [str(children[0])]

    def either(self, children: list[list[str]]) -> list[str]:
        return [value for one in children for value in one]

    def equals(self, children: list[Any]) -> Query:
        name, values = str(children[0]), children[1]
        self._fields.add(name)
        queries = [self._query(name, value) for value in values]
        return queries[0] if len(queries) == 1 else self.any(queries)

    def _query(self, name: str, value: str) -> Query:
        if value == "*":
            return {"exists": {"field": name}}
        if value.startswith('"'):
            return {"match_phrase": {name: value[1:-1]}}
        if "*" in value:
            return {"query_string": {"fields": [name], "query": value, "analyze_wildcard": True}}
        return {"match": {name: value}}

    def range(self, children: list[lark.Token]) -> Query:
        name, operator, value = map(str, children)
        self._fields.add(name)
        return {"range": {name: {_RANGES[operator]: value}}}


def query(text: str) -> Query:
    """Return the query in Elasticsearch's language; an empty one finds everything.

    Raises:
        ValueError: ``text`` is not in the subset.
    """
    return _parsed(text)[0]


def fields(text: str) -> set[str]:
    """Return the fields that a query names.

    Raises:
        ValueError: ``text`` is not in the subset.
    """
    return _parsed(text)[1]


def _parsed(text: str) -> tuple[Query, set[str]]:
    if not text:
        return {"match_all": {}}, set()
    named: set[str] = set()
    try:
        made: Query = _Builder(named).transform(_PARSER.parse(text))
    except lark.exceptions.UnexpectedInput as error:
        raise ValueError(f"{text}: not understood: {error.get_context(text)}") from error
    return made, named
