"""Every bound and default of the server: name with unit, value, origin.

Nothing else in the package hides a number that a client could run into.
"""

from typing import Final

DAY_S: Final = 86_400

# -- HTTP (data-api 1.2; the numbers of a real server) -------------------------------------------

URL_BYTES_MAX: Final = 16 * 1024
"""Longer request lines: 414."""

HEADER_BYTES_MAX: Final = 1024 * 1024
"""One header field; longer: 431."""

BODY_BYTES_MAX: Final = 1024 * 1024 * 1024
"""Longer bodies: 413 (errorNum 413). `arangorep serve --max-body-bytes` lowers it."""

JSON_DEPTH_MAX: Final = 199
"""Deepest nesting of arrays and objects; deeper: 400 / 600."""

VELOCYPACK_DEPTH_MAX: Final = 200
"""The same for VelocyPack, where a real server counts one level more (velocypack 6.5): 400 / 600.

What is stored must be sendable as JSON too, so `JSON_DEPTH_MAX` holds for documents either way.
"""

KEEP_ALIVE_S: Final = 300
"""Idle connections are closed after this."""

SHUTDOWN_GRACE_S: Final = 60.0
"""How long requests in flight may take after SIGTERM."""

HLC_AHEAD_MAX_MS: Final = 10 * 365 * 24 * 3_600_000
"""`x-arango-hlc` further ahead of the clock than this is ignored: it could never be undone."""

# -- names and documents (data-api 4.1, 5.1, 5.5, 5.6, 8.3) --------------------------------------

DATABASE_NAME_BYTES_MAX: Final = 128
COLLECTION_NAME_BYTES_MAX: Final = 256
INDEX_NAME_BYTES_MAX: Final = 256
KEY_BYTES_MAX: Final = 254
AUTOINCREMENT_INCREMENT_MAX: Final = 65535
SCHEMA_WEIGHT_MAX: Final = 1_000_000
"""Parts of a JSON schema with its references written out: what checking a document may cost."""

STORED_VALUES_MAX: Final = 32
"""Attributes in `storedValues` of a persistent index."""

INDEX_TERMS_MAX: Final = 100_000
"""Entries of one document in one unique index: several `[*]` multiply. More: 400 / 32."""

# -- parallel dump (leader-api 11) ---------------------------------------------------------------

PARALLEL_DUMP_BATCH_BYTES: Final = (4096, 16 * 1024, 32 * 1024 * 1024)
"""Least, default and greatest size of a batch. A real server goes up to 1 GiB."""

PARALLEL_DUMP_DOCUMENTS: Final = (10, 10_000, 1_000_000)
"""Least, default and greatest number of documents in a batch."""

PARALLEL_DUMP_TTL_S_DEFAULT: Final = 600.0
PARALLEL_DUMP_UNACKNOWLEDGED: Final = 64
"""Batches kept for a client that has not said it has them. One more: 400 / 32."""

PARALLEL_DUMPS_MAX: Final = 64
"""Dumps at once; each pins a snapshot. One more: 400 / 32."""

# -- users (data-api 2.1, 2.2) -------------------------------------------------------------------

SESSION_TTL_S: Final = 3600
"""How long a token of `/_open/auth` is valid."""

TOKEN_RENEWED_S: Final = 150
"""A token that ends within this is renewed by `/_open/auth/renew`."""

# -- slices: how long one piece of work may hold the event loop ----------------------------------

SCAN_ROWS_MAX: Final = 512
"""Rows read in one go: about 0.2 ms at 300 bytes a row."""

SCAN_BYTES_GOAL: Final = 160 * 1024
"""Bytes of one scanned block: reading, joining and sending it stays below a few milliseconds."""

SCAN_BYTES_MAX: Final = 48 * 1024 * 1024
"""Worst case of one scanned block, when every row is as large as the largest ever stored."""

WRITE_ROWS_PER_SLICE: Final = 200
"""Documents prepared before the event loop gets its turn: about 1.5 ms."""

CUT_FROM_BYTES: Final = 64 * 1024
CUT_BYTES_MAX: Final = 8 * 1024 * 1024
"""Arrays of so many bytes are parsed by a worker: smaller ones take less time than the way there,
and larger ones would need their memory twice."""

CUT_ROWS_PER_BLOCK: Final = 1000
"""Documents of a cut array that are prepared before the event loop gets its turn: about 1.5 ms."""

CUT_WORKER_STARTS_MAX: Final = 3
"""A worker that ended is started anew until there were so many."""

