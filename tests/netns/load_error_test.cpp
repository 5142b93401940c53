// SPDX-License-Identifier: Apache-2.0
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "loader/object.h"
#include "refused.skel.h"

namespace natrix::loader {
namespace {

using testing::HasSubstr;

TEST(LoadError, NamesTheProgramShowsTheLogAndSaysWhatToDo) {
  refused_bpf* skeleton = refused_bpf__open();
  ASSERT_NE(skeleton, nullptr);

  const auto loaded = LoadObject(skeleton->obj);

  ASSERT_FALSE(loaded);
  const std::string text = loaded.error().ToString();
  EXPECT_THAT(text, HasSubstr("load program reads_too_far: "));
  EXPECT_THAT(text, HasSubstr("invalid access to packet"));
  EXPECT_THAT(text, HasSubstr("= help: "));
  refused_bpf__destroy(skeleton);
}

}  // namespace
}  // namespace natrix::loader
