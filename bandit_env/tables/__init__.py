"""Tables that people bring: cells, files, columns by other names, and past experiments."""
