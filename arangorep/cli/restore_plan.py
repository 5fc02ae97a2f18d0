"""What of a dump is restored, under which names, and in which order (follower 10). Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import xxhash

from arangorep.backup.directory import CollectionFiles, DatabaseFiles, DumpDirectory
from arangorep.backup.layout import Members
from arangorep.codec.json import dumps

USERS = "_users"
ANALYZERS = "_analyzers"
SEARCH_ALIAS = "search-alias"
VECTOR = "vector"

_OWN_IDENTITY = ("globallyUniqueId", "id", "cid", "planId")


@dataclass(frozen=True, slots=True)
class RestoreOptions:
    """What is restored, and how."""

    database: str | None
    all_databases: bool
    create_database: bool
    collections: tuple[str, ...]
    include_system: bool
    overwrite: bool
    import_data: bool
    create_collection: bool
    threads: int
    batch_size: int
    names: Mapping[str, str]
    force: bool

    def shows(self, name: str) -> bool:
        """Whether a collection is restored; a system collection that is named always is."""
        if self.collections:
            return name in self.collections
        return self.include_system or not name.startswith("_")


@dataclass(frozen=True, slots=True)
class Target:
    """One collection to be restored: `name` is the one it gets."""

    database: str
    name: str
    body: Members
    files: CollectionFiles
    in_order: bool

    @property
    def label(self) -> str:
        """For people and for the journal."""
        return f"{self.database}/{self.name}"

    def with_indexes(self, *, vector: bool) -> Members | None:
        """The body of `restore-indexes`: vector indexes are made after the data, others before."""
        indexes = [i for i in self.body["indexes"] if (i.get("type") == VECTOR) is vector]
        return {**self.body, "indexes": indexes} if indexes else None


def targets(database: DatabaseFiles, name: str, options: RestoreOptions) -> list[Target]:
    """The collections of a database in the order in which they are created."""
    chosen = [c for c in database.collections if options.shows(c.structure.name)]
    chosen.sort(key=_creation_order)
    return [
        Target(
            name,
            options.names.get(files.structure.name, files.structure.name),
            _body(files, options.names),
            files,
            database.head.has_envelopes,
        )
        for files in chosen
    ]


def views(database: DatabaseFiles, options: RestoreOptions, *, aliases: bool) -> list[Members]:
    """Views that are restored: `search-alias` or others; none when collections are named."""
    if options.collections:
        return []
    chosen = [view for view in database.views if (view["type"] == SEARCH_ALIAS) is aliases]
    return [_renamed_view(view, options.names) for view in chosen]


def missing_names(dump: DumpDirectory, options: RestoreOptions) -> list[str]:
    """What options name and the dump does not hold."""
    present = {c.structure.name for d in dump.databases for c in d.collections}
    return sorted((set(options.collections) | options.names.keys()) - present)


def identity(dump: DumpDirectory, options: RestoreOptions, endpoint: str) -> str:
    """Tells one restore from another: dump, target and what decides about names."""
    contents = [
        [d.name, d.head.tick, [[c.entry, *c.data] for c in d.collections]] for d in dump.databases
    ]
    chosen = [
        options.database,
        sorted(options.collections),
        sorted(options.names.items()),
        options.include_system,
        options.import_data,
        options.create_collection,
        options.overwrite,
    ]
    return xxhash.xxh3_64_hexdigest(dumps([contents, chosen, endpoint]))


def parse_names(pairs: Iterable[str]) -> dict[str, str]:
    """`OLD=NEW` each. Errors: `ValueError`, also when two become one."""
    names: dict[str, str] = {}
    for pair in pairs:
        old, sign, new = pair.partition("=")
        if not sign or not old or not new or old in names:
            raise ValueError(f"'{pair}' is not OLD=NEW, or OLD is there twice")
        names[old] = new
    if len(set(names.values())) != len(names):
        raise ValueError("two collections would get the same name")
    return names


def _creation_order(files: CollectionFiles) -> tuple[bool, int, bool, str, str]:
    """Prototypes of a sharding first, documents before edges, system collections first."""
    structure = files.structure
    follows = bool(structure.parameters.get("distributeShardsLike"))
    return follows, structure.type, not structure.is_system, structure.name.lower(), structure.name


def _body(files: CollectionFiles, names: Mapping[str, str]) -> Members:
    """The body of `restore-collection`: the structure with what arangorestore adds."""
    structure = files.structure
    parameters = dict(structure.parameters)
    new = names.get(structure.name)
    if new is not None:
        # the collection with this identity may still be there, under its old name
        parameters = {n: v for n, v in parameters.items() if n not in _OWN_IDENTITY}
        parameters.update(name=new, isSystem=new.startswith("_"))
    like = parameters.get("distributeShardsLike")
    if isinstance(like, str) and like in names:
        parameters["distributeShardsLike"] = names[like]
    for member in ("replicationFactor", "numberOfShards", "writeConcern"):
        parameters.setdefault(member, 1)
    revisions = ("syncByRevision", "usesRevisionsAsDocumentIds")
    if all(parameters.get(member) is not False for member in revisions):
        parameters.update(dict.fromkeys(revisions, True))
    return {"indexes": structure.indexes, "parameters": parameters}


def _renamed_view(view: Members, names: Mapping[str, str]) -> Members:
    """A view that speaks of collections by their new names."""
    if not names:
        return view
    found = dict(view)
    links, indexes = view.get("links"), view.get("indexes")
    if isinstance(links, dict):
        found["links"] = {names.get(name, name): link for name, link in links.items()}
    if isinstance(indexes, list):
        found["indexes"] = [_renamed_index(index, names) for index in indexes]
    return found


def _renamed_index(index: Any, names: Mapping[str, str]) -> Any:
    if not isinstance(index, dict) or index.get("collection") not in names:
        return index
    return {**index, "collection": names[index["collection"]]}
