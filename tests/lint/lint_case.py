# SPDX-License-Identifier: Apache-2.0
"""A small tree on disk, and a lint program that judges it."""

import pathlib
import subprocess
import tempfile
import unittest

TOOLS = pathlib.Path(__file__).resolve().parents[2] / "tools"


class LintCase(unittest.TestCase):
    program = ""

    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.top = pathlib.Path(folder.name)

    def write(self, path, text):
        to = self.top / path
        to.parent.mkdir(parents=True, exist_ok=True)
        if isinstance(text, bytes):
            to.write_bytes(text)
        else:
            to.write_text(text)

    def problems(self):
        """What the program says, a line each, without its closing line; checks the exit status."""
        done = subprocess.run([TOOLS / "lint" / self.program, self.top], text=True,
                              capture_output=True, check=False)
        lines = done.stderr.splitlines()
        self.assertEqual(done.returncode, 1 if lines else 0, done.stderr)
        return lines[:-1]

    def assert_clean(self):
        self.assertEqual(self.problems(), [])
