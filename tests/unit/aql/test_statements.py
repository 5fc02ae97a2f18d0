"""Query texts: what becomes a plan, what is refused by name, and what is no AQL."""

from __future__ import annotations

from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from arangorep.aql.plan import Count, Filter, Let, Limit, Return, Sort, Write
from arangorep.aql.statements import parse_query
from arangorep.errors import (
    ArangoError,
    FunctionArgumentCount,
    NotImplementedHere,
    QueryEmpty,
    QueryParse,
    ResourceLimit,
)
from arangorep.limits import AQL_CLAUSES_MAX


def test_clauses_keep_their_order() -> None:
    query = parse_query(
        """
        LET a = 1  LET b = a + 1
        FOR d IN @@c
            LIMIT 5  SORT d.x, d.y DESC  FILTER d.z  LET w = d.w  LIMIT @skip, null
            COLLECT WITH COUNT INTO n
            RETURN DISTINCT n + a + b
        """
    )
    assert [let.name for let in query.before] == ["a", "b"]
    assert query.source is not None
    assert query.source.variable == "d"
    kinds = [type(clause) for clause in query.clauses]
    assert kinds == [Limit, Sort, Filter, Let, Limit, Count]
    sort = query.clauses[1]
    assert isinstance(sort, Sort)
    assert [key.is_descending for key in sort.keys] == [False, True]
    assert isinstance(query.final, Return)
    assert query.final.is_distinct
    assert query.binds == {"@c", "skip"}


@pytest.mark.parametrize(
    ("text", "kind", "has_target", "has_body", "returns"),
    [
        ("INSERT {a: 1} INTO c", "insert", False, True, False),
        ("INSERT @d IN @@c OPTIONS {overwrite: true} RETURN NEW", "insert", False, True, True),
        ("FOR i IN 1..3 INSERT {i} INTO c", "insert", False, True, False),
        ("FOR d IN c REMOVE d IN c", "remove", True, False, False),
        ("FOR d IN c REMOVE d._key INTO c RETURN OLD", "remove", True, False, True),
        ("REMOVE 'k' IN c RETURN OLD._key", "remove", True, False, True),
        ("FOR d IN c UPDATE d WITH {a: d.b IN [1]} IN c", "update", True, True, False),
        ("FOR d IN c UPDATE (d.a IN [1] ? d : 0) IN c", "update", True, True, False),
        ("UPDATE {_key: 'k', a: 1} IN c RETURN NEW", "update", True, True, True),
        ("FOR d IN c REPLACE d WITH @b IN c RETURN [OLD, NEW, d]", "replace", True, True, True),
        ("for d in c replace d in c options {}", "replace", True, True, False),
    ],
)
def test_modifications(
    text: str, kind: str, has_target: bool, has_body: bool, returns: bool
) -> None:
    final = parse_query(text).final
    assert isinstance(final, Write)
    assert final.kind == kind
    assert (final.target is not None, final.body is not None) == (has_target, has_body)
    assert (final.returns is not None) is returns


@pytest.mark.parametrize("text", ["", " ", "\n\t "])
def test_empty_queries(text: str) -> None:
    with pytest.raises(QueryEmpty) as caught:
        parse_query(text)
    assert (caught.value.error_num, caught.value.http_status) == (1502, 400)


