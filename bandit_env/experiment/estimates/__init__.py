"""Estimates that a cell asks for: what can be asked for (`methods`), and the sums kept while a batch plays (`sums`)."""
