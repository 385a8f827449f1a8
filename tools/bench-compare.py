#!/usr/bin/env python3
"""Compares the speed of two versions: bench-compare.py OLD NEW [REGEXP]

OLD and NEW are commits, or folders that contain a checkout. The benchmarks of both
are built once and run in turn, round after round, so that other work on the machine
slows both alike. They count processor time (user and system) instead of elapsed time:
the clock of package testing is replaced while they are built. A benchmark is known by
the name of its function, because packages move. For each the least time of all rounds
counts. Benchmarks beyond the limit are measured again before they count as slower.

Prints and writes bench/results/OLD-NEW.tsv. Exits with 1 if the geometric mean is more
than 3 % slower or a benchmark more than 8 %. ROUNDS (5) and BENCHTIME (100ms) are read
from the environment; REGEXP chooses functions."""
import json
import math
import os
import re
import subprocess
import sys
import tempfile

MEAN, WORST = 1.03, 1.08
ROUNDS = int(os.environ.get("ROUNDS", "5"))
BENCHTIME = os.environ.get("BENCHTIME", "100ms")
RESULT = re.compile(r"^(Benchmark\S+?)(?:-\d+)?\s+\d+\s+([\d.]+) ns/op(?:.*?\s(\d+) allocs/op)?", re.M)
CLOCK = """
func processorTime() time.Duration {
	var r syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &r); err != nil {
		panic(err)
	}
	return time.Duration(r.Utime.Nano() + r.Stime.Nano())
}
"""


def run(*command, cwd=None):
    done = subprocess.run(command, cwd=cwd, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    if done.returncode:
        sys.exit(f"{' '.join(command)} in {cwd or '.'}:\n{done.stdout}")
    return done.stdout.strip()


def overlay(work):
    """Writes a clock of package testing that counts processor time."""
    original = os.path.join(run("go", "env", "GOROOT"), "src/testing/testing_other.go")
    with open(original) as f:
        text = f.read()
    for old, new in (
        ('import "time"', 'import (\n\t"syscall"\n\t"time"\n)'),
        ("now time.Time", "now time.Duration"),
        ("time.Now()", "processorTime()"),
        ("time.Since(b.now)", "processorTime() - b.now"),
    ):
        if text.count(old) != 1:
            sys.exit(f"{original}: expected {old!r} once")
        text = text.replace(old, new)
    with open(os.path.join(work, "clock.go"), "w") as f:
        f.write(text + CLOCK)
    with open(os.path.join(work, "overlay.json"), "w") as f:
        json.dump({"Replace": {original: os.path.join(work, "clock.go")}}, f)
    return os.path.join(work, "overlay.json")


def checkout(version, work, worktrees):
    """Returns the folder of a version and its short name."""
    folder = version
    if not os.path.isdir(version):
        if subprocess.run(["git", "rev-parse", "--quiet", "--verify", version + "^{commit}"], stdout=subprocess.DEVNULL).returncode:
            sys.exit(f"{version} is no commit of this clone; a shallow clone lacks old commits: git fetch --unshallow")
        folder = os.path.join(work, f"tree{len(worktrees)}")
        run("git", "worktree", "add", "--detach", folder, version)
        worktrees.append(folder)
    return folder, run("git", "describe", "--always", "--dirty", "--abbrev=7", cwd=folder)


def build(tree, to, replaced, wanted):
    """Builds the tests of each package with benchmarks; returns function -> (program, folder)."""
    programs, twice = {}, set()
    listed = run("go", "list", "-f", "{{.Dir}} {{join .TestGoFiles \" \"}} {{join .XTestGoFiles \" \"}}", "./...", cwd=tree)
    for line in listed.splitlines():
        folder, *files = line.split()
        names = []
        for file in files:
            with open(os.path.join(folder, file)) as f:
                names += re.findall(r"^func (Benchmark\w+)\(", f.read(), re.M)
        names = [n for n in names if re.search(wanted, n)]
        if names:
            program = os.path.join(to, f"{len(programs)}.test")
            run("go", "test", "-c", "-overlay", replaced, "-o", program, folder, cwd=tree)
        for name in names:
            twice |= {name} & programs.keys()
            programs[name] = (program, folder)
    for name in twice:
        print(f"{name}: exists twice in {tree}, left out")
        del programs[name]
    return programs


def measure(program, name, best):
    """Runs a benchmark once and keeps the least time and the allocations of its parts."""
    binary, folder = program
    out = run(binary, "-test.run", "^$", "-test.bench", f"^{name}$", "-test.benchtime", BENCHTIME, "-test.benchmem", cwd=folder)
    for part, ns, allocs in RESULT.findall(out):
        best[part] = min(best.get(part, (math.inf, "")), (float(ns), allocs))


def ratios(old, new):
    return {part: new[part][0] / old[part][0] for part in old if part in new and old[part][0] > 0}


def main():
    if len(sys.argv) not in (3, 4):
        sys.exit(__doc__)
    wanted = sys.argv[3] if len(sys.argv) == 4 else ""
    worktrees = []
    with tempfile.TemporaryDirectory() as work:
        try:
            replaced = overlay(work)
            sides = []
            for i, version in enumerate(sys.argv[1:3]):
                tree, label = checkout(version, work, worktrees)
                to = os.path.join(work, f"bin{i}")
                os.mkdir(to)
                sides.append((label, build(tree, to, replaced, wanted), {}))
            compare(*sides)
        finally:
            for tree in worktrees:
                subprocess.run(["git", "worktree", "remove", "--force", tree])


def compare(old, new):
    (old_name, old_programs, old_best), (new_name, new_programs, new_best) = old, new
    names = [n for n in old_programs if n in new_programs]
    for name in sorted(set(old_programs) ^ set(new_programs)):
        print(f"{name}: only in {old_name if name in old_programs else new_name}")

    def rounds(names, n):
        for i in range(n):
            for name in names:
                pair = [(old_programs[name], old_best), (new_programs[name], new_best)]
                for program, best in pair if i % 2 == 0 else pair[::-1]:
                    measure(program, name, best)

    rounds(names, ROUNDS)
    for _ in range(3):
        slow = {part.split("/")[0] for part, r in ratios(old_best, new_best).items() if r > WORST}
        rounds(sorted(slow), ROUNDS)

    table = ratios(old_best, new_best)
    if not table:
        sys.exit("no benchmark to compare")
    mean = math.exp(sum(map(math.log, table.values())) / len(table))
    worst = max(table, key=table.get)
    lines = [f"benchmark\t{old_name} ns/op\t{new_name} ns/op\tratio\tallocations"]
    for part, r in sorted(table.items()):
        allocs = old_best[part][1] if old_best[part][1] == new_best[part][1] else f"{old_best[part][1]} -> {new_best[part][1]}"
        lines.append(f"{part}\t{old_best[part][0]:.4g}\t{new_best[part][0]:.4g}\t{r:.3f}\t{allocs}")
    lines.append(f"geometric mean\t\t\t{mean:.3f}\t")
    lines.append(f"worst: {worst}\t\t\t{table[worst]:.3f}\t")
    os.makedirs("bench/results", exist_ok=True)
    with open(f"bench/results/{old_name}-{new_name}.tsv", "w") as f:
        f.write("\n".join(lines) + "\n")
    print("\n".join(lines))
    for part in sorted(set(old_best) ^ set(new_best)):
        print(f"{part}: measured on one side alone")
    if mean > MEAN or table[worst] > WORST:
        sys.exit("slower than allowed")


main()
