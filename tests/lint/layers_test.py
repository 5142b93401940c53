# SPDX-License-Identifier: Apache-2.0
"""tools/lint/layers on good and bad trees."""

import unittest

from lint_case import LintCase

# A file of each layer, so that every include below names something that exists.
FILES = (
    "maps/abi/abi.h", "maps/abi/flow.h", "maps/view.h", "bpf/lib/packet.h", "bpf/stage/parse.h",
    "bpf/stage/snat.h", "bpf/hook/natrix.bpf.c", "loader/object.h", "loader/object.cpp",
    "userspace/base/result.h", "userspace/model/config.h", "userspace/config/load.cpp",
    "userspace/compile/compile.cpp", "userspace/daemon/main.cpp", "userspace/cli/main.cpp",
    "tests/unit/some_test.cpp", "tests/support/packet.h",
)


class Layers(LintCase):
    program = "layers"

    def setUp(self):
        super().setUp()
        for path in FILES:
            self.write(path, "")

    def includes(self, path, *targets):
        self.write(path, "// licence\n" + "".join(f"#include {t}\n" for t in targets))

    def assert_refused(self, path, target, message):
        self.includes(path, target)
        self.assertEqual(self.problems(), [f"{path}:2: {message}"])

    def test_every_allowed_direction_passes(self):
        self.includes("maps/abi/flow.h", "<linux/types.h>", '"maps/abi/abi.h"')
        self.includes("bpf/lib/packet.h", '"maps/abi/flow.h"', "<linux/bpf.h>", "<bpf/bpf_endian.h>")
        self.includes("bpf/stage/snat.h", '"bpf/lib/packet.h"', '"maps/abi/flow.h"')
        self.includes("bpf/hook/natrix.bpf.c", '"bpf/stage/parse.h"', '"bpf/stage/snat.h"')
        self.includes("maps/view.h", '"maps/abi/flow.h"', '"userspace/base/result.h"', "<bpf/bpf.h>")
        self.includes("loader/object.h", '"maps/view.h"', '"natrix.skel.h"', "<sys/stat.h>")
        self.includes("userspace/model/config.h", '"maps/abi/flow.h"', "<vector>", "<sys/socket.h>")
        self.includes("userspace/config/load.cpp", '"userspace/model/config.h"', "<libfyaml.h>")
        self.includes("userspace/compile/compile.cpp", '"userspace/model/config.h"', "<fnmatch.h>")
        self.includes("userspace/daemon/main.cpp", '"loader/object.h"', "<chrono>",
                      '"userspace/model/config.h"', '"userspace/base/result.h"')
        self.includes("userspace/cli/main.cpp", '"userspace/daemon/main.cpp"', '"maps/view.h"')
        self.includes("tests/unit/some_test.cpp", '"tests/support/packet.h"', '"natrix.skel.h"',
                      '"bpf/lib/packet.h"', '"userspace/model/config.h"')
        self.assert_clean()

    def test_contract_includes_only_kernel_types(self):
        self.assert_refused("maps/abi/flow.h", "<stdint.h>", "maps/abi may not include <stdint.h>")

    def test_contract_includes_nothing_else_of_ours(self):
        self.assert_refused("maps/abi/flow.h", '"maps/view.h"', "maps/abi may not include maps")

    def test_stage_never_includes_another_stage(self):
        self.assert_refused("bpf/stage/snat.h", '"bpf/stage/parse.h"',
                            "bpf/stage may not include bpf/stage")

    def test_stage_never_includes_a_hook(self):
        self.assert_refused("bpf/stage/snat.h", '"bpf/hook/natrix.bpf.c"',
                            "bpf/stage may not include bpf/hook")

    def test_bpf_code_never_includes_user_space(self):
        self.assert_refused("bpf/lib/packet.h", '"userspace/base/result.h"',
                            "bpf/lib may not include userspace/base")

    def test_bpf_code_never_includes_the_c_library(self):
        self.assert_refused("bpf/lib/packet.h", "<string.h>", "bpf/lib may not include <string.h>")

    def test_typed_views_do_not_know_the_loader(self):
        self.assert_refused("maps/view.h", '"loader/object.h"', "maps may not include loader")

    def test_loader_does_not_know_the_config(self):
        self.assert_refused("loader/object.cpp", '"userspace/model/config.h"',
                            "loader may not include userspace/model")

    def test_config_does_not_know_the_compile_step(self):
        self.assert_refused("userspace/config/load.cpp", '"userspace/compile/compile.cpp"',
                            "userspace/config may not include userspace/compile")

    def test_pure_layers_touch_no_system(self):
        for header, what in (("unistd.h", "system calls"), ("sys/stat.h", "system calls"),
                             ("bpf/libbpf.h", "BPF"), ("spdlog/spdlog.h", "logging"),
                             ("chrono", "clocks"), ("fstream", "files"), ("thread", "threads")):
            with self.subTest(header):
                self.assert_refused(
                    "userspace/compile/compile.cpp", f"<{header}>",
                    f"userspace/compile may not include <{header}>: no {what} in this layer")

    def test_an_exception_holds_for_its_layer_only(self):
        self.assert_refused("userspace/compile/compile.cpp", "<sys/socket.h>",
                            "userspace/compile may not include <sys/socket.h>: "
                            "no system calls in this layer")

    def test_skeletons_belong_to_loader_and_tests(self):
        self.assert_refused("userspace/daemon/main.cpp", '"natrix.skel.h"',
                            "skeletons belong to loader and tests")

    def test_nobody_includes_tests(self):
        self.assert_refused("userspace/cli/main.cpp", '"tests/support/packet.h"',
                            "userspace/cli may not include tests")

    def test_daemon_does_not_know_the_command_line(self):
        self.assert_refused("userspace/daemon/main.cpp", '"userspace/cli/main.cpp"',
                            "userspace/daemon may not include userspace/cli")

    def test_relative_include_is_refused(self):
        self.assert_refused("maps/view.h", '"../maps/abi/abi.h"',
                            '"../maps/abi/abi.h" is not written from the project\'s root')

    def test_include_of_a_missing_file_is_refused(self):
        self.assert_refused("maps/view.h", '"maps/gone.h"',
                            '"maps/gone.h" is not a file of the project')

    def test_computed_include_is_refused(self):
        self.assert_refused("maps/view.h", "HEADER",
                            "an include that the preprocessor computes hides its layer")

    def test_spaces_and_comments_do_not_hide_an_include(self):
        self.write("maps/view.h", '  #  include   "loader/object.h"  // why\n')
        self.assertEqual(self.problems(), ["maps/view.h:1: maps may not include loader"])

    def test_folder_without_a_layer_is_refused(self):
        self.write("extra/thing.cpp", "int x;\n")
        self.assertEqual(self.problems(), [
            "extra/thing.cpp:1: no layer: add its folder to the table of tools/lint/layers"])

    def test_build_folder_is_not_looked_at(self):
        self.write("build/dev/x.h", '#include "../nonsense.h"\n')
        self.assert_clean()


if __name__ == "__main__":
    unittest.main()
