# SPDX-License-Identifier: Apache-2.0
"""tools/vm/report.py on consoles of guests."""

import io
import pathlib
import sys
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2] / "tools" / "vm"))

from report import Report  # noqa: E402

BOOT = ["\x1bcSeaBIOS", "", "@up 6.1.0"]
PASSING = [
    "@begin bpf parse_tests",
    "[==========] Running 2 tests from 1 test suite.",
    "[ RUN      ] Parse.Ipv4",
    "[       OK ] Parse.Ipv4 (1 ms)",
    "[ RUN      ] Parse.Ipv6",
    "[       OK ] Parse.Ipv6 (1 ms)",
    "[  PASSED  ] 2 tests.",
    "@end bpf parse_tests 0 3",
]
FAILING = [
    "@begin netns life_tests",
    "[ RUN      ] Life/Each.Starts/0",
    "[       OK ] Life/Each.Starts/0 (1 ms)",
    "[ RUN      ] Life/Each.Starts/1",
    "life.cpp:7: Failure",
    "[  FAILED  ] Life/Each.Starts/1, where GetParam() = 1 (2 ms)",
    "[  FAILED  ] 1 test, listed below:",
    "[  FAILED  ] Life/Each.Starts/1, where GetParam() = 1",
    "@end netns life_tests 1 3",
]


class ReportOfGuest(unittest.TestCase):
    def run_guest(self, *lines):
        self.log, self.out = io.StringIO(), io.StringIO()
        report = Report(self.log, "vm: ", out=self.out)
        for line in lines:
            report.take(line + "\r\n")
        return report

    def test_passed_step_is_one_line(self):
        report = self.run_guest(*BOOT, *PASSING, "TESTRESULT=0")
        self.assertTrue(report.good)
        self.assertEqual(self.out.getvalue(), "vm: ok     bpf     parse_tests, 2 passed, 0 failed, 3 s\n")

    def test_whole_console_is_logged(self):
        self.run_guest(*BOOT, *PASSING)
        self.assertIn("[ RUN      ] Parse.Ipv6\n", self.log.getvalue())

    def test_failed_test_is_shown_and_counted_once(self):
        report = self.run_guest(*BOOT, *FAILING, "TESTRESULT=1")
        self.assertFalse(report.good)
        self.assertEqual(report.steps[0].failed, ["Life/Each.Starts/1"])
        self.assertIn("vm:     life.cpp:7: Failure\n", self.out.getvalue())
        self.assertNotIn("Starts/0", self.out.getvalue())

    def test_skipped_test_fails_although_the_program_exits_with_0(self):
        report = self.run_guest(*BOOT, "@begin bpf t", "[ RUN      ] A.B", "no tcx",
                                "[  SKIPPED ] A.B (0 ms)", "@end bpf t 0 1", "TESTRESULT=0")
        self.assertFalse(report.good)
        self.assertIn("1 skipped (counts as failed)", self.out.getvalue())

    def test_output_of_a_failed_script_is_shown(self):
        report = self.run_guest(*BOOT, "@begin guest t", "MISSING ipset", "@end guest t 1 1",
                                "TESTRESULT=1")
        self.assertFalse(report.good)
        self.assertIn("vm:     MISSING ipset\n", self.out.getvalue())

    def test_closing_line_of_the_oracle_is_counted(self):
        report = self.run_guest(*BOOT, "@begin oracle g", "60 passed, 0 failed", "@end oracle g 0 9",
                                "TESTRESULT=0")
        self.assertEqual(report.steps[0].passed, 60)
        self.assertTrue(report.good)

    def test_mismatches_of_the_oracle_fail(self):
        report = self.run_guest(*BOOT, "@begin oracle g", "59 passed, 1 failed", "@end oracle g 0 9",
                                "TESTRESULT=0")
        self.assertFalse(report.good)

    def test_what_a_step_wants_seen_is_shown_although_it_passed(self):
        report = self.run_guest(*BOOT, "@begin pktgen natrix", "quiet", "@say natrix: sent 7",
                                "@end pktgen natrix 0 1", "TESTRESULT=0")
        self.assertTrue(report.good)
        self.assertEqual(self.out.getvalue().splitlines()[0], "vm: natrix: sent 7")
        self.assertNotIn("quiet", self.out.getvalue())

    def test_attach_method_is_found(self):
        report = self.run_guest(*BOOT, "@begin daemon t", "[info] attach method=clsact devices=2",
                                "@end daemon t 0 1", "TESTRESULT=0")
        self.assertEqual(report.attach_method, "clsact")

    def test_kernel_warning_fails_a_run_without_failed_steps(self):
        report = self.run_guest(*BOOT, *PASSING, "@kernel WARNING: CPU: 0", "TESTRESULT=0")
        self.assertFalse(report.good)
        self.assertIn("kernel: WARNING: CPU: 0", self.out.getvalue())

    def test_guest_that_dies_in_a_step_is_not_good(self):
        report = self.run_guest(*BOOT, *PASSING[:-1], "Kernel panic - not syncing")
        self.assertFalse(report.good)
        self.assertTrue(report.panicked and report.up)
        self.assertIn("Kernel panic - not syncing", report.unfinished())

    def test_panic_before_user_space_is_told_from_a_later_one(self):
        report = self.run_guest("Kernel panic - not syncing: Fatal exception")
        self.assertTrue(report.panicked)
        self.assertFalse(report.up)

    def test_guest_without_steps_is_not_good(self):
        self.assertFalse(self.run_guest(*BOOT, "TESTRESULT=0").good)

    def test_few_failed_tests_are_worth_another_run(self):
        report = self.run_guest(*BOOT, *PASSING, *FAILING, "TESTRESULT=1")
        self.assertEqual(report.worth_again(), {"life_tests": ["Life/Each.Starts/1"]})
        self.assertFalse(report.good)

    def test_what_is_no_accident_of_emulation_is_not_run_again(self):
        many = [line.replace("Starts/1", f"Starts/{n}") for n in (1, 2, 3) for line in FAILING[3:6]]
        timed_out = [*FAILING[:-1], "@end netns life_tests 124 3"]
        generated = ["@begin oracle generated-ipv4", "19 passed, 1 failed",
                     "@end oracle generated-ipv4 1 3"]
        for lines in ([*FAILING[:1], *many, FAILING[-1], "TESTRESULT=1"],
                      [*timed_out, "TESTRESULT=1"], [*generated, "TESTRESULT=1"],
                      [*FAILING, "@kernel BUG: sleeping", "TESTRESULT=2"],
                      FAILING, [*PASSING, "TESTRESULT=0"]):
            self.assertEqual(self.run_guest(*BOOT, *lines).worth_again(), {})


if __name__ == "__main__":
    unittest.main()
