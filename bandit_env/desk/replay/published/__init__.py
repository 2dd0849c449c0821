"""Published tables, a file per field; each has ENTRIES."""