CUT_WAITING_MAX: Final = 8
"""While so many arrays wait for the worker, the server parses the next one itself."""

CUT_PATIENCE_S: Final = 5.0
WORKER_PATIENCE_S: Final = 300.0
"""A worker that takes longer for one task is ended."""

FREED_BYTES_KEPT: Final = 64 * 1024 * 1024
"""Memory that a server and its workers keep to themselves when it was given back."""

SHARED_BYTES_KEPT: Final = 16 * 1024 * 1024
"""Memory through which a worker had a larger task or answer is given back when that was read."""

RULED_ROWS_PER_SLICE: Final = 4
"""The same in a collection with computed values or a schema, which may cost much more each."""

IMPORT_ROWS_PER_COMMIT: Final = 1000
"""An import that may succeed in part commits in pieces of this many documents."""

ENCODED_IN_PLACE_BYTES: Final = 16 * 1024
"""Larger bodies are turned into or from VelocyPack by a worker thread: some 30 MB/s."""

ENCODED_ROWS_PER_SLICE: Final = 24
"""Documents turned into VelocyPack before others get their turn: about 0.25 ms."""

COMPRESSED_BYTES_MIN: Final = 4096
"""Smaller answers are never compressed (data-api 1.5)."""

TTL_SWEEP_INTERVAL_S: Final = 30.0
TTL_REMOVALS_MAX: Final = (100_000, 1_000_000)
"""Documents that one run of the expiry removes: of one collection, of all (data-api 8.4)."""

# -- durability and the log ------------------------------------------------------------

SYNC_INTERVAL_MS_DEFAULT: Final = 100
"""Unsynced commits reach the disk at least this often."""

TICKS_RESERVED: Final = 1_000_000
"""Ticks promised to memory at once; the promise is renewed when half of it is used."""

LOG_RETENTION_BYTES_DEFAULT: Final = 4 * 1024 * 1024 * 1024
"""Log kept at most, whatever clients still need."""

LOG_RETENTION_S_DEFAULT: Final = 24 * 3600
"""Log without a client that needs it is kept this long."""

LOG_PRUNE_INTERVAL_S: Final = 10.0
TREE_CHECKPOINT_INTERVAL_S: Final = 30.0
"""How often changed revision trees are written; bounds what a restart must replay."""

# -- batches (leader-api 2) ------------------------------------------------------------

BATCH_TTL_S_DEFAULT: Final = 7200.0
BATCH_TTL_S_MAX: Final = 10 * 365 * 24 * 3600.0
"""A real server has no maximum; this one keeps the arithmetic finite."""

BATCH_TTL_S_AFTER_INVENTORY: Final = 7200.0
"""Inventory, keys and revisions calls prolong a batch by at least this much (leader-api 2.4)."""

BATCH_SWEEP_INTERVAL_S: Final = 2.5
CLIENT_TTL_S_AFTER_BATCH: Final = 15.0
"""A deleted batch leaves its client this long to start tailing (leader-api 2.3)."""

CLIENT_TTL_S_DEFAULT: Final = 7200.0
CLIENT_TTL_S_TAIL: Final = 1200.0
"""A tailing client is remembered this long (leader-api 7.9)."""

# -- dump, keys, revisions, tail (leader-api 4 to 7) ---------------------------------------------

DUMP_CHUNK_BYTES_DEFAULT: Final = 131_072
CHUNK_BYTES_MAX: Final = 32 * 1024 * 1024
"""Largest chunk served; larger wishes are clamped (a real server clamps at 128 MiB)."""

TAIL_CHUNK_BYTES_DEFAULT: Final = 1024 * 1024
TAIL_CHUNK_BYTES_MIN: Final = 16 * 1024
KEYS_CHUNK_DEFAULT: Final = 5000
KEYS_CHUNK_MIN: Final = 100
KEYS_CHUNK_MAX: Final = 20_000
KEYS_QUICK_MAX: Final = 1_000_000
"""`quick=true` answers only the count above this (leader-api 5.1)."""

KEYS_DOCUMENTS_BYTES_MAX: Final = 8 * 1024 * 1024
REVISIONS_PER_ANSWER: Final = 65_536
REVISION_DOCUMENTS_BYTES_MAX: Final = 16 * 1024 * 1024
TREE_DEPTH_MAX: Final = 8
"""Deepest revision tree a reader accepts (revision-tree 8.1)."""

# -- stream transactions (data-api 10.1) ---------------------------------------------------------

STREAM_IDLE_S: Final = 60.0
"""A stream transaction that is not used for so long is aborted."""

