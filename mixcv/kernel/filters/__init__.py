"""The filter language of lists and retrievers: read, and compiled to SQL.

A filter is `{"AND": [...]}`, `{"OR": [...]}` or `{"NOT": [...]}` over leaves `{"field", "operator", "value"}`; a leaf
alone, `{field: value}` and a list (all of it) are filters too. What a name means, and in which column it stands, a
resolver says; see columns().
"""

from mixcv.kernel.filters.query import Column, Kind, Resolve, columns, tell_faults, to_q
from mixcv.kernel.filters.templates import fill, names_in
from mixcv.kernel.filters.tree import OPERATORS, AllOf, AnyOf, Leaf, Node, Not, leaves, parse

__all__ = [
    "OPERATORS",
    "AllOf",
    "AnyOf",
    "Column",
    "Kind",
    "Leaf",
    "Node",
    "Not",
    "Resolve",
    "columns",
    "fill",
    "leaves",
    "names_in",
    "parse",
    "tell_faults",
    "to_q",
]
