# SPDX-License-Identifier: Apache-2.0
"""tools/lint/not_run on what ctest writes."""

import subprocess
import tempfile
import unittest

from lint_case import TOOLS


class NotRun(unittest.TestCase):
    def judge(self, *statuses):
        with tempfile.NamedTemporaryFile("w", suffix=".xml") as junit:
            cases = "".join(f'<testcase name="t{i}" status="{s}"/>' for i, s in enumerate(statuses))
            junit.write(f'<?xml version="1.0"?><testsuite>{cases}</testsuite>')
            junit.flush()
            return subprocess.run([TOOLS / "lint" / "not_run", junit.name], text=True,
                                  capture_output=True, check=False)

    def test_passed_and_failed_tests_have_run(self):
        done = self.judge("run", "fail")
        self.assertEqual((done.returncode, done.stderr), (0, ""))

    def test_skipped_and_disabled_tests_fail_by_name(self):
        done = self.judge("run", "notrun", "disabled")
        self.assertEqual(done.returncode, 1)
        self.assertEqual(done.stderr, "test: t1 did not run, which counts as failed\n"
                                      "test: t2 did not run, which counts as failed\n")


if __name__ == "__main__":
    unittest.main()
