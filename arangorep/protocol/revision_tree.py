"""A revision tree as JSON: the form followers exchange and the form the API documentation shows.

Real followers ask for the populated leaves only (`encode_tree`) and read nothing else
(`decode_tree`). The documentation shows nodes of all levels with hashes as revision texts
(`encode_full_tree`); some clients were written after it. Source: revision tree, section 8.1.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from arangorep.limits import TREE_DEPTH_MAX
from arangorep.values.revision import REVISION_MAX, decode_hlc, encode_hlc, revision_text
from arangorep.values.revision_tree import BRANCHING_BITS, RevisionTree, RevisionTreeError

if TYPE_CHECKING:
    from collections.abc import Iterator

VERSION: Final = 1
BRANCHING_FACTOR: Final = 1 << BRANCHING_BITS

PIECE_NODES: Final = 8192
"""Nodes in one piece of a full tree; with at most 54 bytes a node that is below 512 KiB."""

_EMPTY_NODE: Final = b',{"count":0,"hash":"0"}'
_EMPTY_PIECE: Final = _EMPTY_NODE * PIECE_NODES


def encode_tree(tree: RevisionTree) -> bytes:
    """The tree by its populated leaves; runs of empty ones in between are skipped by number.

    `branchingFactor` is no part of what a real server sends; readers ignore it.
    """
    nodes = []
    behind_last = 0
    for index, count, mixed in tree.leaves():
        gap = index - behind_last
        if gap:
            nodes.append("{}" if gap == 1 else f'{{"skip":{gap}}}')
        nodes.append(f'{{"count":{count},"hash":{mixed}}}')
        behind_last = index + 1
    return (
        f'{{"version":{VERSION},"maxDepth":{tree.depth},"branchingFactor":{BRANCHING_FACTOR},'
        f'{_borders(tree)},"count":{tree.count},"hash":{tree.hash},"nodes":[{",".join(nodes)}]}}'
    ).encode("ascii")


def encode_full_tree(tree: RevisionTree) -> list[bytes]:
    """The tree with all nodes of all levels, root first, in pieces of at most 512 KiB.

    A depth of 6 means 299593 nodes and 6.9 MB or more, mostly one node repeated, so all pieces
    without a populated node are one and the same object.
    """
    head = (
        f'{{"version":{VERSION},"branchingFactor":{BRANCHING_FACTOR},"maxDepth":{tree.depth},'
        f'{_borders(tree)},"nodes":[{_full_node(tree.count, tree.hash)}'
    )
    nodes = _NodePieces(head.encode("ascii"))
    for level in range(1, tree.depth + 1):
        behind_last = 0
        for index, count, mixed in tree.level(level):
            nodes.skip(index - behind_last)
            nodes.add(f",{_full_node(count, mixed)}".encode("ascii"))
            behind_last = index + 1
        nodes.skip(BRANCHING_FACTOR**level - behind_last)
    return nodes.finished(b"]}")


def decode_tree(value: object) -> RevisionTree:
    """Read parsed JSON in the form of `encode_tree`, with or without the empty leaves.

    Raises `RevisionTreeError` for anything that is no tree or contradicts itself. What the input
    demands is checked before memory is spent on it.
    """
    if not isinstance(value, dict):
        raise _invalid("a revision tree is an object")
    if _number(value, "version") != VERSION:
        raise _invalid("unknown version of a revision tree")
    depth = _number(value, "maxDepth")
    if depth > TREE_DEPTH_MAX:
        raise _invalid(f"maxDepth {depth} is more than {TREE_DEPTH_MAX}")
    range_min, range_max = _revision(value, "rangeMin"), _revision(value, "rangeMax")
    if range_min >= range_max:
        raise _invalid("the range of the tree is empty")
    nodes = value.get("nodes")
    size = BRANCHING_FACTOR**depth
    if not isinstance(nodes, list) or len(nodes) > size:
        raise _invalid(f"nodes is not an array of at most {size} members")
    tree = RevisionTree.from_leaves(
        _populated(nodes),
        depth=depth,
        range_min=range_min,
        range_max=range_max,
        initial_range_min=_revision(value, "initialRangeMin"),
    )
    if (tree.count, tree.hash) != (_number(value, "count"), _number(value, "hash")):
        raise _invalid("the nodes of the tree do not add up to its count and hash")
    return tree


def _borders(tree: RevisionTree) -> str:
    return (
        f'"rangeMax":"{encode_hlc(tree.range_max)}","rangeMin":"{encode_hlc(tree.range_min)}",'
        f'"initialRangeMin":"{encode_hlc(tree.initial_range_min)}"'
    )


def _full_node(count: int, mixed: int) -> str:
    return f'{{"count":{count},"hash":"{revision_text(mixed)}"}}'


class _NodePieces:
    """Collects nodes and cuts them into pieces of `PIECE_NODES`."""

    def __init__(self, head: bytes) -> None:
        self._pieces: list[bytes] = []
        self._waiting = [head]
        self._room = PIECE_NODES

    def add(self, node: bytes) -> None:
        self._waiting.append(node)
        self._room -= 1
        if not self._room:
            self._cut()

    def skip(self, number: int) -> None:
        """Add empty nodes."""
        if number >= self._room:
            number -= self._room
            self._waiting.append(_EMPTY_NODE * self._room)
            self._cut()
            self._pieces.extend([_EMPTY_PIECE] * (number // PIECE_NODES))
            number %= PIECE_NODES
        if number:
            self._waiting.append(_EMPTY_NODE * number)
            self._room -= number

    def finished(self, tail: bytes) -> list[bytes]:
        self._waiting.append(tail)
        self._cut()
        return self._pieces

    def _cut(self) -> None:
        self._pieces.append(b"".join(self._waiting))
        self._waiting = []
        self._room = PIECE_NODES


def _populated(nodes: list[Any]) -> Iterator[tuple[int, int, int]]:
    """The leaves that hold something; their indexes may lie anywhere."""
    index = 0
    for node in nodes:
        if not isinstance(node, dict):
            raise _invalid("a node of the tree is no object")
        if "skip" in node:
            index += _number(node, "skip")
            continue
        if "count" in node or "hash" in node:
            count, mixed = _number(node, "count"), _number(node, "hash")
            if count or mixed:
                yield index, count, mixed
        index += 1


def _number(value: dict[str, Any], name: str) -> int:
    """The member, an unsigned 64-bit integer."""
    number = value.get(name)
    if type(number) is not int or not 0 <= number <= REVISION_MAX:  # `type`: a bool is no number
        raise _invalid(f"{name} is not an unsigned 64-bit integer")
    return number


def _revision(value: dict[str, Any], name: str) -> int:
    text = value.get(name)
    revision = decode_hlc(text) if isinstance(text, str) else REVISION_MAX
    if revision == REVISION_MAX:
        raise _invalid(f"{name} is not a revision id")
    return revision


def _invalid(message: str) -> RevisionTreeError:
    return RevisionTreeError("invalid_argument", message)
