# SPDX-License-Identifier: Apache-2.0
"""tools/lint/words on good and bad files."""

import unittest

from lint_case import LintCase


class Words(LintCase):
    program = "words"

    def assert_refused(self, text, line, part):
        self.write("maps/view.h", text)
        found = self.problems()
        self.assertEqual(len(found), 1, found)
        self.assertTrue(found[0].startswith(f"maps/view.h:{line}: "), found[0])
        self.assertIn(part, found[0])

    def test_two_copies_of_a_fact(self):
        self.assert_refused("int a;\n// must be kept in sync with flow.h\n", 2, "two copies")

    def test_todo_needs_a_pointer(self):
        self.assert_refused("// TODO: later\n", 1, "recorded")
        self.assert_refused("// FIXME(somebody)\n", 1, "recorded")

    def test_todo_with_a_pointer_passes(self):
        self.write("maps/view.h", "// TODO(adr-4): resize\n// TODO(#12): resize\n")
        self.assert_clean()

    def test_paths_of_one_machine(self):
        for path in ("/home/me/natrix", "/home/you/natrix", "/root/.cache"):
            with self.subTest(path):
                self.assert_refused(f'Read("{path}");\n', 1, "a path of one machine")

    def test_other_paths_pass(self):
        self.write("docs/operations.md", "/sys/fs/bpf/natrix /run/natrix docs/home/x $HOME/home/x\n")
        self.assert_clean()

    def test_empty_comment(self):
        self.assert_refused("// Helper function to add\n", 1, "what is it for")

    def test_unfinished_merge(self):
        self.assert_refused("int a;\n<<<<<<< ours\n", 2, "merge")

    def test_file_that_is_not_text_passes(self):
        self.write("tests/unit/data/binary.yaml", b"\xff\xfe\x00TODO")
        self.assert_clean()


if __name__ == "__main__":
    unittest.main()
