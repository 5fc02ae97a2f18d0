"""`/_api/replication/revisions`: trees, ranges and documents (leader-api 6, revision tree 10)."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise
from typing import Any

import pytest
import requests
from support.revisions import hash_of, hlc_of, leaves_of, number_of
from support.server import Api, ServerThread, error_of

PATH = "/_api/replication/revisions"
LIMIT = 65_536
FULL_NODES = 299_593
EMPTY = {"count": 0, "hash": "0"}
REVISION_MAX = "N9999999999"


def fill(api: Api, count: int = 100, collection: str = "c") -> list[int]:
    """A collection with documents; returns their revisions."""
    api.create_collection(collection)
    documents = [{"_key": f"k{number}", "n": number} for number in range(count)]
    return [number_of(item["_rev"]) for item in api.insert(collection, documents)]


def query(batch: str, collection: str = "c", **params: Any) -> dict[str, Any]:
    return {"collection": collection, "batchId": batch, **params}


def tree(api: Api, batch: str, collection: str = "c") -> dict[str, Any]:
    """The populated form of a tree."""
    response = api.get(f"{PATH}/tree", **query(batch, collection, onlyPopulated="true"))
    assert response.status_code == 200, response.text
    return response.json()


def leaves(answer: dict[str, Any]) -> dict[int, tuple[int, int]]:
    """The leaves of the populated form, as a real follower reads them."""
    found, index = {}, 0
    for node in answer["nodes"]:
        if node.get("count"):
            found[index] = (node["count"], node["hash"])
        index += node.get("skip", 1)
    return found


def check_tree(answer: dict[str, Any], revisions: list[int]) -> None:
    """That the populated form is the tree of exactly these revisions."""
    low, high = number_of(answer["rangeMin"]), number_of(answer["rangeMax"])
    assert leaves(answer) == leaves_of(revisions, low, high, answer["maxDepth"])
    assert answer["count"] == len(revisions)
    mixed = 0
    for revision in revisions:
        mixed ^= hash_of(revision)
    assert answer["hash"] == mixed


def revisions_now(api: Api, collection: str = "c") -> list[int]:
    return [number_of(d["_rev"]) for d in api.dump(collection, api.create_batch())]


# -- tree ----------------------------------------------------------------------------------------


def test_the_populated_form_of_an_empty_tree(api: Api) -> None:
    api.create_collection("c")
    answer = tree(api, api.create_batch())
    assert answer == {
        "version": 1,
        "maxDepth": 6,
        "branchingFactor": 8,
        "rangeMin": hlc_of(1_609_459_200_000 << 20),
        "initialRangeMin": hlc_of(1_609_459_200_000 << 20),
        "rangeMax": hlc_of((1_609_459_200_000 << 20) + 64 * 8**6),
        "count": 0,
        "hash": 0,
        "nodes": [],
    }


@pytest.mark.parametrize("by", ["name", "id", "globallyUniqueId"])
def test_the_populated_form_sums_up_the_documents(api: Api, by: str) -> None:
    revisions = fill(api)
    collection = api.get("/_api/collection/c").json()[by]
    response = api.get(f"{PATH}/tree", **query(api.create_batch(), collection, onlyPopulated="1"))
    assert response.headers["content-type"].startswith("application/json")
    check_tree(response.json(), revisions)
    # trailing empty leaves are left out, runs of others are skipped by number
    assert response.json()["nodes"][-1]["count"] > 0
    assert len(response.json()["nodes"]) < 10


def test_the_tree_follows_every_kind_of_write(api: Api) -> None:
    fill(api)
    api.patch("/_api/document/c/k1", {"n": -1})
    api.put("/_api/document/c/k2", {})
    api.delete("/_api/document/c/k3")
    api.insert("c", {"_key": "k4"}, overwriteMode="replace")
    api.insert("c", [{"_key": f"k{n}", "v": 1} for n in range(90, 120)], overwriteMode="update")
    api.delete("/_api/document/c", [f"k{n}" for n in range(50, 60)])
    answer = tree(api, api.create_batch())
    check_tree(answer, revisions_now(api))
    assert answer["count"] == 100 + 20 - 1 - 10
    api.put("/_api/collection/c/truncate")
    assert tree(api, api.create_batch())["count"] == 0
    api.insert("c", {})
    check_tree(tree(api, api.create_batch()), revisions_now(api))


def test_the_published_form_has_all_nodes_of_all_levels(api: Api) -> None:
    revisions = fill(api)
    batch = api.create_batch()
    response = api.get(f"{PATH}/tree", **query(batch))
    assert response.status_code == 200
    answer = response.json()
    assert list(answer) == [
        "version",
        "branchingFactor",
        "maxDepth",
        "rangeMax",
        "rangeMin",
        "initialRangeMin",
        "nodes",
    ]
    assert (answer["version"], answer["branchingFactor"], answer["maxDepth"]) == (1, 8, 6)
    nodes = answer["nodes"]
    assert len(nodes) == sum(8**level for level in range(7)) == FULL_NODES
    populated = tree(api, batch)
    assert {name: answer[name] for name in ("rangeMin", "rangeMax")} == {
        name: populated[name] for name in ("rangeMin", "rangeMax")
    }
    low, high = number_of(answer["rangeMin"]), number_of(answer["rangeMax"])
    first = 0
    for level in range(7):
        expected = leaves_of(revisions, low, high, level)
        row = nodes[first : first + 8**level]
        found = {
            index: (node["count"], number_of(node["hash"]))
            for index, node in enumerate(row)
            if node != EMPTY
        }
        assert found == expected
        assert all(set(row[index]) == {"hash", "count"} for index in expected)
        first += 8**level


def test_the_published_form_of_an_empty_tree(api: Api) -> None:
    api.create_collection("c")
    nodes = api.get(f"{PATH}/tree", **query(api.create_batch())).json()["nodes"]
    assert len(nodes) == FULL_NODES
    assert all(node == EMPTY for node in nodes)


@pytest.mark.parametrize("value", ["false", "0", "nonsense"])
def test_onlypopulated_is_off_for_anything_but_true(api: Api, value: str) -> None:
    api.create_collection("c")
    answer = api.get(f"{PATH}/tree", **query(api.create_batch(), onlyPopulated=value)).json()
    assert len(answer["nodes"]) == FULL_NODES


def test_the_tree_of_a_batch_stays_while_writes_go_on(api: Api) -> None:
    """Whether the batch's first look at the tree comes before or after the changes."""
    fill(api, 10)
    versions: list[tuple[str, list[int]]] = []
    for step in range(5):
        versions.append((api.create_batch(), revisions_now(api)))
        if step % 2:
            tree(api, versions[-1][0])
        api.insert("c", [{} for _ in range(500)])
        api.patch("/_api/document/c/k1", {"n": step + 1000})
        if step == 3:
            api.put("/_api/collection/c/truncate")
            api.insert("c", {"_key": "k1"})
    for batch, revisions in versions:
        check_tree(tree(api, batch), revisions)
        verified = api.get(
            f"{PATH}/tree", **query(batch, verification="true", onlyPopulated="true")
        ).json()
        assert verified["equal"] is True
        check_tree(verified["computed"], revisions)
    api.delete(f"/_api/replication/batch/{versions[2][0]}")
    for batch, revisions in (versions[1], versions[3]):
        check_tree(tree(api, batch), revisions)


