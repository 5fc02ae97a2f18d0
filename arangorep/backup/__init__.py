"""Dumps as files: names and JSON of arangodump's directories, packing, atomic writing, manifest."""
