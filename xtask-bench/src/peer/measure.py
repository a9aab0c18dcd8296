"""Runs a program and writes what it took: seconds, CPU seconds, peak memory.

usage: measure.py RESULT PROGRAM [ARGUMENT...]

It imports next to nothing, as the peak memory of a process counts what it was
forked from: no program appears to need less than this one.
"""

import json
import os
import sys
import time


def main():
    result, program = sys.argv[1], sys.argv[2:]
    started = time.perf_counter()
    pid = os.posix_spawnp(program[0], program, os.environ)
    _, status, usage = os.wait4(pid, 0)
    wall = time.perf_counter() - started
    # Linux counts in kibibytes, macOS in bytes.
    unit = 1 if sys.platform == "darwin" else 1024
    with open(result, "w") as file:
        json.dump(
            {
                "wall_seconds": wall,
                "user_seconds": usage.ru_utime,
                "system_seconds": usage.ru_stime,
                "peak_rss_bytes": usage.ru_maxrss * unit,
            },
            file,
        )
    code = os.waitstatus_to_exitcode(status)
    sys.exit(code if code >= 0 else 128 - code)


main()
