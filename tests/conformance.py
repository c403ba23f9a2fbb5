#!/usr/bin/env python3
"""Runs the recorded conformance cases that lie beside the checkout and holds the result against what we expect.

  conformance.py --cp build/bin/kuma-cp [--jobs N] [CASE...]

tests/conformance-exceptions.txt lists the cases that do not pass, each with its reason. This fails when a case fails
that is not listed, and when a listed one passes: the list says how things are. Without ../shared it says that the
cases were left out and passes.

A case that surprises is run once more on its own before it counts, since the cases wait in real time and a busy machine
may stop for seconds; both runs are told.
"""
import argparse
import pathlib
import subprocess
import sys
import tempfile
import venv
import xml.etree.ElementTree

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parent
SUITE = ROOT.parent / "shared" / "conformance"


def python_with(requirements):
    """A Python that has the runner's packages; made once under build/."""
    home = ROOT / "build" / "conformance-venv"
    python, stamp = home / "bin" / "python", home / "requirements.txt"
    wanted = requirements.read_text()
    if not stamp.exists() or stamp.read_text() != wanted:
        print("conformance: installing the runner's Python packages", flush=True)
        venv.create(home, with_pip=True, clear=True)
        subprocess.run([python, "-m", "pip", "install", "-q", "--disable-pip-version-check", "-r", requirements], check=True)
        stamp.write_text(wanted)
    return python


def read_exceptions(path):
    """case -> reason. A line is `CASE  REASON`, `#` starts a comment."""
    exceptions = {}
    for number, line in enumerate(path.read_text().splitlines(), 1):
        line = line.split("#", 1)[0].strip()
        if not line:
            continue
        case, _, reason = line.partition(" ")
        if not reason.strip():
            sys.exit(f"{path.name}:{number}: {case} has no reason; write `CASE  why it cannot pass`")
        if case in exceptions:
            sys.exit(f"{path.name}:{number}: {case} is listed twice")
        exceptions[case] = reason.strip()
    return exceptions


def results(report):
    """case -> passed, from a JUnit report."""
    outcome = {}
    for case in xml.etree.ElementTree.parse(report).getroot().iter("testcase"):
        name = case.get("name")
        outcome[name] = not any(child.tag in ("failure", "error") for child in case)
    return outcome


def run(python, args, cases, jobs):
    """Runs the cases; what passed, and what the runner printed."""
    with tempfile.TemporaryDirectory() as scratch:
        report = pathlib.Path(scratch) / "report.xml"
        done = subprocess.run([python, SUITE / "conform.py", "check", "--cp", args.cp.resolve(), "--jobs", str(jobs),
                               "--quiet", "0.3", "--diff", str(args.diff), "--junit", report, *cases],
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        if not report.exists():
            sys.exit(f"{done.stdout[-3000:]}\nconformance: the runner ended without a report")
        return results(report), done.stdout


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--cp", required=True, type=pathlib.Path)
    parser.add_argument("--jobs", type=int, default=4)
    parser.add_argument("--diff", type=int, default=15)
    parser.add_argument("cases", nargs="*")
    args = parser.parse_args()
    if not SUITE.is_dir():
        print("conformance: ../shared/conformance is not there, its cases were left out (our own golden cases ran)")
        return 0
    exceptions = read_exceptions(HERE / "conformance-exceptions.txt")
    python = python_with(SUITE / "requirements.txt")

    outcome, log = run(python, args, args.cases, args.jobs)
    surprising = [case for case, passed in outcome.items() if passed == (case in exceptions)]
    if surprising and len(surprising) <= 12:
        print(f"conformance: once more, one at a time: {', '.join(sorted(surprising))}", flush=True)
        again, second = run(python, args, surprising, 1)
        outcome.update(again)
        log += second
    failed = sorted(case for case, passed in outcome.items() if not passed)
    surprises = [case for case in failed if case not in exceptions]
    mended = sorted(case for case, passed in outcome.items() if passed and case in exceptions)
    if surprises:
        print(log)
    for case in surprises:
        print(f"conformance: {case} fails and is not listed in tests/conformance-exceptions.txt")
    for case in mended:
        print(f"conformance: {case} passes but is listed in tests/conformance-exceptions.txt; take it out")
    unknown = [] if args.cases else sorted(set(exceptions) - set(outcome))
    for case in unknown:
        print(f"conformance: {case} is listed in tests/conformance-exceptions.txt but there is no such case")
    print(f"conformance: {len(outcome) - len(failed)} of {len(outcome)} cases pass, {len(failed) - len(surprises)} are listed exceptions")
    print(f"{len(outcome) - len(failed)} passed, {len(surprises) + len(mended) + len(unknown)} failed, {len(failed) - len(surprises)} skipped")
    return 1 if surprises or mended or unknown else 0


if __name__ == "__main__":
    sys.exit(main())
