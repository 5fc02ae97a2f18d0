"""Processes that take work off the server's own: one of them runs Python at a time, they do not."""
