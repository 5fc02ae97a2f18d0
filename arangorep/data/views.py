"""Creating, changing and dropping views, with markers 2110 to 2112 (leader-api 7.7)."""

from __future__ import annotations

from arangorep.codec.json import dumps, json_text
from arangorep.data.markers import log_marker
from arangorep.errors import DuplicateName
from arangorep.storage.catalog import Database
from arangorep.storage.commit import Commit, DropView, PutView
from arangorep.storage.store import Store
from arangorep.values import names
from arangorep.values.marker import MarkerType
from arangorep.values.view import (
    ViewInfo,
    change_view,
    check_view_name,
    parse_stored_view,
    parse_view,
)


def create_view(store: Store, database: Database, body: object) -> ViewInfo:
    """Errors: 400/10, 1208; 404/1203 for a collection that is not there; 409/1207."""
    info = parse_view(
        body,
        new_id=store.ticks.next(),
        database_id=database.info.id,
        server_id=store.server_id,
    )
    check_name_is_free(database, info.name)
    for name in info.collections():
        database.find(name)
    _put(store, database, info, MarkerType.VIEW_CREATE)
    return info


def restore_view(store: Store, database: Database, body: object) -> ViewInfo:
    """Create or change a view as a leader describes it; another one of its name gives way.

    Source: follower 6.6. Errors: 400/10, 1208.
    """
    wanted = parse_stored_view(
        body,
        new_id=store.ticks.next(),
        database_id=database.info.id,
        server_id=store.server_id,
    )
    present = database.view_by_guid(wanted.guid)
    if present is None:
        _put(store, database, wanted, MarkerType.VIEW_CREATE)
        return wanted
    changed = present.renamed_to(wanted.name)
    changed = change_view(changed, wanted.describe(), is_partial=False)
    if changed != present:
        _put(store, database, changed, MarkerType.VIEW_CHANGE)
    return changed


def make_way_for_view(
    store: Store, database: Database, body: object, *, is_parked: bool = False
) -> None:
    """Drop another view that has the name of one to be restored, or give it another name.

    Errors: 400/10, 1208.
    """
    wanted = parse_stored_view(
        body, new_id=0, database_id=database.info.id, server_id=store.server_id
    )
    other = database.view_named(wanted.name)
    if other is not None and other.guid != wanted.guid:
        (park_view if is_parked else drop_view)(store, database, other)


def park_view(store: Store, database: Database, info: ViewInfo) -> None:
    """Give a view another name for a moment: the log soon tells the right one."""
    rename_view(store, database, info, {"name": f"parked-{info.id}"})


def stage_links(
    store: Store, database: Database, commit: Commit, old_name: str, new_name: str | None
) -> None:
    """Let links of views follow a collection that is renamed, or (None) end with it."""
    for info in database.views:
        changed = info.with_collection_renamed(old_name, new_name)
        if changed is not info:
            stage_view(store, database, changed, MarkerType.VIEW_CHANGE, commit)


def change_properties(
    store: Store, database: Database, info: ViewInfo, body: object, *, is_partial: bool
) -> ViewInfo:
    """Errors: 400/10; 404/1203 for a collection that is not there."""
    changed = change_view(info, body, is_partial=is_partial)
    known = set(info.collections())
    for name in changed.collections():
        if name not in known:  # a collection that is gone may stay named
            database.find(name)
    if changed != info:
        _put(store, database, changed, MarkerType.VIEW_CHANGE)
    return changed


def rename_view(store: Store, database: Database, info: ViewInfo, body: object) -> ViewInfo:
    """Errors: 400/1208; 409/1207."""
    given = body.get("name") if isinstance(body, dict) else None
    if isinstance(given, str) and names.normalize_name(given) == info.name:
        return info
    name = check_view_name(given)
    check_name_is_free(database, name)
    changed = info.renamed_to(name)
    _put(store, database, changed, MarkerType.VIEW_CHANGE)
    return changed


def drop_view(store: Store, database: Database, info: ViewInfo) -> None:
    """Marker 2111."""
    commit = Commit()
    stage_dropped_view(store, database, info, commit)
    store.commit(commit)


def stage_dropped_view(store: Store, database: Database, info: ViewInfo, commit: Commit) -> None:
    """Add the end of a view and its marker 2111 to `commit`."""
    commit.catalog.append(DropView(info.id))
    log_marker(store, commit, MarkerType.VIEW_DROP, database.identity, _identity(info))


def check_name_is_free(database: Database, name: str) -> None:
    """Views and collections share their names. Errors: 409/1207."""
    if database.named(name) is not None or database.view_named(name) is not None:
        raise DuplicateName(f"duplicate name: {name}")


def _put(store: Store, database: Database, info: ViewInfo, kind: MarkerType) -> None:
    commit = Commit()
    stage_view(store, database, info, kind, commit)
    store.commit(commit)


def stage_view(
    store: Store, database: Database, info: ViewInfo, kind: MarkerType, commit: Commit
) -> None:
    """Add a view and its marker 2110 or 2112 to `commit`."""
    commit.catalog.append(PutView(info))
    data = dumps(info.describe())
    log_marker(store, commit, kind, database.identity, _identity(info), data)


def _identity(info: ViewInfo) -> tuple[int, bytes]:
    return info.id, json_text(info.guid)
