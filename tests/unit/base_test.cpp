// SPDX-License-Identifier: Apache-2.0
#include <fcntl.h>
#include <gmock/gmock.h>
#include <unistd.h>

#include <array>
#include <string_view>
#include <utility>

#include "userspace/base/file.h"
#include "userspace/base/result.h"
#include "userspace/base/suggest.h"
#include "userspace/base/unique_fd.h"

namespace natrix {
namespace {

bool IsOpen(int fd) { return ::fcntl(fd, F_GETFD) != -1; }
UniqueFd OpenNull() { return UniqueFd(::open("/dev/null", O_RDONLY | O_CLOEXEC)); }

TEST(Suggest, SwappedNeighboursAreOneMistake) {
  EXPECT_EQ(EditDistance("sunbets", "subnets"), 1u);
  EXPECT_EQ(EditDistance("", "abc"), 3u);
  EXPECT_EQ(EditDistance("CIDRs", "cidrs"), 0u);
}

TEST(Suggest, TheClosestWordIsMeant) {
  constexpr std::array<std::string_view, 3> kWords = {"subnets", "marks", "flows"};

  EXPECT_EQ(DidYouMean("subnt", kWords), "subnets");
  EXPECT_EQ(DidYouMean("mrks", kWords), "marks");
}

TEST(Suggest, NothingIsMeantByAStrangeWord) {
  constexpr std::array<std::string_view, 2> kWords = {"subnets", "marks"};

  EXPECT_EQ(DidYouMean("ingress", kWords), std::nullopt);
  EXPECT_EQ(DidYouMean("", kWords), std::nullopt);
  EXPECT_EQ(DidYouMean(std::string(100, 's'), kWords), std::nullopt);
}

TEST(ReadFile, StopsOneByteAfterTheLimit) {
  const auto text = ReadFile("/dev/zero", 20000);

  ASSERT_TRUE(text);
  EXPECT_EQ(text->size(), 20001u);
}

TEST(ReadFile, SaysWhichFileCannotBeOpened) {
  const auto text = ReadFile("/nonexistent/file", 10);

  ASSERT_FALSE(text);
  EXPECT_EQ(text.error().ToString(), "open /nonexistent/file: No such file or directory");
}

TEST(Error, GrowsAClausePerLayer) {
  const Error error = Error::FromErrno(-EACCES, "load nx_out").In("attach eth0");

  EXPECT_EQ(error.ToString(), "attach eth0: load nx_out: Permission denied");
  EXPECT_EQ(error.code(), std::errc::permission_denied);
}

TEST(UniqueFd, ClosesWhenItEnds) {
  int number = -1;
  {
    const UniqueFd fd = OpenNull();
    number = fd.get();
    ASSERT_TRUE(IsOpen(number));
  }
  EXPECT_FALSE(IsOpen(number));
}

TEST(UniqueFd, MovingOverClosesTheOldOneOnly) {
  UniqueFd to = OpenNull();
  UniqueFd from = OpenNull();
  const int old = to.get(), kept = from.get();

  to = std::move(from);

  EXPECT_EQ(to.get(), kept);
  EXPECT_TRUE(IsOpen(kept));
  EXPECT_FALSE(IsOpen(old));
}

TEST(UniqueFd, MovingToItselfKeepsIt) {
  UniqueFd fd = OpenNull();
  const int number = fd.get();
  UniqueFd& same = fd;

  fd = std::move(same);

  EXPECT_EQ(fd.get(), number);
  EXPECT_TRUE(IsOpen(number));
}

}  // namespace
}  // namespace natrix
