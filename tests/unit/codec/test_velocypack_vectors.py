"""VelocyPack against the vectors, most of which a real server's library made or judged."""

from __future__ import annotations

from functools import reduce
from operator import xor
from typing import Any

import pytest
from support.velocypack import COLLECTIONS, VECTORS, encoded, same, vector_value
from xxhash import xxh64_intdigest

from arangorep.codec.velocypack import decode, decode_all, encode, split, value_size
from arangorep.errors import CorruptedJson

HASH_SEED = 0xDEADBEEF
BUILT = [
    (vector, layout)
    for vector in VECTORS["vectors"]
    if vector["encode_as"]
    for layout in vector["encode_as"].split("|")
]


def named(vectors: list[dict[str, Any]]) -> pytest.MarkDecorator:
    return pytest.mark.parametrize("vector", [pytest.param(v, id=v["name"]) for v in vectors])


def test_there_are_vectors_of_all_kinds() -> None:
    assert len(VECTORS["vectors"]) >= 137
    assert len(VECTORS["malformed"]) >= 58
    assert len(VECTORS["stricter"]) >= 7


@named(VECTORS["vectors"])
def test_a_vector_is_read(vector: dict[str, Any]) -> None:
    data = bytes.fromhex(vector["hex"])
    value = decode(data, collections=COLLECTIONS.get, typed=True)
    if not vector.get("accept_only"):
        assert same(value, vector_value(vector["value"]))


@named([v for v in VECTORS["vectors"] if v.get("needs") != "tags"])
def test_a_vector_ends_where_its_head_says(vector: dict[str, Any]) -> None:
    data = bytes.fromhex(vector["hex"])
    assert value_size(data) == len(data)
    assert split(data + data) == [data, data]
    twice = [*decode_all(data + data, collections=COLLECTIONS.get, typed=True)]
    assert same(twice[0], twice[1])
    assert len(twice) == 2


@pytest.mark.parametrize(
    ("vector", "layout"), [pytest.param(v, as_, id=f"{v['name']}-{as_}") for v, as_ in BUILT]
)
def test_a_vector_is_built(vector: dict[str, Any], layout: str) -> None:
    value, data = vector["value"], bytes.fromhex(vector["hex"])
    assert encoded(value, layout) == data, "the encoder of the tests"
    if layout == "flexible":
        assert encode(value) == data


@pytest.mark.parametrize("typed", [False, True])
@named(VECTORS["malformed"] + VECTORS["stricter"])
def test_a_malformed_vector_is_refused(vector: dict[str, Any], typed: bool) -> None:
    with pytest.raises(CorruptedJson, match=r"^VPackError error: ") as caught:
        decode(bytes.fromhex(vector["hex"]), collections=COLLECTIONS.get, typed=typed)
    assert (caught.value.http_status, caught.value.error_num) == (400, 600)


@pytest.mark.parametrize("vector", VECTORS["string_hash"], ids=lambda vector: vector["text"][:20])
def test_a_text_is_hashed_as_it_is_encoded(vector: dict[str, str]) -> None:
    assert encode(vector["text"]).hex() == vector["vpack_hex"]
    assert xxh64_intdigest(encode(vector["text"]), HASH_SEED) == int(vector["hash"])


@pytest.mark.parametrize("vector", VECTORS["keys_chunk_hash"], ids=lambda vector: vector["hash"])
def test_a_chunk_of_keys_is_hashed_by_its_texts(vector: dict[str, Any]) -> None:
    texts = [text for pair in vector["keys_and_revs"] for text in pair]
    hashes = [xxh64_intdigest(encode(text), HASH_SEED) for text in texts]
    assert reduce(xor, hashes, 0x012345678) == int(vector["hash"])