def test_a_collection_created_after_the_batch_has_an_empty_tree(api: Api) -> None:
    batch = api.create_batch()
    fill(api)
    assert tree(api, batch)["count"] == 0
    verified = api.get(f"{PATH}/tree", **query(batch, verification="true", onlyPopulated="true"))
    assert verified.json()["equal"] is True


def test_trees_of_equal_content_are_equal_over_any_history(server: ServerThread, api: Api) -> None:
    fill(api, 50)
    before = tree(api, api.create_batch())
    api.insert("c", [{"_key": f"x{number}"} for number in range(3000)])
    assert tree(api, api.create_batch())["hash"] != before["hash"]
    api.delete("/_api/document/c", [f"x{number}" for number in range(3000)])
    after = tree(api, api.create_batch())
    assert (after["count"], after["hash"]) == (before["count"], before["hash"])


def spoil_tree(server: ServerThread, api: Api, revision: int) -> None:
    """Put a revision into the live tree that no document has."""

    def spoil() -> None:
        catalog = server.server.node.store.catalog
        catalog.database(api.database).find("c").state.tree.insert([revision])

    server.call(spoil)


@pytest.mark.parametrize("populated", ["true", "false"])
def test_verification_compares_with_the_documents(
    server: ServerThread, api: Api, populated: str
) -> None:
    revisions = fill(api)
    params = query(api.create_batch(), verification="true", onlyPopulated=populated)
    answer = api.get(f"{PATH}/tree", **params).json()
    assert list(answer) == ["computed", "stored", "equal"]
    assert answer["computed"] == answer["stored"]
    assert answer["equal"] is True
    spoil_tree(server, api, revisions[0] + 7)
    answer = api.get(f"{PATH}/tree", **params).json()
    assert answer["equal"] is False
    assert answer["computed"] != answer["stored"]
    if populated == "true":
        check_tree(answer["computed"], revisions)
        check_tree(answer["stored"], [*revisions, revisions[0] + 7])


