"""The JSON forms of a revision tree against the vectors, a plain rendering and hostile input."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from arangorep.limits import TREE_DEPTH_MAX
from arangorep.protocol.revision_tree import (
    PIECE_NODES,
    decode_tree,
    encode_full_tree,
    encode_tree,
)
from arangorep.values.revision import (
    REVISION_LOWER_BOUND,
    TICK_LIMIT,
    encode_hlc,
    revision_text,
)
from arangorep.values.revision_tree import RevisionTree, RevisionTreeError

VECTORS = json.loads(
    (Path(__file__).parents[2] / "vectors" / "revision_tree.json").read_text("utf-8")
)
NOW = 1_782_579_200_000_000_000
PIECE_BYTES_MAX = 512 * 1024


def vectors_with(form: str) -> pytest.MarkDecorator:
    return pytest.mark.parametrize(
        "vector", [pytest.param(v, id=v["name"]) for v in VECTORS["trees"] if form in v]
    )


def tree_of(vector: dict) -> RevisionTree:
    """The tree a vector describes by its result, built without the code that grows trees."""
    result = vector["result"]
    return RevisionTree.from_leaves(
        [tuple(map(int, node)) for node in result["nodes"]],
        depth=vector["tree"]["depth"],
        range_min=int(result["rangeMin"]),
        range_max=int(result["rangeMax"]),
        initial_range_min=int(result["initialRangeMin"]),
    )


def small_tree(*revisions: int) -> RevisionTree:
    tree = RevisionTree(2, 0, 64)
    tree.insert(revisions)
    return tree


class TestEncode:
    @vectors_with("portable_only_populated")
    def test_vector(self, vector: dict) -> None:
        text = encode_tree(tree_of(vector)).decode("ascii")
        # written by hand around the vector, so the order of the members counts too
        expected = json.dumps(vector["portable_only_populated"], separators=(",", ":"))
        depth = f'"maxDepth":{vector["tree"]["depth"]},'
        assert text == expected.replace(depth, depth + '"branchingFactor":8,')

    def test_gaps(self) -> None:
        value = json.loads(encode_tree(small_tree(1, 3, 6, 60)))
        shapes = [next(iter(node.items()), "empty") for node in value["nodes"]]
        one, two = ("count", 1), ("skip", 2)
        assert shapes == ["empty", one, "empty", one, two, one, ("skip", 53), one]

    def test_fresh_server_tree(self) -> None:
        assert encode_tree(RevisionTree()) == (
            b'{"version":1,"maxDepth":6,"branchingFactor":8,"rangeMax":"_bpq8a_----",'
            b'"rangeMin":"_bpq8a-----","initialRangeMin":"_bpq8a-----","count":0,"hash":0,"nodes":[]}'
        )


class TestDecode:
    @vectors_with("portable_only_populated")
    def test_only_populated(self, vector: dict) -> None:
        tree = decode_tree(vector["portable_only_populated"])
        assert tree.to_bytes() == tree_of(vector).to_bytes()

    @vectors_with("portable_full")
    def test_with_empty_leaves(self, vector: dict) -> None:
        tree = decode_tree(vector["portable_full"])
        assert tree.to_bytes() == tree_of(vector).to_bytes()

    @vectors_with("portable_only_populated")
    def test_reads_what_it_writes(self, vector: dict) -> None:
        tree = tree_of(vector)
        assert decode_tree(json.loads(encode_tree(tree))).to_bytes() == tree.to_bytes()

    @pytest.mark.parametrize(
        "vector",
        [pytest.param(v, id=v["name"]) for v in VECTORS["undecodable"] if v["kind"] == "portable"],
    )
    def test_undecodable(self, vector: dict) -> None:
        with pytest.raises(RevisionTreeError) as caught:
            decode_tree(vector["value"])
        assert caught.value.kind == "invalid_argument"

    @pytest.mark.parametrize("value", [None, 1, "tree", [], [1], True])
    def test_no_object(self, value: object) -> None:
        with pytest.raises(RevisionTreeError):
            decode_tree(value)

    @staticmethod
    def sample() -> dict[str, Any]:
        value = json.loads(encode_tree(small_tree(0, 2, 63)))
        assert decode_tree(value).count == 3
        return value

    @pytest.mark.parametrize("name", ["version", "maxDepth", "count", "hash"])
    @pytest.mark.parametrize("wrong", [None, "1", [], {}])
    def test_numbers_are_numbers(self, name: str, wrong: object) -> None:
        with pytest.raises(RevisionTreeError, match=name):
            decode_tree(self.sample() | {name: wrong})

    @pytest.mark.parametrize("kind", [bool, float])
    def test_numbers_are_no_truth_values_and_no_floats(self, kind: Callable[[int], object]) -> None:
        one = json.loads(encode_tree(small_tree(0)))
        decode_tree(one)
        for name in ("version", "count"):
            assert one[name] == kind(1) == 1
            with pytest.raises(RevisionTreeError, match=name):
                decode_tree(one | {name: kind(1)})
        leaf = {**one["nodes"][0], "count": kind(1)}
        with pytest.raises(RevisionTreeError, match="count"):
            decode_tree(one | {"nodes": [leaf]})
        with pytest.raises(RevisionTreeError, match="skip"):
            decode_tree(one | {"nodes": [*one["nodes"], {"skip": kind(1)}]})

    @pytest.mark.parametrize("wrong", [-1, 2**64])
    def test_numbers_are_unsigned_and_have_64_bits(self, wrong: int) -> None:
        for name in ("version", "maxDepth", "count", "hash"):
            with pytest.raises(RevisionTreeError, match=name):
                decode_tree(self.sample() | {name: wrong})
        for name in ("count", "hash", "skip"):
            nodes = [{"count": 1, "hash": 1, name: wrong}]
            with pytest.raises(RevisionTreeError, match=name):
                decode_tree(self.sample() | {"nodes": nodes})

    @pytest.mark.parametrize("name", ["rangeMin", "rangeMax", "initialRangeMin"])
    @pytest.mark.parametrize("wrong", [None, 64, "*", "N9999999999", b"_-"])
    def test_borders_are_revision_ids(self, name: str, wrong: object) -> None:
        with pytest.raises(RevisionTreeError, match=name):
            decode_tree(self.sample() | {name: wrong})

    @pytest.mark.parametrize("depth", [0, 1, 3, TREE_DEPTH_MAX + 1, 10**6, 2**64 - 1])
    def test_other_depths(self, depth: int) -> None:
        with pytest.raises(RevisionTreeError):
            decode_tree(self.sample() | {"maxDepth": depth})

    def test_depth_is_bounded_even_where_the_range_would_do(self) -> None:
        borders = {"rangeMin": "", "initialRangeMin": "", "rangeMax": encode_hlc(2**60)}
        empty = self.sample() | borders | {"count": 0, "hash": 0, "nodes": []}
        assert decode_tree(empty | {"maxDepth": TREE_DEPTH_MAX}).depth == TREE_DEPTH_MAX
        with pytest.raises(RevisionTreeError):
            decode_tree(empty | {"maxDepth": TREE_DEPTH_MAX + 1})

    def test_empty_range_is_not_the_default_range(self) -> None:
        fields = {"rangeMin": "", "initialRangeMin": "", "rangeMax": ""}
        with pytest.raises(RevisionTreeError):
            decode_tree(self.sample() | fields | {"nodes": [], "count": 0, "hash": 0})

    def test_as_many_nodes_as_leaves(self) -> None:
        value = self.sample() | {"count": 0, "hash": 0}
        assert decode_tree(value | {"nodes": [{}] * 64}).count == 0
        with pytest.raises(RevisionTreeError):
            decode_tree(value | {"nodes": [{}] * 65})

    @pytest.mark.parametrize("node", [None, 1, "x", []])
    def test_nodes_are_objects(self, node: object) -> None:
        value = self.sample()
        with pytest.raises(RevisionTreeError):
            decode_tree(value | {"nodes": [*value["nodes"], node]})

    @pytest.mark.parametrize("skip", [64, 2**32, 2**64 - 1])
    def test_a_leaf_behind_the_last(self, skip: int) -> None:
        value = json.loads(encode_tree(small_tree(0)))
        leaf = value["nodes"][0]
        moved = decode_tree(value | {"nodes": [{"skip": 63}, leaf]})
        assert list(moved.leaves()) == [(63, 1, leaf["hash"])]
        with pytest.raises(RevisionTreeError):
            decode_tree(value | {"nodes": [{"skip": skip}, leaf]})
        with pytest.raises(RevisionTreeError):
            decode_tree(value | {"nodes": [{"skip": skip}, {"skip": skip}, leaf]})

    @pytest.mark.parametrize("leaf", [{"count": 1}, {"hash": 1}, {"count": 0, "hash": 5}])
    def test_half_a_leaf(self, leaf: dict) -> None:
        sums = {"count": leaf.get("count", 0), "hash": leaf.get("hash", 0)}
        for declared in (sums, {"count": 0, "hash": 0}):
            with pytest.raises(RevisionTreeError):
                decode_tree(self.sample() | declared | {"nodes": [leaf]})

    def test_an_empty_leaf_in_full(self) -> None:
        leaf = {"count": 0, "hash": 0}
        assert decode_tree(self.sample() | leaf | {"nodes": [leaf]}).count == 0

    def test_sums_must_match(self) -> None:
        value = self.sample()
        for name in ("count", "hash"):
            with pytest.raises(RevisionTreeError):
                decode_tree(value | {name: value[name] ^ 1})

    def test_sums_are_not_taken_modulo_64_bits(self) -> None:
        nodes = [{"count": 2**63, "hash": 1}, {"count": 2**63, "hash": 1}]
        with pytest.raises(RevisionTreeError):
            decode_tree(self.sample() | {"nodes": nodes, "count": 0, "hash": 0})

    def test_unknown_members_are_ignored(self) -> None:
        value = self.sample()
        value["nodes"][0]["more"] = 1
        assert decode_tree(value | {"more": 1}).equal(small_tree(0, 2, 63))


def plain_full_tree(tree: RevisionTree) -> dict[str, Any]:
    """The published form, made the obvious way: all leaves, then each level from the one below."""
    nodes = [(0, 0)] * 8**tree.depth
    for index, count, mixed in tree.leaves():
        nodes[index] = (count, mixed)
    levels = [nodes]
    while len(nodes) > 1:
        parents = []
        for first in range(0, len(nodes), 8):
            count = mixed = 0
            for child in nodes[first : first + 8]:
                count += child[0]
                mixed ^= child[1]
            parents.append((count, mixed))
        nodes = parents
        levels.insert(0, nodes)
    return {
        "version": 1,
        "branchingFactor": 8,
        "maxDepth": tree.depth,
        "rangeMax": encode_hlc(tree.range_max),
        "rangeMin": encode_hlc(tree.range_min),
        "initialRangeMin": encode_hlc(tree.initial_range_min),
        "nodes": [
            {"count": count, "hash": revision_text(mixed)}
            for level in levels
            for count, mixed in level
        ],
    }


class TestEncodeFull:
    @pytest.mark.parametrize(
        "tree",
        [
            pytest.param(RevisionTree(2, 0, 64), id="empty"),
            pytest.param(small_tree(0), id="first"),
            pytest.param(small_tree(63), id="last"),
            pytest.param(small_tree(*range(64)), id="all"),
            pytest.param(small_tree(3, 9, 17, 18, 40, 1000), id="some"),
            pytest.param(RevisionTree(), id="empty server tree"),
        ],
    )
    def test_agrees_with_the_obvious_rendering(self, tree: RevisionTree) -> None:
        text = b"".join(encode_full_tree(tree))
        assert text == json.dumps(plain_full_tree(tree), separators=(",", ":")).encode()

    @pytest.mark.parametrize("every", [1, 5, 1000, PIECE_NODES - 1, PIECE_NODES, PIECE_NODES + 1])
    def test_a_server_tree(self, every: int) -> None:
        bucket = 1 << 34
        tree = RevisionTree(
            6, REVISION_LOWER_BOUND, REVISION_LOWER_BOUND + (bucket << 18), REVISION_LOWER_BOUND
        )
        tree.insert([REVISION_LOWER_BOUND + i * bucket for i in range(7, 40_000, every)])
        pieces = encode_full_tree(tree)
        assert json.loads(b"".join(pieces)) == plain_full_tree(tree)
        assert max(map(len, pieces)) <= PIECE_BYTES_MAX

    def test_number_of_nodes_and_pieces(self) -> None:
        tree = RevisionTree()
        tree.insert([NOW])
        pieces = encode_full_tree(tree)
        nodes = json.loads(b"".join(pieces))["nodes"]
        assert len(nodes) == 299_593
        assert nodes[0] == {"count": 1, "hash": revision_text(tree.hash)}
        assert sum(node["count"] for node in nodes) == 7
        assert len(pieces) == 299_592 // PIECE_NODES + 1
        # what is empty is not rendered again and again
        assert len(set(map(id, pieces))) <= 10

    def test_a_piece_of_the_longest_nodes_is_small_enough(self) -> None:
        longest = f',{{"count":{2**64 - 1},"hash":"{revision_text(TICK_LIMIT)}"}}'
        head_and_tail = 1024
        assert PIECE_NODES * len(longest) + head_and_tail <= PIECE_BYTES_MAX