STREAM_LOCK_WAIT_S_DEFAULT: Final = 900.0
"""How long a writer waits for a collection that another transaction has to itself."""

STREAM_BYTES_MAX: Final = 512 * 1024 * 1024
"""Changes of one transaction, held in memory until the commit. More: 400 / 32."""

STREAMS_MAX: Final = 1024
"""Transactions running at once; each pins a snapshot. One more: 400 / 32."""

STREAMS_REMEMBERED: Final = 4096
"""Ended transactions whose state can still be asked for."""

# -- cursors (data-api 9.2) ---------------------------------------------------------------------

CURSOR_BATCH_DEFAULT: Final = 1000
CURSOR_BATCH_BYTES_MAX: Final = 16 * 1024 * 1024
"""A batch ends with the result that reaches this, whatever its `batchSize`."""

CURSOR_TTL_S_DEFAULT: Final = 30.0
CURSORS_MAX: Final = 1024
"""Cursors with results left; each may pin a view of its collection. One more: 400 / 32."""

QUERY_RESULT_BYTES_MAX: Final = 256 * 1024 * 1024
"""Results that must be counted, or belong to a transaction, are held in memory. More: 400 / 32."""

QUERY_ROWS_PER_SLICE: Final = 64
"""Rows parsed and evaluated before others get their turn."""

# -- backup tasks (backups 1.7) ------------------------------------------------------------------

TASKS_MAX: Final = 10_000
"""Unfinished tasks at once, and finished ones that are remembered. One more to do: 400 / 32.
Cancelations and deletions are taken up to twice as many: they are what helps."""

DUMP_LABEL_CHARACTERS_MAX: Final = 1000

TASK_RETRY_S: Final = 1.0
"""Until it is tried again to note what became of a task."""

IMPORT_SORTERS: Final = 2
IMPORT_SORTERS_FROM_BYTES: Final = 1024 * 1024
"""Processes that sort documents of an import, and from which size of a piece on."""

ARCHIVE_RATIO_MAX: Final = 300
ARCHIVE_FREE_BYTES: Final = 256 * 1024 * 1024
"""An archive that unpacks to more than its size times this, and these bytes, is refused."""

ARCHIVE_METADATA_BYTES_MAX: Final = 1024 * 1024
ARCHIVE_MANIFEST_BYTES_MAX: Final = 256 * 1024 * 1024
ARCHIVE_ENTRIES_MAX: Final = 1_000_000
ARCHIVE_HEADER_BYTES_MAX: Final = 64 * 1024
"""Of one that holds a long name; the library reads it as a whole."""


LOG_ARCHIVE_INTERVAL_S: Final = 30.0
LOG_ARCHIVE_PART_BYTES: Final = 4 * 1024 * 1024
"""Read from a file of the log archive at once."""

SNAPSHOTS_KEPT_DEFAULT: Final = 3
HOT_BACKUP_ID_CHARACTERS_MAX: Final = 254
"""Of a time and a label, which is cut (backups 3.2)."""

BACKUP_PLACE_CHARACTERS_MAX: Final = 4096
"""Of the `remoteRepository` of an upload or download."""

TRANSFERS_KEPT: Final = 100
"""Uploads and downloads of hot backups that are remembered, and that wait for their turn."""
TRANSFERS_AT_ONCE: Final = 2
SNAPSHOT_INTERVAL_S_DEFAULT: Final = DAY_S

DUMP_PART_BYTES: Final = 8 * 1024 * 1024
"""Size of one file with documents in a dump: it is gathered in memory before it is written."""

# -- asynchronous jobs (leader-api 0) ------------------------------------------------------------

JOBS_MAX: Final = 4096
"""Jobs pending or waiting to be fetched; one more: 503 / 21003."""

JOB_RESULT_BYTES_MAX: Final = 64 * 1024 * 1024
"""Bytes of results waiting to be fetched; a job started beyond: 503 / 21003."""

# -- observation ------------------------------------------------------------

LOOP_MONITOR_INTERVAL_MS: Final = 5
"""How often the event loop's monitor expects its turn."""

LOG_RECORDS_MAX: Final = 2048
"""Records of the server's own log that `/_admin/log` can show; older ones are forgotten."""

LOG_MESSAGE_CHARS_MAX: Final = 4096
"""A longer message, or one with a longer traceback, is cut in what `/_admin/log` shows."""

ECHO_BODY_BYTES_MAX: Final = 64 * 1024
"""Longer bodies are not echoed: 413 (errorNum 413); each byte comes back as up to ten."""

