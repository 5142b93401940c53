// SPDX-License-Identifier: Apache-2.0
#include "tests/netns/traffic_everyone.h"

#include <gmock/gmock.h>

namespace natrix::netns {

Path PathOf(const TrafficNode& node, Family family) {
  const Cast& cast = CastOf(family);
  return {node.pod(), cast.pod1, node.outside(), cast.web};
}

Everyone::Everyone(const TrafficNode& node, int flows)
    : node_(node), untranslated_(FrameCounter::OfPodSources(node.outside(), oracle::kUplink)) {
  for (const Family family : kFamilies) {
    const Cast& cast = CastOf(family);
    const Path path = PathOf(node, family);
    talkers_.push_back(
        {.family = family,
         .udp = std::make_unique<UdpTalk>(path, 5300, flows),
         .newcomers = std::make_unique<UdpTalk>(path, 5310, 1, UdpTalk::Sockets::kAnew),
         .tcp = std::make_unique<TcpTalk>(path, 8000, flows),
         .ping = std::make_unique<PingTalk>(node.pod(), cast.pod1, cast.web)});
    talkers_.back().tcp->Start();
  }
}

Everyone::~Everyone() = default;

void Everyone::ExpectUnharmed(std::uint64_t least_rounds) {
  for (const Talkers& talkers : talkers_) {
    const Cast& cast = CastOf(talkers.family);
    const auto judge = [&](const char* what, const Talk& talk) {
      EXPECT_THAT(talk.problems, testing::IsEmpty()) << what << " to " << cast.web;
      EXPECT_GE(talk.rounds, least_rounds) << what << " to " << cast.web;
      for (const std::string& source : talk.sources)
        EXPECT_TRUE(source.find(cast.node) != std::string::npos) << what << " came from " << source;
      rounds_ += talk.rounds;
    };
    judge("udp", talkers.udp->Stop());
    judge("new udp", talkers.newcomers->Stop());
    judge("tcp", talkers.tcp->Stop());
    judge("icmp", talkers.ping->Stop());
    EXPECT_EQ(talkers.tcp->Broken(), 0);
  }
  EXPECT_EQ(untranslated_.Count(), 0U) << untranslated_.Example();
  EXPECT_EQ(ChecksumErrors(node_.scene()), 0U);
}

std::uint64_t Everyone::Rounds() const { return rounds_; }

}  // namespace natrix::netns
