# SPDX-License-Identifier: Apache-2.0
"""tools/lint/tree on good and bad trees."""

import unittest

from lint_case import LintCase

OURS = "// SPDX-License-Identifier: Apache-2.0\n"
KERNEL = "/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */\n"


class Tree(LintCase):
    program = "tree"

    def setUp(self):
        super().setUp()
        for folder in ("maps", "maps/abi", "bpf", "bpf/lib", "tools", "tests"):
            self.write(f"{folder}/README.md", "# what\n")

    def assert_refused(self, path, text, message):
        self.write(path, text)
        self.assertEqual(self.problems(), [f"{path}:{message}"])

    def test_good_tree_passes(self):
        self.write("maps/view.h", OURS)
        self.write("maps/abi/flow.h", KERNEL)
        self.write("bpf/lib/packet.h", KERNEL)
        self.write("bpf/CMakeLists.txt", OURS.replace("//", "#"))
        self.write("tools/do", "#!/bin/sh\n# SPDX-License-Identifier: Apache-2.0\necho done\n")
        self.write("tests/event.h", KERNEL)
        self.assert_clean()

    def test_missing_licence(self):
        self.assert_refused("maps/view.h", "#pragma once\n",
                            "1: no SPDX-License-Identifier in the first lines")

    def test_missing_licence_of_a_script(self):
        self.assert_refused("tools/do", "#!/bin/sh\necho\n",
                            "1: no SPDX-License-Identifier in the first lines")

    def test_kernel_code_under_our_licence(self):
        self.assert_refused("bpf/lib/packet.h", OURS,
                            "1: licence is Apache-2.0, should be GPL-2.0-only OR BSD-2-Clause")

    def test_user_space_under_the_kernel_licence(self):
        self.assert_refused("maps/view.h", KERNEL,
                            "1: licence is GPL-2.0-only OR BSD-2-Clause, should be Apache-2.0")

    def test_file_of_401_lines(self):
        self.write("maps/view.h", OURS + "int x;\n" * 399)
        self.assert_clean()
        self.assert_refused("maps/view.h", OURS + "int x;\n" * 400,
                            "400: 401 lines, more than 400: two things in one file")

    def test_no_newline_at_the_end(self):
        self.assert_refused("maps/view.h", OURS + "int x;", "2: no newline at the end")

    def test_folder_without_readme(self):
        self.write("loader/object.h", OURS)
        self.assertEqual(self.problems(), [
            "loader/README.md:1: missing: what lives here, what may it include?"])

    def test_script_with_a_syntax_error(self):
        self.write("tools/do", "#!/bin/bash\n# SPDX-License-Identifier: Apache-2.0\nif true; then\n")
        (problem,) = self.problems()
        self.assertRegex(problem, r"^tools/do:1: .*syntax error")

    def test_python_with_a_syntax_error(self):
        self.write("tools/do.py", "# SPDX-License-Identifier: Apache-2.0\ndef f(:\n")
        (problem,) = self.problems()
        self.assertTrue(problem.startswith("tools/do.py:2: "), problem)


if __name__ == "__main__":
    unittest.main()
