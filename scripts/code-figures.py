#!/usr/bin/env python3
"""Figures of the Rust code: lines per file and per function (median, 95th percentile, longest).

    code-figures.py [DIRECTORY…]     default: src

Tests are counted apart.
"""

import argparse
import re
from pathlib import Path

FUNCTION = re.compile(
    r"^(?P<indent> *)(?:pub(?:\([^)]*\))? )?(?:default )?(?:const )?(?:async )?(?:unsafe )?(?:extern \"[^\"]*\" )?fn (?P<name>\w+)"
)


def functions(lines):
    """Name, first line and length of each function; relies on rustfmt, which closes one at its own indentation."""
    for start, line in enumerate(lines):
        match = FUNCTION.match(line)
        if not match or line.rstrip().endswith((";", "}")):
            continue
        for end in range(start + 1, len(lines)):
            rest = lines[end].removeprefix(match["indent"])
            if rest.startswith("}"):
                yield match["name"], start + 1, end - start + 1
                break
            if lines[end].rstrip().endswith(";") and not rest.startswith(" ") and not rest.startswith("where"):
                break  # a declaration without a body


def is_test(path):
    return "tests" in path.parts or path.name == "tests.rs"


def first_test_line(lines):
    """Where the file's own test module begins."""
    for number, line in enumerate(lines):
        if line.startswith("#[cfg(test)]") and lines[number + 1].rstrip().endswith("{"):
            return number + 1
    return len(lines) + 1


def summary(what, measured):
    """One line for (length, name) pairs."""
    if not measured:
        return f"{what:24} none"
    measured = sorted(measured)
    at = lambda share: measured[min(len(measured) - 1, int(share * len(measured)))][0]
    longest, name = measured[-1]
    return f"{what:24} {len(measured):5}   median {at(0.5):4}   p95 {at(0.95):4}   longest {longest:4} ({name})"


def main():
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("directories", nargs="*", default=["src"], metavar="DIRECTORY")
    files, code, tests = [], [], []
    for path in sorted(path for directory in arguments.parse_args().directories for path in Path(directory).rglob("*.rs")):
        lines = path.read_text(encoding="utf-8").splitlines()
        files.append((len(lines), path))
        tests_begin = 0 if is_test(path) else first_test_line(lines)
        for name, line, length in functions(lines):
            (tests if line >= tests_begin else code).append((length, f"{name}, {path}:{line}"))
    print(f"{'lines':24} {sum(length for length, _ in files):5}")
    print(summary("lines per file", files))
    print(summary("lines per function", code))
    print(summary("lines per test function", tests))


if __name__ == "__main__":
    main()