UNSUPPORTED = {
    "FOR a IN x FOR b IN y RETURN a": "FOR within FOR",
    "FILTER true FOR a IN x RETURN a": "before FOR",
    "FOR a IN (FOR b IN y RETURN b) RETURN a": "subqueries",
    "LET a = (FOR b IN y RETURN b) RETURN a": "subqueries",
    "FOR a IN x RETURN LENGTH(FOR b IN y RETURN b)": "subqueries",
    "FOR a IN x COLLECT b = a.b RETURN b": "COLLECT other than",
    "FOR a IN x COLLECT b = a.b WITH COUNT INTO n RETURN b": "COLLECT other than",
    "FOR a IN x COLLECT AGGREGATE m = MAX(a.b) RETURN m": "COLLECT other than",
    "FOR a IN x WINDOW {preceding: 1} AGGREGATE s = SUM(a.b) RETURN s": "WINDOW",
    "UPSERT {a: 1} INSERT {a: 1} UPDATE {a: 2} IN x": "UPSERT",
    "FOR a IN x UPSERT {a: 1} INSERT {} UPDATE {} IN x": "UPSERT",
    "FOR v, e IN 1..2 OUTBOUND 'a/b' GRAPH 'g' RETURN v": "graph traversals",
    "FOR v IN 1..2 OUTBOUND 'a/b' e RETURN v": "graph traversals",
    "FOR v IN INBOUND 'a/b' e RETURN v": "graph traversals",
    "FOR v IN ANY 'a/b' e RETURN v": "graph",
    "FOR v IN 1..2 ANY 'a/b' e RETURN v": "graph",
    "FOR v IN OUTBOUND SHORTEST_PATH 'a' TO 'b' GRAPH 'g' RETURN v": "graph traversals",
    "FOR p IN K_PATHS 'a' TO 'b' GRAPH 'g' RETURN p": "graph traversals",
    "FOR d IN view SEARCH d.a == 1 RETURN d": "SEARCH",
    "FOR d IN c OPTIONS {indexHint: 'i'} RETURN d": "OPTIONS",
    "WITH c FOR d IN c RETURN d": "WITH",
    "FOR d IN NEAR(c, 1, 2) RETURN d": "NEAR()",
    "FOR d IN my::list() RETURN d": "user-defined functions",
    "RETURN my::f()": "user-defined functions",
    "RETURN DOCUMENT('a/b')": "DOCUMENT()",
    "RETURN COLLECTION_COUNT('a')": "COLLECTION_COUNT()",
    "RETURN LENGTH(users)": "'users'",
    "FOR d IN c RETURN other.a": "'other'",
    "FOR d IN c.x RETURN d": "'c'",
    "FOR d IN c INSERT d INTO c LET n = NEW RETURN n": "clauses behind",
    "FOR d IN c INSERT d INTO c INSERT d INTO x": "clauses behind",
    "FOR d IN c RETURN d LIMIT 1": "clauses behind",
    "FOR d IN c REMOVE d IN c RETURN DISTINCT OLD": "DISTINCT",
    "FOR d IN c REMOVE d IN c RETURN NEW": "'NEW'",
    "FOR d IN c FILTER OLD RETURN d": "'OLD'",
    "FOR d IN c LIMIT d.a RETURN d": "'d'",
    "FOR d IN c REMOVE d IN c OPTIONS {waitForSync: d.a}": "'d'",
    "FOR d IN c COLLECT WITH COUNT INTO n RETURN d": "'d'",
    "FOR d IN c FILTER d.a =~ 'x' RETURN d": "regular expressions",
    "FOR d IN c RETURN d.a[*].b": "array operators",
    "FOR d IN c FILTER d.a ANY == 1 RETURN d": "ANY",
}


@pytest.mark.parametrize("text", UNSUPPORTED)
def test_unsupported_aql_is_named(text: str) -> None:
    with pytest.raises(NotImplementedHere) as caught:
        parse_query(text)
    assert UNSUPPORTED[text] in caught.value.message
    assert (caught.value.error_num, caught.value.http_status) == (9, 501)


