"""Documents and markers cut from what a leader sends."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from support.revisions import hlc_of
from support.stores import finish

from arangorep.codec.json import dumps
from arangorep.errors import ArangoError, CorruptedJson, InvalidResponse, NoResponse
from arangorep.follower import lines as module
from arangorep.follower.lines import (
    Documents,
    Marker,
    Run,
    check_last_tick,
    cut_documents,
    cut_removal,
    from_values,
    parse_marker,
    read_markers,
    run_of,
    split_lines,
)
from arangorep.limits import JSON_DEPTH_MAX
from arangorep.values.revision import parse_revision, revision_text

NAME = b"c"
KEY_ALPHABET = "abcXYZ0189_-.@()+,=;$!*'%:"

keys = st.text(KEY_ALPHABET, min_size=1, max_size=12) | st.just("k" * 254)
modern = st.integers(1 << 60, 2**64 - 2)
old = st.integers(1, 1_450_656_000_000)
revisions = modern | old | st.integers(10**10, 10**11 - 1)
values = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.text(max_size=6),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner),
    max_leaves=5,
)
RESERVED = {"_key", "_id", "_rev", "_from", "_to"}
bodies = st.dictionaries(st.text(max_size=6), values, max_size=4).map(
    lambda body: {name: value for name, value in body.items() if name not in RESERVED}
)


def line_of(
    key: str, revision: int, body: dict[str, Any] | None = None, edge: dict[str, str] | None = None
) -> bytes:
    """A document as this server writes it."""
    front = {"_key": key, "_id": f"c/{key}", **(edge or {}), "_rev": revision_text(revision)}
    return dumps({**front, **(body or {})})


@st.composite
def canonical(draw: st.DrawFn) -> tuple[str, int, bytes]:
    key, revision, body = draw(keys), draw(revisions), draw(bodies)
    edge = draw(st.none() | st.just({"_from": 'a/"1\\', "_to": "b/ü"}))
    return key, revision, line_of(key, revision, body, edge)


def model(lines: list[bytes]) -> Documents:
    """Every line parsed, by the standard library."""
    found = Documents()
    for line in lines:
        value = json.loads(line)
        found.names.append(value["_key"].encode())
        found.revisions.append(parse_revision(value["_rev"]))
        found.rows.append(line)
    return found


# -- documents -----------------------------------------------------------------------------------


@given(st.lists(canonical(), max_size=6))
@example([("a", 12_345_678_901, line_of("a", 12_345_678_901))])
def test_canonical_lines_are_taken_as_they_are(documents: list[tuple[str, int, bytes]]) -> None:
    lines = [line for _, _, line in documents]
    found = cut_documents(lines, NAME)
    assert found.rows == lines
    assert found.names == [key.encode() for key, _, _ in documents]
    assert found.revisions == [revision for _, revision, _ in documents]


@given(st.lists(canonical(), min_size=1, max_size=6))
@example([("a", 12_345_678_901, line_of("a", 12_345_678_901))])
def test_the_fast_way_finds_what_the_slow_one_finds(
    documents: list[tuple[str, int, bytes]],
) -> None:
    lines = [line for _, _, line in documents]
    fast = module._cut_plain(lines, NAME)
    slow = module._cut_each(lines, NAME)
    assert slow == model(lines)
    assert fast is None or fast == slow


def test_plain_lines_take_the_fast_way() -> None:
    lines = [line_of(f"k{n}", (1 << 60) + n, {"n": n}) for n in range(3)]
    fast = module._cut_plain(lines, NAME)
    assert fast is not None
    assert fast.rows is lines
    edge = line_of("e", 1 << 60, {}, {"_from": "a/1", "_to": "b/2"})
    assert module._cut_plain([*lines, edge], NAME) is not None
    assert module._cut_plain([*lines, edge.replace(b":", b": ")], NAME) is None


@given(
    document=canonical(),
    spaces=st.booleans(),
    order=st.randoms(use_true_random=False),
    name=st.sampled_from(["c", "other", "é", 'quo"ted']),
    envelope=st.booleans(),
)
def test_other_forms_become_canonical(
    document: tuple[str, int, bytes], spaces: bool, order: Any, name: str, envelope: bool
) -> None:
    key, revision, line = document
    value = json.loads(line)
    value["_id"] = f"{name}/{key}"
    members = list(value.items())
    order.shuffle(members)
    shuffled: Any = dict(members)
    if envelope:
        shuffled = {"type": 2300, "data": shuffled}
    odd = json.dumps(shuffled, separators=(" , ", " : ") if spaces else (",", ":")).encode()
    found = cut_documents([odd], NAME)
    assert (found.names, found.revisions) == ([key.encode()], [revision])
    (row,) = found.rows
    front = f'{{"_key":"{key}","_id":"c/{key}",'
    assert row.startswith(front.encode())
    again = json.loads(row)
    assert again == {**value, "_id": f"c/{key}"}
    middle = ["_from", "_to"] if "_from" in value else []
    assert list(again)[: 3 + len(middle)] == ["_key", "_id", *middle, "_rev"]
    assert from_values([json.loads(line)], NAME).rows == [line]


@pytest.mark.parametrize(
    "identifier", ["c/b", "c/a/b", "cc/a", "/a", "a"], ids=lambda text: text.replace("/", "|")
)
def test_an_id_is_always_made_of_collection_and_key(identifier: str) -> None:
    line = b'{"_key":"a","_id":"%b","_rev":"_abcdefghij","n":1}' % identifier.encode()
    (row,) = cut_documents([line], NAME).rows
    assert row == b'{"_key":"a","_id":"c/a","_rev":"_abcdefghij","n":1}'


def test_members_inside_do_not_mislead() -> None:
    inner = {"_key": "x", "_id": "c/x", "_rev": "_zzzzzzzzzz", "data": {"_key": "y"}}
    line = line_of("a", 1 << 60, {"data": inner, "s": '"_rev":"_yyyyyyyyyy"'})
    for lines in ([line], [line.replace(b":", b": ", 1)]):
        found = cut_documents(lines, NAME)
        assert (found.names, found.revisions, found.rows) == ([b"a"], [1 << 60], [line])


@pytest.mark.parametrize("revision", [1, 9, 10**9, 10**10, 12_345_678_901, 1_450_656_000_000])
def test_decimal_revisions_of_old_documents(revision: int) -> None:
    line = line_of("a", revision, {"n": 1})
    assert b'"_rev":"%d"' % revision in line
    found = cut_documents([line, line_of("b", 1 << 60)], NAME)
    assert found.revisions == [revision, 1 << 60]
    assert cut_documents([line], NAME).revisions == [revision]


BAD_KEYS = ["", "k" * 255, "a b", "ä", "a/b", 'a"b', "a\\b", "a\nb", "a\n", "\n", "a\0", 1, None]
BAD_REVISIONS = ["", "!", "N9999999999", "_abcdefghijk", "ü", 5, None]


@pytest.mark.parametrize("key", BAD_KEYS)
def test_an_unusable_key(key: object) -> None:
    value = {"_key": key, "_id": "c/a", "_rev": "_abcdefghij", "n": 1}
    for line in (dumps(value), json.dumps(value).encode()):
        with pytest.raises(InvalidResponse):
            cut_documents([line], NAME)
    with pytest.raises(InvalidResponse):
        from_values([value], NAME)


@pytest.mark.parametrize("text", BAD_REVISIONS)
def test_an_unusable_revision(text: object) -> None:
    value = {"_key": "a", "_id": "c/a", "_rev": text, "n": 1}
    for line in (dumps(value), json.dumps(value).encode()):
        with pytest.raises(InvalidResponse):
            cut_documents([line], NAME)
    with pytest.raises(InvalidResponse):
        from_values([value], NAME)


def test_parsed_documents_nest_no_deeper_than_others() -> None:
    def with_lists(depth: int) -> dict[str, Any]:
        value: Any = 1
        for _ in range(depth):
            value = [value]
        return {"_key": "a", "_rev": "_abcdefghij", "n": value}

    assert from_values([with_lists(JSON_DEPTH_MAX - 1)], NAME).names == [b"a"]
    for depth in (JSON_DEPTH_MAX, 253, 500):
        with pytest.raises(InvalidResponse, match="invalid response"):
            from_values([with_lists(depth)], NAME)


@pytest.mark.parametrize("text", ['1"', "1\\", "12 ", "1\n", "1ü", "9" * 30])
def test_a_decimal_revision_with_something_behind_it(text: str) -> None:
    """Refused or taken; a row that is kept can be read."""
    try:
        found = cut_documents([dumps({"_key": "a", "_id": "c/a", "_rev": text})], NAME)
    except InvalidResponse:
        return
    assert parse_revision(json.loads(found.rows[0])["_rev"]) == found.revisions[0]


@pytest.mark.parametrize("value", [[], 1, None, "x", {}, {"data": 1}, {"data": {}}])
def test_what_is_no_document(value: object) -> None:
    with pytest.raises(InvalidResponse):
        cut_documents([dumps(value)], NAME)


@given(document=canonical(), cut=st.integers(1, 60), tail=st.sampled_from([b"", b"}", b'"}']))
@example(("a", 1 << 60, line_of("a", 1 << 60)), 13, b'"}')
@example(("a", 1 << 60, line_of("a", 1 << 60)), 13, b"}")
def test_a_torn_line_is_refused_or_read_in_full(
    document: tuple[str, int, bytes], cut: int, tail: bytes
) -> None:
    """Never anything but an error for the leader's side; here the front is torn."""
    line = document[2]
    front_bytes = line.index(b'"_rev"') + 20
    torn = line[: max(1, front_bytes - cut)] + tail
    try:
        found = cut_documents([torn], NAME, is_checked=True)
    except ArangoError:
        return
    assert json.loads(torn)["_key"].encode() == found.names[0]


