#!/usr/bin/env python3
"""Rules that a reader would otherwise have to enforce: fails with file, line and rule.

- only base/clock_system.cc asks the system for the time;
- mesh, policy and xds/gen know no sockets, no store, no clock;
- includes go down the folders, never up;
- headers have #pragma once and begin, after the includes, with what they are;
- no TODO without an issue, no paths of a machine, no long files.
"""
import pathlib
import re
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent
LEVELS = {  # folder -> folders that it may include, besides itself and base
    "base": [], "config": [], "observe": [], "net": [], "model": [],
    "store": ["model"], "security": ["model"], "mesh": ["model", "security"], "policy": ["mesh", "model"],
    "xds/gen": ["policy", "mesh", "model", "security"],
    "manager": ["store", "security", "model", "policy", "mesh"],
    "insight": ["manager", "store", "model", "observe"],
    "xds/server": ["xds/gen", "policy", "mesh", "manager", "insight", "security", "net", "observe", "config", "store", "model"],
    "xds/bootstrap": ["model", "manager", "security", "config", "net", "store"],
    "kds": ["manager", "insight", "security", "net", "store", "model", "observe", "policy"],
    "plan": ["xds/gen", "policy", "mesh", "model"],
    "api": ["manager", "insight", "plan", "xds/gen", "xds/server", "policy", "mesh", "security", "net", "config", "observe", "store", "model"],
    "mads": ["xds/gen", "policy", "mesh", "store", "model", "net"],
    "dp": ["model", "net"], "ctl": ["model", "policy", "net", "security"],
}
LINES_MAX = 700
PURE = ("mesh", "policy", "xds/gen", "plan")


def folder_of(path):
    parts = path.relative_to(ROOT / "src").parts
    return "/".join(parts[:2]) if parts[0] == "xds" else parts[0]


def included_folder(include):
    parts = include.split("/")
    if len(parts) < 2 or include.endswith(".pb.h"):  # our messages' packages have the names of folders
        return None
    folder = "/".join(parts[:2]) if parts[0] == "xds" and len(parts) > 2 else parts[0]
    return folder if folder in LEVELS else None


def check(path, report):
    text = path.read_text()
    lines = text.splitlines()
    name = path.relative_to(ROOT)
    in_src = path.is_relative_to(ROOT / "src")
    folder = folder_of(path) if in_src else None
    test = path.stem.endswith(("_test", "_bench"))
    if len(lines) > LINES_MAX:
        report(name, len(lines), f"more than {LINES_MAX} lines: perhaps two things in one")
    if path.suffix == ".h" and "#pragma once" not in text:
        report(name, 1, "a header without #pragma once")
    for number, line in enumerate(lines, 1):
        if in_src and not test and path.name != "clock_system.cc" and re.search(
                r"(system|steady)_clock::now\(|\btime\(nullptr\)|gettimeofday|clock_gettime", line):
            report(name, number, "asks the system for the time; take a Clock")
        if re.search(r"\bTODO\b(?!\()|\bFIXME\b|\bXXX\b", line):
            report(name, number, "a TODO without a topic; file an issue")
        if re.search(r"(?<![\w.])/(work|farm|root)/", line):
            report(name, number, "a path of this machine")
        match = re.match(r'#include "([^"]+)"', line)
        if match and folder:
            other = included_folder(match[1])
            if other and other not in ("base", folder) and other not in LEVELS[folder] and not test:
                report(name, number, f"{folder} may not include {other}")
            if folder in PURE and not test and other in ("net", "store"):
                report(name, number, f"{folder} knows no {other}")


def main():
    found = []
    files = subprocess.run(["git", "ls-files", "-co", "--exclude-standard", "src", "apps", "bench", "tests"], cwd=ROOT,
                           capture_output=True, text=True, check=True).stdout.split()
    for file in files:
        path = ROOT / file
        if path.suffix in (".h", ".cc") and path.exists():
            check(path, lambda *what: found.append(what))
    for name, number, what in found:
        print(f"{name}:{number}: {what}")
    print(f"style: {len(found)} findings")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
