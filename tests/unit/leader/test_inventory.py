"""Which collections inventory and tail show (leader-api 3, 7.6)."""

from __future__ import annotations

import pytest

from arangorep.values.visibility import system_filter

ALWAYS = ["c", "jobs", "statistics", "routing_", "c_users"]
NEVER = ["_statistics", "_statistics15", "_statisticsRaw", "_routing"]
SYSTEM = ["_users", "_graphs", "_analyzers", "_apps", "_jobs2", "_routing2", "_queue", "_"]
QUEUES = ["_jobs", "_queues"]


@pytest.mark.parametrize("system", [False, True])
@pytest.mark.parametrize("queues", [False, True])
def test_names(system: bool, queues: bool) -> None:
    shows = system_filter(include_system=system, include_foxx_queues=queues)
    shown = {name for name in [*ALWAYS, *NEVER, *SYSTEM, *QUEUES] if shows(name)}
    assert shown == {*ALWAYS, *(SYSTEM if system else []), *(QUEUES if system and queues else [])}
