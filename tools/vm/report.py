# SPDX-License-Identifier: Apache-2.0
"""Reads the guest's console and says in a few lines what happened.

The whole console goes to a log file.  A step that passed is one line; of one
that failed the output is shown: for GoogleTest programs that of the failed
tests only.
"""

import re
import sys

GTEST_RUN = re.compile(r"^\[ RUN      \] (\S+)")
GTEST_END = re.compile(r"^\[(       OK|  FAILED  |  SKIPPED ) ?\] (\S+?)(,.*)?( \(\d+ ms\))?$")
ORACLE_END = re.compile(r"^(\d+) passed, (\d+) failed$")
ATTACH = re.compile(r"\battach method=(\w+)")
TAIL_LINES = 60
# More failures than these are no accident of emulation.
AGAIN_AT_MOST = 2


class Step:
    def __init__(self, suite, name):
        self.suite, self.name = suite, name
        self.rc, self.seconds = None, 0
        self.passed, self.failed, self.skipped = 0, [], []
        self.lines = []           # of the running test, or of a program that is not GoogleTest
        self.failures = []        # output of failed tests

    @property
    def good(self):
        return self.rc == 0 and not self.failed and not self.skipped

    def take(self, line):
        if GTEST_RUN.match(line):
            self.lines = []
        self.lines.append(line)
        end = GTEST_END.match(line)
        if not end:
            closing = ORACLE_END.match(line)
            if closing:
                self.passed += int(closing.group(1))
                self.failed += ["generated case"] * int(closing.group(2))
            return
        verdict, test = end.group(1).strip(), end.group(2)
        if verdict == "OK":
            self.passed += 1
        elif verdict == "FAILED" and test not in self.failed and "." in test:
            self.failed.append(test)
            self.failures += self.lines
        elif verdict == "SKIPPED" and test not in self.skipped and "." in test:
            self.skipped.append(test)
            self.failures += self.lines
        self.lines = []

    def summary(self):
        counts = ""
        if self.passed or self.failed or self.skipped:
            counts = f", {self.passed} passed, {len(self.failed)} failed"
            if self.skipped:
                counts += f", {len(self.skipped)} skipped (counts as failed)"
        verdict = "ok    " if self.good else "FAILED"
        why = " (timed out)" if self.rc == 124 else f" (exit {self.rc})" if self.rc else ""
        return f"{verdict} {self.suite:7} {self.name}{why}{counts}, {self.seconds} s"


class Report:
    """Feed it lines; ask it in the end."""

    def __init__(self, log, prefix="", echo=False, out=sys.stdout):
        self._log, self._prefix, self._echo, self._out = log, prefix, echo, out
        self.up = False
        self.panicked = False
        self.result = None
        self.attach_method = None
        self.kernel_lines = []
        self.steps = []
        self._step = None

    def say(self, text):
        print(self._prefix + text, file=self._out, flush=True)

    def take(self, line):
        line = line.rstrip("\r\n")
        self._log.write(line + "\n")
        word, _, rest = line.partition(" ")
        if word == "@up":
            self.up = True
        elif word == "@begin":
            self._step = Step(*rest.split())
            self.steps.append(self._step)
        elif word == "@end":
            self._end(rest.split())
        elif word == "@say":
            self.say(rest)
        elif word == "@kernel":
            self.kernel_lines.append(rest)
            self.say(f"kernel: {rest}")
        elif line.startswith("TESTRESULT="):
            self.result = int(line.removeprefix("TESTRESULT="))
        else:
            self._output(line)

    def _output(self, line):
        if "Kernel panic" in line:
            self.panicked = True
        method = ATTACH.search(line)
        if method:
            self.attach_method = method.group(1)
        if self._step:
            self._step.take(line)
        if self._echo and self._step:
            self.say(line)

    def _end(self, words):
        step, self._step = self._step, None
        step.rc, step.seconds = int(words[2]), int(words[3])
        if not step.good and not self._echo:
            for line in (step.failures or step.lines)[-TAIL_LINES:]:
                self.say("    " + line)
        self.say(step.summary())

    def unfinished(self):
        """Lines of a step that never ended: the guest died or hung in it."""
        return (self._step.lines if self._step else [])[-TAIL_LINES:]

    @property
    def good(self):
        return (self.result == 0 and self._step is None and not self.kernel_lines
                and bool(self.steps) and all(step.good for step in self.steps))

    def worth_again(self):
        """{step's name: [GoogleTest names]} to run once more, alone; empty unless nothing but a
        few tests failed.  Steps that ran out of time and complaints of the kernel stand."""
        bad = [step for step in self.steps if not step.good]
        named = all(step.rc == 1 and step.failed and not step.skipped
                    and all("." in test for test in step.failed) for step in bad)
        failures = sum(len(step.failed) for step in bad)
        if self.result is None or self.kernel_lines or not named or failures > AGAIN_AT_MOST:
            return {}
        return {step.name: step.failed for step in bad}