# -- follower (follower 2 to 6) ------------------------------------------------------------

SYNC_CHUNK_BYTES_DEFAULT: Final = 2 * 1024 * 1024
"""Bytes of the first dump chunk and of every tail chunk asked for."""

SYNC_CHUNK_BYTES_MIN: Final = 16 * 1024
SYNC_CHUNK_BYTES_MAX: Final = 4 * 1024 * 1024
SYNC_CHUNK_GROWTH: Final = 1.25
SYNC_CHUNK_SLOW_S: Final = 10.0
"""A chunk that took longer is followed by one of half the size."""

LEADER_BATCH_TTL_S: Final = 600.0
"""TTL of the batch that a synchronisation holds; renewed at a third of it."""

OPEN_TRIES: Final = 3
"""A batch that is lost before its inventory came is taken anew so often."""

LEADER_RETRIES: Final = 2
LEADER_RETRY_WAIT_S: Final = 2.0
"""Requests that may be repeated are tried again when no complete answer came."""

LOAD_BYTES: Final = 4 * 1024 * 1024
"""Bytes of documents that go into one sorted file of an initial synchronisation."""

LOAD_WORKERS: Final = 2
"""Processes that write sorted files."""

LOAD_PIECES_IN_FLIGHT: Final = 5
"""Pieces that a worker has, or that wait for one or to be taken over."""

BACKLOG_BYTES_MIN: Final = 1024 * 1024
BACKLOG_TICKS_MIN: Final = 100_000
"""A follower that is so far behind lets workers prepare chunks of so many bytes."""

BACKLOG_PIECE_BYTES: Final = 1024 * 1024
"""Bytes that a worker prepares at once."""

BACKLOG_BYTES_MAX: Final = 16 * 1024 * 1024
"""Larger transactions are gathered by the applier alone."""

BACKLOG_PIECES_IN_FLIGHT: Final = 5
BACKLOG_CHUNKS_BETWEEN_TRIES: Final = 8
BACKLOG_PATIENCE_MAX: Final = 64
"""Chunks that are applied the usual way after one that could not be prepared, and by how much
more they become while that goes on."""

BACKLOG_IDLE_CYCLES: Final = 5
"""Answers in a row without anything new after which the workers end."""

APPLY_ROWS_PER_COMMIT: Final = 1000
"""Documents of a leader that are stored by one commit: some 3 ms."""

APPLY_BYTES_PER_SLICE: Final = 128 * 1024
"""Received bytes that are cut into lines before others get their turn."""

REVISION_DOCUMENTS_PER_REQUEST: Final = 5000
REVISION_DOCUMENTS_PER_SMALL_REQUEST: Final = 1000
"""What is asked of an arangorep server, which reads the next ones while these are stored."""

REVISION_REQUESTS_IN_FLIGHT: Final = 4
REMOVALS_PER_COMMIT: Final = 2000
SCATTERED_ROWS_PER_READ: Final = 250
"""Documents from all over the disk that one thread reads, while others read theirs."""

SCATTERED_READS_AT_ONCE: Final = 4
"""So many threads do; together they hold no more than one scan may."""

REVISION_BLOCK_SIZE: Final = 16
REVISION_BLOCK_SIZE_LARGE: Final = 64
"""Two arangorep servers compare differing ranges in blocks of so many revisions."""

REVISION_BLOCKS_FINE_MAX: Final = 4_000_000
"""Collections of more documents are compared in large blocks: these are a third of what is sent."""

REVISIONS_PER_QUESTION: Final = 131_072
"""Revisions a follower describes at once, so that it reads on while the leader compares."""

REVISIONS_PER_FIRST_QUESTION: Final = 4096
"""The same, where it only asks the leader to list all it has."""

REVISION_BLOCKS_PER_QUESTION_MAX: Final = 1_000_000

REVISIONS_COMPARED_MAX: Final = 262_144
"""Revisions a leader reads for one such answer: 2 MiB."""

REVISIONS_LISTED_MAX: Final = 2_000_000
"""Collections of up to so many documents are listed at once, 16 MB, while they are compared."""

SURPLUS_MAX: Final = 250_000
"""Documents to remove that a follower keeps in mind until all others are fetched."""

IDLE_WAIT_S_MIN: Final = 0.25
IDLE_WAIT_S_MAX: Final = 60.0
SHORT_RUN_S: Final = 120.0
"""A run of the applier that failed sooner counts towards `autoResyncRetries`."""

KEYS_SYNC_WAIT_S_MIN: Final = 180.0

