// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

// How large the programs of a BPF object are, for the compiler that made it and the kernel that
// verifies it.
namespace natrix::guard {

struct ProgramFigures {
  std::uint64_t insns = 0;     // as compiled, functions that it calls included
  std::uint64_t helpers = 0;   // places where it calls the kernel: a map lookup is one
  std::uint64_t verified = 0;  // instructions that the verifier went through
  std::uint64_t xlated = 0;    // bytes, as the kernel rewrote it
  std::uint64_t jited = 0;     // bytes of machine code
  std::uint64_t stack = 0;     // of the deepest chain of calls; each frame a multiple of 32, as 6.1
                               // counts
};
using Figures = std::map<std::string, ProgramFigures>;  // by program

// Loads the object and asks the kernel.  Throws SetupError.
Figures FiguresOf(const std::string& object);

// The checked-in text: a comment, a heading, a line for each program.
std::string TextOf(const Figures& figures);
Figures ParseFigures(std::string_view text);

// What has grown beyond its slack, is new or is gone: a line each, which says program, was and is.
// `whole`: else only what does not depend on the kernel.
std::vector<std::string> Compare(const Figures& blessed, const Figures& now, bool whole);

// The deepest chain in a program whose functions begin at `starts`, sorted, with those depths.
// Calls: (instruction, start of the callee).
std::uint64_t DeepestChain(const std::vector<std::uint32_t>& starts,
                           const std::vector<std::uint64_t>& depths,
                           const std::vector<std::pair<std::uint32_t, std::uint32_t>>& calls);

}  // namespace natrix::guard
