"""Allocations: how to split the traffic, a file per family."""
