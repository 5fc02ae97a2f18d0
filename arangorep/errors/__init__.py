"""Errors a client is told about: one class per `errorNum` in use, with its HTTP status and text.

Raised where the fault is detected, turned into a response in one place (`rest/dispatch.py`).
Three roots: `ArangoError` (told to a client), `CorruptionError` (what the disk did) and
`StartupError` (why the server does not start). Source: data-api 14, leader-api 10.2.
"""

from arangorep.errors.backups import *
from arangorep.errors.base import *
from arangorep.errors.data import *
from arangorep.errors.general import *
from arangorep.errors.queries import *
from arangorep.errors.replication import *
