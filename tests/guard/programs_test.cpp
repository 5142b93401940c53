// SPDX-License-Identifier: Apache-2.0
//
// Nothing in the datapath grows without somebody saying so.
#include <gmock/gmock.h>
#include <sys/utsname.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <optional>
#include <sstream>
#include <string>

#include "tests/guard/program_figures.h"

namespace natrix::guard {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

const std::filesystem::path kFolder = NATRIX_SOURCE_DIR "/tests/golden/programs";

std::optional<Figures> Read(const std::filesystem::path& path) {
  std::ifstream file(path);
  if (!file) return std::nullopt;
  std::stringstream text;
  text << file.rdbuf();
  return ParseFigures(text.str());
}

// "clang-19-linux-6.18-x86_64.txt": the kernel's small versions count as one.
std::string FileFor(const std::string& compiler) {
  utsname name{};
  ::uname(&name);
  const std::string release = name.release;
  const std::size_t line = release.find_first_not_of("0123456789", release.find('.') + 1);
  return compiler + "-linux-" + release.substr(0, line) + "-" + name.machine + ".txt";
}

// Of the same compiler, for another kernel.
std::optional<Figures> OfAnotherKernel(const std::string& compiler) {
  for (const auto& entry : std::filesystem::directory_iterator(kFolder))
    if (entry.path().filename().string().starts_with(compiler + "-")) return Read(entry.path());
  return std::nullopt;
}

class Guard : public testing::TestWithParam<const char*> {};
INSTANTIATE_TEST_SUITE_P(Compilers, Guard, testing::Values("clang_14", "clang_19"),
                         [](const auto& now) { return std::string(now.param); });

TEST_P(Guard, ProgramsDoNotGrow) {
  const std::string compiler = GetParam() == std::string("clang_14") ? "clang-14" : "clang-19";
  Figures now;
  for (const char* object : {"/natrix.", "/natrix_bare."})
    now.merge(FiguresOf(NATRIX_BPF_OBJECTS + (object + compiler) + ".o"));
  const std::filesystem::path path = kFolder / FileFor(compiler);
  if (const char* bless = std::getenv("NATRIX_BLESS"); bless && std::string(bless) == "1") {
    std::filesystem::create_directories(kFolder);
    ASSERT_TRUE((std::ofstream(path) << TextOf(now)).flush()) << path;
    return;
  }
  std::optional<Figures> blessed = Read(path);
  const bool whole = blessed.has_value();
  if (!whole) {
    blessed = OfAnotherKernel(compiler);
    RecordProperty("compared", "only what does not depend on the kernel: there is no " +
                                   path.filename().string());
  }
  ASSERT_TRUE(blessed) << "nothing is blessed for " << compiler;
  EXPECT_THAT(Compare(*blessed, now, whole), IsEmpty())
      << "If that is meant, tools/bless, and look at the difference of\n  " << path.string()
      << "\nAll of it now:\n"
      << TextOf(now);
}

TEST(GuardFigures, TextIsReadAsItWasWritten) {
  const Figures figures{{"nx_in", {1, 2, 3, 4, 5, 6}}, {"nx_out", {10, 20, 30, 40, 50, 60}}};
  EXPECT_THAT(Compare(figures, ParseFigures(TextOf(figures)), true), IsEmpty());
  EXPECT_EQ(TextOf(ParseFigures(TextOf(figures))), TextOf(figures));
}

TEST(GuardFigures, GrowthBeyondItsSlackIsToldWithBothFigures) {
  const Figures was{{"nx_in", {1000, 20, 10000, 8000, 5000, 256}}};
  EXPECT_THAT(Compare(was, {{"nx_in", {1010, 20, 10300, 8080, 5100, 256}}}, true), IsEmpty());
  EXPECT_THAT(Compare(was, {{"nx_in", {900, 19, 9000, 7000, 4000, 200}}}, true), IsEmpty());
  EXPECT_THAT(Compare(was, {{"nx_in", {1011, 21, 10301, 8000, 5000, 288}}}, true),
              ElementsAre("nx_in: insns was 1000, is 1011 (+1.1 %, allowed 1.0 %)",
                          "nx_in: helpers was 20, is 21 (+5.0 %, allowed 0.0 %)",
                          "nx_in: verified was 10000, is 10301 (+3.0 %, allowed 3.0 %)",
                          "nx_in: stack was 256, is 288 (+12.5 %, allowed 0.0 %)"));
  EXPECT_THAT(Compare(was, {{"nx_in", {1000, 20, 90000, 8000, 5000, 512}}}, false), IsEmpty());
  EXPECT_THAT(Compare(was, {{"nx_new", {}}}, true),
              ElementsAre("nx_new: is new", "nx_in: is gone"));
}

TEST(GuardFigures, AChainOfCallsIsAsDeepAsAllOfItsFrames) {
  // 0 calls 10 and 20, 10 calls 30; a frame of nothing takes 32.
  const std::vector<std::uint32_t> starts{0, 10, 20, 30};
  EXPECT_EQ(DeepestChain(starts, {40, 0, 200, 70}, {{3, 10}, {5, 20}, {12, 30}}), 64U + 224U);
  EXPECT_EQ(DeepestChain(starts, {40, 0, 80, 170}, {{3, 10}, {5, 20}, {12, 30}}), 64U + 32U + 192U);
  EXPECT_EQ(DeepestChain({0}, {0}, {}), 32U);
}

}  // namespace
}  // namespace natrix::guard