def test_post_builds_the_tree_anew(server: ServerThread, api: Api) -> None:
    revisions = fill(api)
    old = api.create_batch()
    spoil_tree(server, api, revisions[0] + 7)
    response = api.post(f"{PATH}/tree", **query(old))
    assert (response.status_code, response.content) == (204, b"")
    check_tree(tree(api, api.create_batch()), revisions)
    api.insert("c", {"_key": "later"})
    check_tree(tree(api, api.create_batch()), revisions_now(api))
    assert tree(api, old)["count"] == len(revisions) + 1  # what it was at the batch


@pytest.mark.parametrize("batch", ["42", "0", "nonsense"])
def test_post_does_not_look_at_the_batch(api: Api, batch: str) -> None:
    """The shell sends `batchId=42` (revision tree 10.2)."""
    fill(api, 1)
    assert api.post(f"{PATH}/tree", **query(batch)).status_code == 204


# -- ranges --------------------------------------------------------------------------------------

Pair = tuple[int, int]


def put_ranges(api: Api, batch: str, pairs: list[Pair], **params: Any) -> requests.Response:
    body = [[hlc_of(left), hlc_of(right)] for left, right in pairs]
    return api.put(f"{PATH}/ranges", body, **query(batch, **{"encodeAsHLC": "true", **params}))


def answers(
    api: Api, batch: str, pairs: list[Pair], by: str = "resumeHLC", resume: int | None = None
) -> Iterator[tuple[int, list[list[int]]]]:
    """Each answer with the request range its first member belongs to, as a follower sees it."""
    current = 0
    params = {} if resume is None else {by: hlc_of(resume)}
    while True:
        response = put_ranges(api, batch, pairs, **params)
        assert response.status_code == 200, response.text
        answer = response.json()
        assert ("resume" in answer) is ("resumeHLC" in answer)
        found = [[number_of(text) for text in inner] for inner in answer["ranges"]]
        yield current, found
        if "resume" not in answer:
            return
        assert answer["resume"] == answer["resumeHLC"]  # the same for present-day revisions
        assert resume is None or number_of(answer[by]) > resume
        resume = number_of(answer[by])
        while current + 1 < len(pairs) and pairs[current][1] < resume:
            current += 1
        params = {by: answer[by]}


def read_ranges(
    api: Api, batch: str, pairs: list[Pair], by: str = "resumeHLC"
) -> tuple[list[list[int]], int]:
    """What all answers together say, and how many there were."""
    whole: list[list[int]] = [[] for _ in pairs]
    number = 0
    for first, found in answers(api, batch, pairs, by):
        number += 1
        for index, inner in enumerate(found, first):
            whole[index] += inner
    return whole, number


def inside(revisions: list[int], pairs: list[Pair]) -> list[list[int]]:
    return [[r for r in revisions if left <= r <= right] for left, right in pairs]


def shapes(revisions: list[int]) -> dict[str, list[Pair]]:
    """Ranges of many kinds over these revisions."""
    first, last = revisions[0], revisions[-1]
    tens = [revisions[i] for i in range(0, len(revisions), 10)]
    return {
        "all": [(first, last)],
        "wider": [(1, last + 10**6)],
        "one, inclusive": [(revisions[5], revisions[6])],
        "below and above": [(1, first - 1), (last + 1, last + 2)],
        "apart": [(tens[i], tens[i + 1] - 1) for i in range(0, len(tens) - 1, 2)],
        "neighbours": [(a, b - 1) for a, b in pairwise(tens)],
        "empty ones between": [
            (1, 2),
            (3, 4),
            (first, revisions[20]),
            (last + 10, last + 20),
            (last + 20, last + 30),
        ],
        "empty last": [(first, last), (last + 1, last + 2)],
    }