def test_no_lines_are_no_documents() -> None:
    assert cut_documents([], NAME) == Documents()


# -- lines ---------------------------------------------------------------------------------------


@given(
    lines=st.lists(st.binary(min_size=2, max_size=20).filter(lambda one: b"\n" not in one)),
    group=st.integers(1, 30),
    blank=st.booleans(),
)
def test_all_lines_are_found_in_order(lines: list[bytes], group: int, blank: bool) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "APPLY_BYTES_PER_SLICE", group)
        gap = b"\n\n" if blank else b"\n"
        groups = finish(split_lines(b"".join(line + gap for line in lines)))
    assert [line for part in groups for line in part] == lines
    assert all(sum(map(len, part)) <= group + 20 + 2 * len(part) for part in groups)


@given(lines=st.lists(st.just(b"{}"), min_size=1, max_size=9), cut=st.integers(1, 2))
def test_a_torn_body_is_no_response(lines: list[bytes], cut: int) -> None:
    body = b"".join(line + b"\n" for line in lines)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "APPLY_BYTES_PER_SLICE", 7)
        with pytest.raises(NoResponse):
            finish(split_lines(body[:-cut]))


def test_an_empty_body_has_no_lines() -> None:
    assert finish(split_lines(b"")) == []


# -- markers -------------------------------------------------------------------------------------