COMPARED_DOCUMENTS_MAX: Final = 100_000
"""More differing revisions of a collection are counted, but their documents are not compared."""

# -- backups (backups 6.2, 6.3): what a dump directory from anywhere may hold ----------------------

BACKUP_JSON_BYTES_MAX: Final = 64 * 1024 * 1024
"""Largest file of a dump that is read as a whole: definitions, manifest. Larger: refused."""

BACKUP_LINE_BYTES_MAX: Final = 256 * 1024 * 1024
"""Longest line of a data file, so the largest document; it is held in memory. Longer: refused."""

BACKUP_UNPACKED_BYTES_FREE: Final = 256 * 1024 * 1024
BACKUP_UNPACKED_RATIO_MAX: Final = 2000
"""A packed file that unpacks to more than the former and to more than so many times its size is
refused; where a manifest tells the size, that is the bound. gzip cannot pass 1032."""

BACKUP_STEM_BYTES_MAX: Final = 200
"""Longer collection and view names give their id to file names, which have 255 bytes."""

BACKUP_PIECE_BYTES: Final = 1024 * 1024
"""Bytes of a data file that are read, packed or hashed in one go."""

DUMP_FILE_CHUNK_BYTES: Final = 8 * 1024 * 1024
"""Bytes that `arangorep dump` asks for at once, for each of its threads."""

DUMP_TRIES: Final = 3
"""How often the dump of one collection is begun when the server does not answer."""

RESTORE_PIECE_BYTES: Final = (128 * 1024, 8 * 1024 * 1024, 96 * 1024 * 1024)
"""Least, default and greatest size of a request of `arangorep restore` (follower 10)."""

RECORD_HEADER_BYTES_MAX: Final = 1024 * 1024
RECORD_BLOCK_BYTES_MAX: Final = 2 * 1024 * 1024 * 1024 - 1
"""Header and block of an offline dump; a block has some hundred documents, or one large one."""

RESTORE_ROWS_PER_COMMIT: Final = 1000
RESTORE_BYTES_PER_COMMIT: Final = 4 * 1024 * 1024
"""An online restore commits in pieces of so many documents, or when so much of the body came."""

RESTORE_WHOLE_BYTES_MAX: Final = 256 * 1024 * 1024
"""Documents of an online restore with `onError=abort`: they are one transaction. More: 400 / 32."""

RESTORE_ITEMS_SHOWN: Final = 1000
"""Items, and of the rest as many failures, that the answer of an online restore lists."""

FAILURES_SHOWN: Final = 10
"""Documents that an offline restore names because they could not be stored; all are counted."""

BACKUP_THREADS_MAX: Final = 64
"""Connections that one command opens at most."""

# -- AQL (data-api 9.2, 9.3); beyond any of them: 400 / 32 -----------------------------------------

AQL_TEXT_CHARS_MAX: Final = 256 * 1024
"""Characters of one query; what is long should be a bind value."""

AQL_TOKENS_MAX: Final = 32 * 1024
"""Words and signs of one query: reading it holds the event loop for some 0.2 s at most."""

AQL_NESTING_MAX: Final = 32
"""Brackets, calls and branches within each other: at most 14 calls of Python for each of them."""

AQL_CLAUSES_MAX: Final = 50
"""Clauses of one query: each is a generator that is pulled through those behind it."""

AQL_VALUE_WEIGHT_MAX: Final = 4 * 1024 * 1024
"""Weight (about bytes of JSON) of one value that an expression makes."""

AQL_WORK_MAX: Final = 8 * 1024 * 1024
"""Weight of all values that the expressions of one row look through; some 0.5 s at most."""

AQL_RANGE_MAX: Final = 10_000_000
"""Numbers of a range that a FOR goes through; elsewhere a range is a value and weighs."""

AQL_NUMBER_CHARS_MAX: Final = 1024
"""Longer strings are no numbers to arithmetic."""

AQL_LIKE_CHARS_MAX: Final = 4096
"""Characters of a pattern of LIKE."""

AQL_ROWS_HELD_MAX: Final = 250_000
"""Rows that one SORT or one DISTINCT holds in memory."""

AQL_SORT_RUN_ROWS: Final = 512
"""Rows that are sorted in one go, about 1 ms; the runs are merged while they are read."""

AQL_ROWS_PER_PAUSE: Final = 200
"""Rows that a query makes by itself before it offers a pause."""

AQL_WARNINGS_MAX: Final = 10
"""Warnings kept for one query (the number of a real server)."""
