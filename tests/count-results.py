#!/usr/bin/env python3
"""Adds up what `meson test` left behind, over several passes of the suite.

    count-results.py [--failures] PASS=TESTLOG.json…

Prints one line such as `812 passed, 0 failed, 3 skipped` and exits with 1 when anything
failed. With --failures it first shows each failure. Every subtest of the Test Anything
Protocol counts; a program that speaks another language counts as one test. A program that
ends badly without saying which subtest failed (a crash, a leak, a time-out, a plan not
kept) is one failure, and so is a pass without a log: it did not build.
"""

import json
import re
import sys
from collections import Counter

SUBTEST = re.compile(r"^(not )?ok\b[^#]*(# *SKIP\b)?", re.IGNORECASE)
TAIL = 40  # lines of output shown of a program that failed without a word


def read_log(path):
    try:
        with open(path, encoding="utf-8") as file:
            return [json.loads(line) for line in file]
    except FileNotFoundError:
        return None


def count(test):
    """How many subtests of one program passed, failed and were skipped."""
    counts = Counter()
    for line in test.get("stdout", "").splitlines():
        found = SUBTEST.match(line)
        if found:
            counts["failed" if found[1] else "skipped" if found[2] else "passed"] += 1
    if test["result"] not in ("OK", "SKIP", "EXPECTEDFAIL"):
        counts["failed"] = max(counts["failed"], 1)
    elif not counts:
        counts["skipped" if test["result"] == "SKIP" else "passed"] = 1
    return counts


def show_failure(name, test):
    """The failed subtests with their diagnostics, and the end of standard error."""
    print(f"FAILED {name}: {test['name']} ({test['result'].lower()}, status {test['returncode']})")
    diagnostics = []
    for line in test.get("stdout", "").splitlines():
        diagnostics.append(line)
        if line.startswith("not ok"):
            print("\n".join(f"  {text}" for text in diagnostics[-TAIL:]))
        if SUBTEST.match(line):
            diagnostics = []
    rest = diagnostics + test.get("stderr", "").splitlines()
    print("\n".join(f"  {text}" for text in rest[-TAIL:]))


def main(arguments):
    failures = "--failures" in arguments
    total = Counter()
    for name, path in (argument.split("=", 1) for argument in arguments if argument != "--failures"):
        tests = read_log(path)
        if tests is None:
            total["failed"] += 1
            if failures:
                print(f"FAILED {name}: it did not build or start")
            continue
        for test in tests:
            counts = count(test)
            total += counts
            if failures and counts["failed"]:
                show_failure(name, test)
    line = f"{total['passed']} passed, {total['failed']} failed"
    if total["skipped"]:
        line += f", {total['skipped']} skipped"
    print(line)
    return 1 if total["failed"] else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