def marker(tick: int, kind: int, **members: Any) -> bytes:
    return dumps({"tick": str(tick), "type": kind, **members})


def put(tick: int, data: dict[str, Any], kind: int = 2300, **scope: str) -> bytes:
    place = {"db": "d", "cuid": "g/1", "tid": "0", **scope}
    return marker(tick, kind, **place, data=data)


def simple(item: Run | Marker) -> tuple[Any, ...]:
    if isinstance(item, Marker):
        return (item.type, item.tick, item.database, item.guid, item.tid, item.data)
    data = [json.loads(one) for one in item.data]
    ends = (item.first_tick, item.last_tick)
    return (item.is_removal, *ends, item.database, item.guid, item.tid, data)


@st.composite
def logs(draw: st.DrawFn) -> list[tuple[int, int, tuple[str, str, str], dict[str, Any]]]:
    found, tick = [], 0
    for _ in range(draw(st.integers(0, 12))):
        tick += draw(st.integers(1, 3))
        kind = draw(st.sampled_from([2300, 2300, 2300, 2302, 2302, 2200, 2004]))
        scope = (
            draw(st.sampled_from(["d", "d", "e"])),
            draw(st.sampled_from(["g/1", "g/1", "g/2"])),
            draw(st.sampled_from(["0", "0", "7"])),
        )
        data = {"_key": f"k{tick}", "_rev": "_abcdefghij", "v": draw(st.text(max_size=3))}
        found.append((tick, kind, scope, data))
    return found


@given(log=logs(), after=st.integers(0, 20), spaced=st.booleans())
def test_neighbours_of_one_kind_and_place_become_one_run(
    log: list[tuple[int, int, tuple[str, str, str], dict[str, Any]]], after: int, spaced: bool
) -> None:
    lines, expected = [], []
    last: Any = None
    for number, (tick, kind, (database, guid, tid), data) in enumerate(log):
        line = put(tick, data, kind, db=database, cuid=guid, tid=tid)
        is_odd = spaced and number % 3 == 1
        lines.append(json.dumps(json.loads(line)).encode() if is_odd else line)
        if tick <= after:
            continue
        if is_odd or kind not in (2300, 2302):
            expected.append((kind, tick, database, guid, tid, data))
            last = None
        elif last == (kind, database, guid, tid):
            is_removal, first, _, *place, found = expected[-1]
            expected[-1] = (is_removal, first, tick, *place, [*found, data])
        else:
            expected.append((kind == 2302, tick, tick, database, guid, tid, [data]))
            last = (kind, database, guid, tid)
    found = [simple(item) for item in read_markers(lines, after)]
    if not spaced:
        assert found == expected
    # an odd line that is skipped may end a run, but nothing is lost or moved
    assert _flat(found) == _flat(expected)


