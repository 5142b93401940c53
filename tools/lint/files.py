# SPDX-License-Identifier: Apache-2.0
"""Which files of a tree the lint looks at, and how it reports."""

import os
import pathlib
import sys

LEAVE_OUT = {".git", "build", "__pycache__", ".cache", ".vscode", ".idea"}
CODE = (".h", ".c", ".cpp")


def root():
    return pathlib.Path(__file__).resolve().parents[2]


def files(top):
    """Every file below `top` that belongs to the project, as relative POSIX paths, sorted."""
    found = []
    for folder, below, names in os.walk(top):
        below[:] = sorted(b for b in below if b not in LEAVE_OUT)
        for name in names:
            path = pathlib.Path(folder, name)
            if not path.is_symlink():
                found.append(path.relative_to(top).as_posix())
    return sorted(found)


def text_of(top, path):
    """The file's text, or None when it is not text (a fixture may be anything)."""
    try:
        return pathlib.Path(top, path).read_text(encoding="utf-8")
    except UnicodeDecodeError:
        return None


def report(name, problems, good):
    """Prints `file:line: message` lines and returns the exit status."""
    for problem in problems:
        print(problem, file=sys.stderr)
    if problems:
        print(f"{name}: {len(problems)} problem{'s' if len(problems) > 1 else ''}", file=sys.stderr)
        return 1
    print(f"{name}: {good}")
    return 0


def top_of_arguments():
    return pathlib.Path(sys.argv[1]) if len(sys.argv) > 1 else root()