@pytest.mark.parametrize("by", ["resumeHLC", "resume"])
@pytest.mark.parametrize("limit", [1, 7, 10, 11, 99, 100, 101])
def test_ranges_of_all_shapes_with_resuming(
    api: Api, monkeypatch: pytest.MonkeyPatch, limit: int, by: str
) -> None:
    monkeypatch.setattr("arangorep.leader.revisions.REVISIONS_PER_ANSWER", limit)
    revisions = fill(api)
    batch = api.create_batch()
    for name, pairs in shapes(revisions).items():
        whole, number = read_ranges(api, batch, pairs, by)
        assert (name, whole) == (name, inside(revisions, pairs))
        total = sum(map(len, whole))
        assert number in (max(1, -(-total // limit)), total // limit + 1)


def test_ranges_may_share_an_end(api: Api) -> None:
    revisions = fill(api, 31)
    pairs = list(pairwise(revisions[::10]))
    assert read_ranges(api, api.create_batch(), pairs) == (inside(revisions, pairs), 1)


def test_ranges_are_those_of_the_batch(api: Api) -> None:
    revisions = fill(api)
    batch = api.create_batch()
    api.put("/_api/collection/c/truncate")
    api.insert("c", [{} for _ in range(10)])
    assert read_ranges(api, batch, [(1, revisions[-1] + 10**9)]) == ([revisions], 1)


def test_pairs_below_the_resume_point_are_left_out(api: Api) -> None:
    revisions = fill(api)
    batch = api.create_batch()
    pairs = [(revisions[i], revisions[i + 9]) for i in range(0, 100, 10)]
    for resume, first, start in [
        (1, 0, 0),
        (revisions[0], 0, 0),
        (revisions[4], 0, 4),
        (revisions[9], 0, 9),
        (revisions[9] + 1, 1, 10),
        (revisions[10], 1, 10),
        (revisions[55], 5, 55),
        (revisions[99], 9, 99),
        (revisions[99] + 1, 9, 100),
    ]:
        ((_, found),) = answers(api, batch, pairs, resume=resume)
        expected = inside(revisions[start:], pairs)[first:]
        assert (resume, found) == (resume, expected)


def test_more_revisions_than_fit_one_answer(api: Api) -> None:
    api.create_collection("c")
    for _ in range(7):
        api.insert("c", [{} for _ in range(10_000)], silent="true")
    batch = api.create_batch()
    revisions = [number_of(d["_rev"]) for d in api.dump("c", batch, chunkSize=10**8)]
    assert len(revisions) == 70_000
    pairs = [
        (1, revisions[9_999]),
        (revisions[10_000], revisions[69_998]),
        (revisions[69_999], revisions[69_999] + 5),
    ]
    parts = list(answers(api, batch, pairs))
    assert [sum(map(len, found)) for _, found in parts] == [LIMIT, 70_000 - LIMIT]
    assert [(first, len(found)) for first, found in parts] == [(0, 2), (1, 2)]
    whole, number = read_ranges(api, batch, pairs)
    assert number == 2
    assert whole == [revisions[:10_000], revisions[10_000:69_999], revisions[69_999:]]
    exact, _ = read_ranges(api, batch, [(revisions[0], revisions[LIMIT - 1])])
    assert exact == [revisions[:LIMIT]]
    response = put_ranges(api, batch, [(revisions[0], revisions[LIMIT - 1])])
    assert "resume" not in response.json()
    check_tree(tree(api, batch), revisions)


@pytest.mark.parametrize("encode", ["true", "false", None])
def test_present_revisions_read_the_same_in_both_encodings(api: Api, encode: str | None) -> None:
    revisions = fill(api, 3)
    params = {} if encode is None else {"encodeAsHLC": encode}
    body = [[hlc_of(1), hlc_of(2**63)]]
    response = api.put(f"{PATH}/ranges", body, **query(api.create_batch(), **params))
    assert response.json() == {"ranges": [[hlc_of(revision) for revision in revisions]]}


def test_resume_is_decimal_or_hlc_and_resumehlc_wins(api: Api) -> None:
    revisions = fill(api, 10)
    batch = api.create_batch()
    pairs = [(1, 2**63)]
    decimal, hlc = str(revisions[4]), hlc_of(revisions[7])
    for params, start in [
        ({"resume": decimal}, 4),
        ({"resume": hlc}, 7),
        ({"resumeHLC": hlc}, 7),
        ({"resumeHLC": hlc, "resume": decimal}, 7),
        ({"resumeHLC": hlc, "resume": "!"}, 7),
        ({"resume": ""}, 0),
    ]:
        answer = put_ranges(api, batch, pairs, **params).json()
        assert answer == {"ranges": [[hlc_of(revision) for revision in revisions[start:]]]}


@pytest.mark.parametrize(
    "params",
    [
        {"resume": "!"},
        {"resume": "_ABCDEFGHIJK"},
        {"resume": REVISION_MAX},
        {"resumeHLC": "1609459200000123456"},
        {"resumeHLC": "a b"},
        {"resumeHLC": REVISION_MAX, "resume": "_"},
    ],
)
def test_a_resume_value_must_be_a_revision(api: Api, params: dict[str, str]) -> None:
    fill(api, 1)
    response = put_ranges(api, api.create_batch(), [(1, 2)], **params)
    assert error_of(response) == (400, 400)


@pytest.mark.parametrize(
    "body",
    [
        "[]",
        "{}",
        "null",
        "",
        '"_"',
        '["_","A"]',
        "[[]]",
        '[["_"]]',
        '[["_","A","B"]]',
        '[["_",1]]',
        '[[1,"A"]]',
        '[["_",null]]',
        '[[["_"],"A"]]',
        '[["A","_"]]',
        '[["A","A"]]',
        '[["_","!"]]',
        '[["ä","_"]]',
        '[["_","_ABCDEFGHIJK"]]',
        f'[["_","{REVISION_MAX}"]]',
        '[["A","B"],["_","A"]]',
        '[["_","C"],["B","D"]]',
        '[["_","C"],["A","B"]]',
        '[["_","A"],{}]',
    ],
)
def test_ranges_must_be_ascending_pairs_of_revisions(api: Api, body: str) -> None:
    fill(api, 1)
    response = api.put(f"{PATH}/ranges", body, **query(api.create_batch()))
    assert error_of(response) == (400, 400)


def test_the_left_end_may_be_the_empty_text(api: Api) -> None:
    """Zero as HLC text."""
    revisions = fill(api, 2)
    response = api.put(
        f"{PATH}/ranges", [["", hlc_of(2**63)]], **query(api.create_batch(), encodeAsHLC="true")
    )
    assert response.json() == {"ranges": [[hlc_of(revision) for revision in revisions]]}


# -- documents -----------------------------------------------------------------------------------


def put_documents(api: Api, batch: str, texts: Any, **params: Any) -> requests.Response:
    return api.put(f"{PATH}/documents", texts, **query(batch, **params))


@pytest.mark.parametrize("encode", ["true", "false"])
@pytest.mark.parametrize(
    "positions", [[], [0], [99], [0, 1, 2], [99, 0, 50], [7, 7], list(range(100))]
)
def test_documents_in_the_order_asked_for(api: Api, positions: list[int], encode: str) -> None:
    revisions = fill(api)
    batch = api.create_batch()
    documents = api.dump("c", batch)
    texts = [hlc_of(revisions[position]) for position in positions]
    response = put_documents(api, batch, texts, encodeAsHLC=encode)
    assert response.status_code == 200
    assert response.headers["content-type"].startswith("application/json")
    assert response.json() == [documents[position] for position in positions]


def test_a_revision_that_is_not_there_is_an_empty_object(api: Api) -> None:
    revisions = fill(api, 10)
    batch = api.create_batch()
    api.patch("/_api/document/c/k1", {"n": "changed"})
    new = api.get("/_api/document/c/k1").json()["_rev"]
    documents = api.dump("c", batch)
    texts = [hlc_of(r) for r in (revisions[3] - 2**21, revisions[1], 1, 2**63, revisions[9])]
    answer = put_documents(api, batch, [*texts, new, ""], encodeAsHLC="true").json()
    assert answer == [{}, documents[1], {}, {}, documents[9], {}, {}]
    assert put_documents(api, api.create_batch(), texts[1:2], encodeAsHLC="true").json() == [{}]


def test_decimal_revisions_are_only_for_the_older_encoding(api: Api) -> None:
    revisions = fill(api, 3)
    batch = api.create_batch()
    decimal = str(revisions[1])
    assert put_documents(api, batch, [decimal]).json() == [api.dump("c", batch)[1]]
    assert error_of(put_documents(api, batch, [decimal], encodeAsHLC="true")) == (400, 400)
    # short digits are valid in both, but other numbers
    assert put_documents(api, batch, ["12345"]).json() == [{}]
    assert put_documents(api, batch, ["12345"], encodeAsHLC="true").json() == [{}]


def test_documents_of_a_renamed_collection_carry_its_name(api: Api) -> None:
    revisions = fill(api, 3)
    batch = api.create_batch()
    api.put("/_api/collection/c/rename", {"name": "another"})
    response = api.put(f"{PATH}/documents", [hlc_of(revisions[0]), "_"], **query(batch, "another"))
    assert [document.get("_id") for document in response.json()] == ["another/k0", None]


@pytest.mark.parametrize("size", [1, 60, 61, 300, 1000])
def test_the_answer_stops_before_the_chunk_size_is_passed(api: Api, size: int) -> None:
    revisions = fill(api)
    batch = api.create_batch()
    documents = api.dump("c", batch)
    texts = [hlc_of(revision) for revision in revisions]
    found: list[Any] = []
    while len(found) < len(texts):
        response = put_documents(api, batch, texts[len(found) :], chunkSize=size)
        part = response.json()
        assert part
        assert len(part) == 1 or len(response.content) <= size + 1
        if len(found) + len(part) < len(texts) and size >= 300:
            assert len(part) > 2
        found += part
    assert found == documents


@pytest.mark.parametrize("size", ["16777217", "18446744073709551615", "0", "x"])
def test_the_chunk_size_is_16_mib_at_most_and_by_default(
    api: Api, monkeypatch: pytest.MonkeyPatch, size: str
) -> None:
    monkeypatch.setattr("arangorep.leader.revisions.REVISION_DOCUMENTS_BYTES_MAX", 500)
    revisions = fill(api)
    texts = [hlc_of(revision) for revision in revisions]
    batch = api.create_batch()
    for params in ({"chunkSize": size}, {}):
        part = put_documents(api, batch, texts, **params)
        assert len(part.content) <= 501
        assert len(part.json()) > 2


@pytest.mark.parametrize(
    "body",
    [
        "{}",
        "null",
        "",
        '"_"',
        "[1]",
        "[null]",
        '[["_"]]',
        '["_",{}]',
        '["!"]',
        '["_ABCDEFGHIJK"]',
        f'["{REVISION_MAX}"]',
    ],
)
@pytest.mark.parametrize("encode", ["true", "false"])
def test_documents_must_be_an_array_of_revisions(api: Api, body: str, encode: str) -> None:
    fill(api, 1)
    response = put_documents(api, api.create_batch(), body, encodeAsHLC=encode)
    assert error_of(response) == (400, 400)


def test_bodies_must_be_json(api: Api) -> None:
    fill(api, 1)
    for word in ("ranges", "documents"):
        response = api.put(f"{PATH}/{word}", "[", **query(api.create_batch()))
        assert error_of(response) == (400, 600)


# -- errors of all -------------------------------------------------------------------------------

CALLS = [("GET", "tree"), ("POST", "tree"), ("PUT", "ranges"), ("PUT", "documents")]


@pytest.mark.parametrize(("method", "word"), CALLS)
def test_what_is_missing_or_unknown(api: Api, method: str, word: str) -> None:
    fill(api, 1)
    api.create_collection("without", syncByRevision=False)
    batch = api.create_batch()
    bodies = {"ranges": [["_", "A"]], "documents": ["_"]}
    cases: list[tuple[dict[str, str], tuple[int, int]]] = [
        ({}, (400, 400)),
        ({"batchId": batch}, (400, 400)),
        ({"collection": "", "batchId": batch}, (400, 400)),
        ({"collection": "c"}, (400, 400)),
        ({"collection": "nowhere"}, (400, 400)),
        ({"collection": "nowhere", "batchId": batch}, (404, 1203)),
        ({"collection": "nowhere", "batchId": "12345678"}, (404, 1203)),
        ({"collection": "without", "batchId": batch}, (501, 9)),
        ({"collection": "without", "batchId": "12345678"}, (501, 9)),
    ]
    if method != "POST":
        cases.append(({"collection": "c", "batchId": "12345678"}, (404, 1600)))
    for params, expected in cases:
        response = api.request(method, f"{PATH}/{word}", bodies.get(word), params=params)
        assert (params, error_of(response)) == (params, expected)
