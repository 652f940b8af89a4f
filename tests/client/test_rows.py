from __future__ import annotations

import copy
import pickle

import pytest

from mixcv.client import Page, Row


def test_a_row_is_read_by_attribute_and_by_key() -> None:
    row = Row({"bucket_id": "b", "items": [1], "payload": {"true_class": "van"}})
    assert row.bucket_id == row["bucket_id"] == row.get("bucket_id") == "b"
    assert row.items == [1]
    assert row.payload.get("true_class") == "van"
    assert type(row.payload) is dict
    assert row.get("missing", 7) == 7
    assert "bucket_id" in row
    assert dict(row) == row.to_dict() == row
    assert row == Row(row.to_dict())
    assert row != Row({})
    assert row != 3


def test_it_prints_as_the_dict_that_it_stands_for() -> None:
    stats = {"total": 2, "by_label": {"confirmed": 2}}
    assert str(Row(stats)) == str(stats)


def test_a_missing_field_is_said_with_those_there_are() -> None:
    with pytest.raises(AttributeError, match="no 'colour' here; there are a, b"):
        _ = Row({"a": 1, "b": 2}).colour
    with pytest.raises(KeyError):
        Row({})["colour"]


def test_rows_are_copied_and_pickled() -> None:
    row = Row({"a": [1]})
    assert copy.deepcopy(row) == pickle.loads(pickle.dumps(row)) == row


def test_a_page_is_its_rows_and_the_rest_of_the_answer() -> None:
    rows = [Row({"n": n}) for n in range(3)]
    page = Page(rows, {"results": [], "total_count": 3, "next_cursor": None})
    assert page.items == page.results == list(page) == rows
    assert (len(page), page[0], page[1:], page.total_count) == (3, rows[0], rows[1:], 3)
    assert page.items + page.items == [*rows, *rows]
    assert bool(page)
    assert not Page([], {})
    assert "results" not in page.answer


def test_a_page_names_its_rows_as_the_answer_does() -> None:
    page = Page([Row({"n": 1})], {"documents": [], "results": [], "execution_id": "exec_1"}, key="documents")
    assert page.documents == page.items
    assert page.execution_id == "exec_1"
    with pytest.raises(AttributeError):
        _ = page.plugins
    assert copy.copy(page).items == page.items
