"""One table: the first parts of a path, and who answers below it.

Every path is looked up with its first three, two and one parts, so longer prefixes win.
"""

from __future__ import annotations

from arangorep.rest import (
    admin,
    collections,
    databases,
    documents,
    imports,
    indexes,
    job,
    replication,
    wal,
)
from arangorep.rest.context import Handler

ROUTES: dict[str, Handler] = {
    "": admin.welcome,
    "_api/version": admin.version,
    "_admin/version": admin.version,
    "_api/engine": admin.engine,
    "_api/endpoint": admin.endpoint,
    "_api/key-generators": admin.key_generators,
    "_admin/server": admin.server,
    "_admin/status": admin.status,
    "_admin/time": admin.time,
    "_admin/compact": admin.compact,
    "_admin/wal": admin.wal_admin,
    "_admin/database/target-version": admin.target_version,
    "_admin/arangorep/loop": admin.loop_figures,
    "_api/database": databases.handle,
    "_api/collection": collections.handle,
    "_api/document": documents.handle,
    "_api/import": imports.handle,
    "_api/index": indexes.handle,
    "_api/job": job.handle,
    "_api/replication": replication.handle,
    "_api/wal": wal.handle,
    "_api/view": admin.empty_list({"error": False, "code": 200, "result": []}),
    "_api/analyzer": admin.empty_list({"error": False, "code": 200, "result": []}),
    "_api/gharial": admin.empty_list({"error": False, "code": 200, "graphs": []}),
    "_api/tasks": admin.empty_list([]),
    "_api/foxx": admin.empty_list([]),
    "_open/auth": admin.refuse("JWT authentication"),
    "_api/user": admin.refuse("user management"),
    "_api/token": admin.refuse("access tokens"),
    "_api/cursor": admin.refuse("AQL"),
    "_api/explain": admin.refuse("AQL"),
    "_api/query": admin.refuse("AQL"),
    "_api/query-cache": admin.refuse("AQL"),
    "_api/query-plan-cache": admin.refuse("AQL"),
    "_api/aqlfunction": admin.refuse("AQL"),
    "_api/simple": admin.refuse("the simple query API"),
    "_api/edges": admin.refuse("the edges API"),
    "_api/transaction": admin.refuse("stream transactions"),
    "_api/dump": admin.refuse("the parallel dump API"),
    "_api/traversal": admin.refuse("graph traversal"),
    "_api/control_pregel": admin.refuse("Pregel"),
    "_api/cluster": admin.refuse("a cluster"),
    "_admin/cluster": admin.refuse("a cluster"),
    "_admin/aardvark": admin.refuse("the web interface"),
    "_admin/execute": admin.refuse("JavaScript"),
    "_admin/backup": admin.refuse("hot backup"),
    "_admin/license": admin.refuse("licensing"),
}
