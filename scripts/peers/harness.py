"""Runs a peer's program in the peer's own environment: does its work once for every line that comes in.

A program is a file with `work()`, which returns how much was done, and its error against exact values or None. What it
prints goes to standard error; answers, a line of JSON each, to standard output.
"""

import json
import os
import runpy
import sys
import time

answers = os.fdopen(os.dup(1), "w", buffering=1)
os.dup2(2, 1)
work = runpy.run_path(sys.argv[1])["work"]
work()  # compiles, and fills caches
for _ in sys.stdin:
    wall, cpu = time.perf_counter(), time.process_time()
    count, error = work()
    cpu, wall = time.process_time() - cpu, time.perf_counter() - wall
    print(json.dumps({"count": count, "error": error, "cpu": cpu, "wall": wall}), file=answers)
