# SPDX-License-Identifier: Apache-2.0
"""tools/lint/scenarios on READMEs with good and bad tables."""

import unittest

from lint_case import LintCase

HEAD = "| rule | how | judged by |\n|---|---|---|\n"


class Scenarios(LintCase):
    program = "scenarios"

    def setUp(self):
        super().setUp()
        self.write("tests/oracle/outgoing_test.cpp",
                   "TEST_P(Outgoing, TcpIsMasqueraded) {\n}\nTEST_P(Outgoing,\n       Udp) {\n}\n")

    def rows(self, *rows):
        self.write("README.md", "# natrix\n\n" + HEAD + "".join(f"| {row} |\n" for row in rows))

    def test_suites_cases_and_beginnings_pass(self):
        self.rows("R1 | a stage | `Outgoing`", "R2 | a stage | `Outgoing.TcpIs`, `Outgoing.Udp`")
        self.assert_clean()

    def test_name_that_leads_nowhere(self):
        self.rows("R1 | a stage | `Outgoing.Tcp`", "R2 | a stage | `Outgoing.Sctp`")
        self.assertEqual(self.problems(), ["README.md:6: no scenario begins with Outgoing.Sctp"])

    def test_row_without_a_judge(self):
        self.rows("R1 | a stage | soon")
        self.assertEqual(self.problems(), ["README.md:5: no scenario judges: R1"])

    def test_rows_that_none_can_judge_pass(self):
        self.rows("-j OVN | the hooks are the jumps |", "ACCEPT | | every scenario that arrives")
        self.assert_clean()

    def test_tables_of_something_else_are_not_asked(self):
        self.rows("R1 | a stage | `Outgoing`")
        self.write("README.md", (self.top / "README.md").read_text() + "\n| a | b |\n|---|---|\n| c | d |\n")
        self.assert_clean()

    def test_readme_without_such_a_table(self):
        self.write("README.md", "# natrix\n")
        self.assertEqual(self.problems(), ["README.md:1: no table has a column \"judged by\""])


if __name__ == "__main__":
    unittest.main()