def _flat(items: list[tuple[Any, ...]]) -> list[tuple[Any, ...]]:
    flat: list[tuple[Any, ...]] = []
    for item in items:
        if isinstance(item[0], bool):
            is_removal, _, last, database, guid, tid, data = item
            kind = 2302 if is_removal else 2300
            flat += [(kind, database, guid, tid, one) for one in data]
            assert data
            assert last > 0
        else:
            kind, _, database, guid, tid, data = item
            flat.append((kind, database, guid, tid, data))
    return flat


def test_a_document_marker_in_another_form_is_a_run_of_its_own() -> None:
    value = {
        "type": 2300,
        "tick": "5",
        "cuid": "g/1",
        "db": "d",
        "data": {"_key": "a", "_rev": "_abcdefghij", "s": "é"},
    }
    (item,) = read_markers([json.dumps(value).encode()], 4)
    assert isinstance(item, Marker)
    run = run_of(item)
    assert simple(run) == (False, 5, 5, "d", "g/1", "0", [value["data"]])
    assert list(read_markers([json.dumps(value).encode()], 5)) == []


@pytest.mark.parametrize(
    "value",
    [[], 1, {}, {"tick": 5, "type": 2300}, {"tick": "x", "type": 1}, {"tick": "5", "type": "1"}],
)
def test_what_is_no_marker(value: object) -> None:
    with pytest.raises(InvalidResponse):
        list(read_markers([dumps(value)], 0))


def test_a_marker_that_is_no_json() -> None:
    with pytest.raises(CorruptedJson):
        list(read_markers([b'{"tick":"5",'], 0))


@pytest.mark.parametrize("digits", ["²", "٣", "१"])
def test_ticks_are_plain_digits(digits: str) -> None:
    with pytest.raises(InvalidResponse):
        parse_marker(dumps({"tick": digits, "type": 2004}))


def test_other_names_of_members() -> None:
    value = {"tick": "5", "type": 2000, "database": "d", "globallyUniqueId": "g", "tid": 7}
    found = parse_marker(dumps({**value, "collection": {"name": "x"}}))
    assert simple(found) == (2000, 5, "d", "g", "7", {"name": "x"})


def test_the_last_tick_must_be_there() -> None:
    lines = [put(5, {"_key": "a"}), put(6, {"_key": "b"})]
    check_last_tick(lines, 6)
    check_last_tick([json.dumps(json.loads(lines[0])).encode()], 5)
    for wrong, tick in ((lines, 5), (lines, 7), ([], 6), (lines[:1], 6)):
        with pytest.raises(NoResponse):
            check_last_tick(wrong, tick)


# -- removals ------------------------------------------------------------------------------------


@given(key=keys, revision=revisions, is_known=st.booleans(), spaced=st.booleans())
def test_a_removal_has_a_key_and_perhaps_a_revision(
    key: str, revision: int, is_known: bool, spaced: bool
) -> None:
    value = {"_key": key, **({"_rev": revision_text(revision)} if is_known else {})}
    data = json.dumps(value).encode() if spaced else dumps(value)
    assert cut_removal(data) == (key.encode(), revision if is_known else 0)


def test_a_removal_with_more_than_that() -> None:
    data = {"_id": "c/a", "_key": "a", "_rev": hlc_of(1 << 60), "x": 1}
    assert cut_removal(dumps(data)) == (b"a", 1 << 60)
    assert cut_removal(dumps({"_key": "a", "_rev": 5})) == (b"a", 0)
    assert cut_removal(dumps({"_key": "a", "_rev": "!"})) == (b"a", 0)


@pytest.mark.parametrize("value", [[], {}, {"_key": ""}, {"_key": 1}, {"_rev": "_abcdefghij"}])
def test_a_removal_without_a_key(value: object) -> None:
    with pytest.raises(InvalidResponse):
        cut_removal(dumps(value))
