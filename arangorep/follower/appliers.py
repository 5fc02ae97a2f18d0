"""All appliers of a server: one for each database, and the global one."""

from __future__ import annotations

from arangorep.errors import DatabaseNotFound
from arangorep.follower.applier import Applier, Connect
from arangorep.follower.site import Site
from arangorep.follower.transport import HttpTransport


class Appliers:
    """Finds appliers by database; they come into being when they are first asked for."""

    def __init__(self, site: Site, connect: Connect = HttpTransport) -> None:
        self._site = site
        self._connect = connect
        self._by_id: dict[int, Applier] = {}

    def of(self, database: str) -> Applier:
        """A database's applier. Errors: 404/1228."""
        return self._get(self._site.store.catalog.database(database).info.id, database)

    @property
    def whole(self) -> Applier:
        """The global applier."""
        return self._get(0, "")

    def _get(self, database_id: int, name: str) -> Applier:
        found = self._by_id.get(database_id)
        if found is None:
            found = Applier(self._site, name, database_id, self._connect)
            self._by_id[database_id] = found
        return found

    def all(self) -> dict[str, Applier]:
        """The appliers of all databases by name."""
        return {d.info.name: self.of(d.info.name) for d in self._site.store.catalog.databases}

    def start_at_launch(self) -> None:
        """Go on with what ran when the last process stopped."""
        self.whole.start_at_launch()
        for applier in self.all().values():
            applier.start_at_launch()

    def guards(self, database: str, collection: str) -> bool:
        """Whether an active applier owns a collection ("": anything of the database)."""
        try:
            candidates = (self.whole, self.of(database))
        except DatabaseNotFound:
            return False
        return any(applier.guards(collection) for applier in candidates)

    async def forget_database(self, database_id: int) -> None:
        """Stop and forget the applier of a database that was dropped."""
        applier = self._by_id.pop(database_id, None)
        if applier is not None:
            await applier.forget()

    async def stop(self) -> None:
        """Stop all of them (end of the server); positions stay."""
        for applier in self._by_id.values():
            await applier.stop()
