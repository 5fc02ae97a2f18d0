"""How many documents of about 300 bytes does one core encode from stored JSON to VelocyPack?"""

from __future__ import annotations

import argparse

import orjson
from common import COLLECTION, Result, at_least, document, main, median, timed

from arangorep.codec.velocypack import decode_all, encode_json_rows
from arangorep.storage.rows import build_row
from arangorep.values.revision import revision_text

FIRST_REVISION = 1_700_000_000_000 << 20
DOCUMENTS_PER_S = 30_000


def stored(number: int) -> bytes:
    """The row of a document as the store holds it."""
    body = document(number)
    key = body.pop("_key").encode()
    revision = revision_text(FIRST_REVISION + number).encode()
    return build_row(key, COLLECTION.encode(), revision, body)


def run(arguments: argparse.Namespace) -> list[Result]:
    """Rounds of parsing and writing JSON, encoding and decoding, in turns."""
    rows = [stored(number) for number in range(arguments.documents)]
    encoded = b"".join(encode_json_rows(rows))
    seconds: dict[str, list[float]] = {"json": [], "encode": [], "decode": []}
    for _ in range(arguments.rounds):
        seconds["json"].append(timed(lambda: [orjson.dumps(orjson.loads(row)) for row in rows]))
        seconds["encode"].append(timed(lambda: encode_json_rows(rows)))
        seconds["decode"].append(timed(lambda: sum(1 for _ in decode_all(encoded))))
    rates = {name: len(rows) / median(taken) for name, taken in seconds.items()}
    figures = {f"{name}_per_s": rate for name, rate in rates.items()}
    return [
        at_least(
            f"encoding to VelocyPack, against {DOCUMENTS_PER_S:,} documents/s",
            rates["encode"] / DOCUMENTS_PER_S,
            1.0,
            bytes_of_a_document=sum(map(len, rows)) / len(rows),
            **figures,
        ),
        at_least(
            "encoding to VelocyPack, against parsing and writing JSON",
            rates["encode"] / rates["json"],
            0.15,
            **figures,
        ),
        at_least(
            "decoding VelocyPack, against parsing and writing JSON",
            rates["decode"] / rates["json"],
            0.08,
            **figures,
        ),
    ]


if __name__ == "__main__":
    main(run, documents=50_000)