SYNTAX = {
    "SELECT * FROM users": "name near 'SELECT * FROM users' at position 1:1",
    "hello": "name near 'hello' at position 1:1",
    '{"query": 1}': "'{' near",
    "42": "number near '42'",
    "FOR": "end of query near '' at position 1:4",
    "FOR d": "end of query",
    "FOR d IN": "end of query",
    "FOR d IN c": "end of query near '' at position 1:11",
    "FOR d IN c RETURN": "end of query",
    "FOR d IN c RETURN d,": "',' near ','",
    "FOR d IN c RETURN d;": "character near ';'",
    "FOR d OF c RETURN d": "name near 'OF c",
    "FOR 1 IN c RETURN 1": "number near '1 IN",
    "FOR for IN c RETURN 1": "'FOR' near 'for IN",
    "FOR d IN c\n  FILTER\nRETURN d": "'RETURN' near 'RETURN d' at position 3:1",
    "FOR d IN c FILTER d. RETURN d": "'RETURN'",
    "FOR d IN c SORT RETURN d": "'RETURN'",
    "FOR d IN c SORT d.a UP RETURN d": "name near 'UP",
    "FOR d IN c LIMIT RETURN d": "'RETURN'",
    "FOR d IN c LIMIT 1, 2, 3 RETURN d": "','",
    "FOR d IN c COLLECT WITH d RETURN d": "name near 'd RETURN",
    "FOR d IN c COLLECT WITH COUNT n RETURN d": "name near 'n",
    "LET = 1 RETURN 1": "'='",
    "LET a 1 RETURN 1": "number",
    "LET a = 1": "end of query",
    "RETURN": "end of query",
    "RETURN 1 2": "number near '2'",
    "RETURN DISTINCT": "end of query",
    "INSERT {} c": "name near 'c'",
    "INSERT INTO c": "'INTO'",
    "INSERT {} INTO 1": "number",
    "INSERT {} INTO c OPTIONS": "end of query",
    "INSERT {} INTO c OPTIONS 1": "number",
    "UPDATE 'k' WITH IN c": "'IN'",
    "REMOVE 'k' FROM c": "name near 'FROM c'",
    "RETURN 'a": "within a string",
    "RETURN 1 /* x": "within a comment",
    "LET a = 1 LET a = 2 RETURN a": "'a' is assigned more than once",
    "FOR d IN c LET d = 1 RETURN d": "'d' is assigned more than once",
    "LET d = 1 FOR d IN c RETURN d": "'d' is assigned more than once",
}


@pytest.mark.parametrize("text", SYNTAX)
def test_syntax_errors(text: str) -> None:
    with pytest.raises(QueryParse) as caught:
        parse_query(text)
    assert SYNTAX[text] in caught.value.message
    assert (caught.value.error_num, caught.value.http_status) == (1501, 400)


def test_variables_hide_collections() -> None:
    query = parse_query("LET c = [1] FOR d IN c REMOVE d IN c")
    assert query.reads({}) is None
    assert query.writes({}) == "c"


def test_clauses_are_bounded() -> None:
    filters = "FILTER d " * AQL_CLAUSES_MAX
    parse_query(f"FOR d IN c {filters} RETURN d".replace("FILTER d ", "", 1))
    for text in (
        f"FOR d IN c {filters} FILTER 1 RETURN d",
        "".join(f"LET a{i} = 1 " for i in range(AQL_CLAUSES_MAX + 1)) + "RETURN 1",
    ):
        with pytest.raises(ResourceLimit, match="clauses") as caught:
            parse_query(text)
        assert caught.value.http_status == 400


def test_comments_may_stand_anywhere() -> None:
    parse_query("/* a */ FOR d // b\nIN c /**/ RETURN /* RETURN */ d // end")
    with pytest.raises(QueryParse, match="end of query"):
        parse_query("// nothing")


WORDS = """
    FOR d x IN c @@c @b LET = FILTER SORT LIMIT , RETURN DISTINCT INSERT UPDATE REPLACE REMOVE
    WITH INTO OPTIONS { } ( ) [ ] 1 'a' null ASC DESC COLLECT COUNT n OLD NEW . .. + == AND ? :
    LENGTH( UPSERT WINDOW SEARCH OUTBOUND GRAPH d.a
"""

EXPECTED = (QueryParse, QueryEmpty, NotImplementedHere, FunctionArgumentCount)


@given(st.text(max_size=40))
def test_any_text_gives_a_plan_or_an_error(text: str) -> None:
    with suppress(*EXPECTED):
        parse_query(text)


@given(st.lists(st.sampled_from(WORDS.split()), max_size=20).map(" ".join))
def test_any_words_give_a_plan_or_an_error(text: str) -> None:
    for query in (text, f"FOR d IN c {text}", f"FOR d IN c {text} RETURN d"):
        with suppress(*EXPECTED):
            parse_query(query)


@pytest.mark.parametrize(
    "word", ["FOR x IN [", "LET a = (", "FILTER !", "RETURN (", "INSERT {a:", "{"]
)
def test_hostile_repetition(word: str) -> None:
    with pytest.raises(ArangoError) as caught:
        parse_query(word * 5000)
    assert type(caught.value) in (*EXPECTED, ResourceLimit)
