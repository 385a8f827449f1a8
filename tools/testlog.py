#!/usr/bin/env python3
"""Reads the output of `go test -json` and prints a line for each package, all output
of the tests that failed, and the tests that were skipped. Exits with 1 if a test or a
build failed or the output ends early, and in CI (CI=true) if a test was skipped:
.ci/run installs everything that tests ask for, so a skip there is a missing check."""
import json
import os
import sys

output = {}  # (package, test) -> lines
started, ended = set(), set()
passed, skipped, failed = 0, [], False

for line in sys.stdin:
    try:
        event = json.loads(line)
    except ValueError:  # not from a test, such as a linker's warning
        print(line, end="")
        continue
    action, package, test = event["Action"], event.get("Package"), event.get("Test")
    key = (package, test)
    if action == "build-output":
        print(event["Output"], end="")
    elif action == "output":
        output.setdefault(key, []).append(event["Output"])
    elif action == "start":
        started.add(package)
    elif action in ("pass", "skip", "fail"):
        lines = output.pop(key, [])
        if action == "fail":
            failed = True
            print("".join(lines), end="")
        if test is None:
            ended.add(package)
            if action == "pass":
                print(lines[-1] if lines else package, end="")
        elif action == "pass":
            passed += 1
        elif action == "skip":
            skipped.append((package, test, [s.strip() for s in lines if not s.lstrip().startswith(("===", "---"))]))
    sys.stdout.flush()

for package in sorted(started - ended):
    failed = True
    print(f"{package}: no end")
    for (p, _), lines in output.items():
        if p == package:
            print("".join(lines), end="")
for package, test, why in skipped:
    print(f"skipped: {package} {test}: {' '.join(why)}")
print(f"{passed} tests passed, {len(skipped)} skipped")
if failed or not passed or (skipped and os.environ.get("CI") == "true"):
    sys.exit(1)
