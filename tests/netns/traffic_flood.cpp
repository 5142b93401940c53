// SPDX-License-Identifier: Apache-2.0
#include "tests/netns/traffic_flood.h"

#include <fmt/core.h>
#include <gmock/gmock.h>
#include <linux/if_packet.h>
#include <sys/socket.h>

#include <cerrno>
#include <chrono>
#include <cstdio>
#include <vector>

#include "tests/netns/traffic_load.h"
#include "tests/netns/traffic_watch.h"
#include "tests/support/build.h"
#include "tests/support/checksum.h"
#include "tests/support/network.h"
#include "tests/support/setup_error.h"

namespace natrix::netns {

using support::Bytes;

namespace {

constexpr std::size_t kBatch = 64;
constexpr std::uint32_t kPorts = 60000;  // source ports 2000..61999 of each source

// A SYN of either family whose source address, source port and destination can be exchanged.
class Template {
 public:
  Template(const char* src, const char* dst)
      : frame_(support::Build({.src = src, .dst = dst, .protocol = support::kTcp, .dport = 80},
                              {oracle::MacOf(Place::kPod1), oracle::kPodDeviceMac})
                   .front()) {}

  const Bytes& Make(std::uint64_t number) {
    const auto host = static_cast<std::uint16_t>(0x4000 + number / kPorts);
    const bool v6 = frame_[12] == 0x86;
    const std::size_t ip = support::kEthernetLength;
    const std::size_t l4 = ip + (v6 ? 40 : 20);
    support::PutWord(frame_, ip + (v6 ? 22 : 14), host);
    frame_[ip + (v6 ? 39 : 19)] = static_cast<std::uint8_t>(number % 251);
    support::PutWord(frame_, l4, static_cast<std::uint16_t>(2000 + number % kPorts));
    support::PutLong(frame_, l4 + 4, static_cast<std::uint32_t>(number));
    support::Seal(frame_);
    return frame_;
  }

 private:
  Bytes frame_;
};

UniqueFd OpenSender(const TrafficNode& node) {
  const std::uint32_t index = support::IndexOf(node.pod(), oracle::kUplink);
  const support::InNetwork here(node.pod());
  UniqueFd fd(::socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, 0));
  if (!fd) support::ThrowErrno("packet socket");
  const int one = 1;
  ::setsockopt(fd.get(), SOL_PACKET, PACKET_QDISC_BYPASS, &one, sizeof(one));
  sockaddr_ll address{};
  address.sll_family = AF_PACKET;
  address.sll_ifindex = static_cast<int>(index);
  if (::bind(fd.get(), reinterpret_cast<const sockaddr*>(&address), sizeof(address)) != 0)
    support::ThrowErrno("bind the sender");
  return fd;
}

// Frames in memory that one system call sends.
class Batch {
 public:
  Batch() : frames_(kBatch), parts_(kBatch), messages_(kBatch) {}

  void Add(const Bytes& frame) { frames_[used_++] = frame; }
  bool IsFull() const { return used_ == kBatch; }
  std::size_t Send(int fd) {
    for (std::size_t i = 0; i < used_; ++i) {
      parts_[i] = {frames_[i].data(), frames_[i].size()};
      messages_[i].msg_hdr = {.msg_iov = &parts_[i], .msg_iovlen = 1};
    }
    std::size_t sent = 0;
    while (sent < used_) {
      const int done =
          ::sendmmsg(fd, messages_.data() + sent, static_cast<unsigned>(used_ - sent), 0);
      if (done < 0 && (errno == EINTR || errno == ENOBUFS || errno == EAGAIN)) continue;
      if (done < 0) support::ThrowErrno("send a flood");
      sent += static_cast<std::size_t>(done);
    }
    used_ = 0;
    return sent;
  }

 private:
  std::vector<Bytes> frames_;
  std::vector<iovec> parts_;
  std::vector<mmsghdr> messages_;
  std::size_t used_ = 0;
};

double SecondsSince(std::chrono::steady_clock::time_point start) {
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
}

// What the tables hold and cost.
struct Tables {
  std::uint64_t flows;
  std::uint64_t embryos;
  std::uint64_t flow_bytes;
  std::uint64_t embryo_bytes;
};
Tables TablesOf(const TrafficNode& node) {
  return {node.EntriesOf("nx_flow"), node.EntriesOf("nx_embryo"), node.MemoryOf("nx_flow"),
          node.MemoryOf("nx_embryo")};
}

// The node, those who talk through it, and who looks on.
class Siege {
 public:
  explicit Siege(const FloodPlan& plan)
      : plan_(plan),
        node_({.words = fmt::format("flows: {{maxEstablished: {}, maxEmbryos: {}}}\n",
                                    plan.max_established, plan.max_embryos)}),
        untranslated_(FrameCounter::OfPodSources(node_.outside(), oracle::kUplink)) {
    node_.Start();
    for (const Family family : kFamilies) {
      const Cast& cast = CastOf(family);
      const Path path{node_.pod(), cast.pod1, node_.outside(), cast.web};
      talks_.push_back(std::make_unique<TcpTalk>(path, 8000, plan.connections / 2));
      before_.push_back(talks_.back()->Sources());
      talks_.back()->Start();
    }
    tables_before_ = TablesOf(node_);
    masqueraded_before_ = node_.CountOf("MASQ_OUTGOING");
  }

  void Flood() {
    const auto start = std::chrono::steady_clock::now();
    const std::uint64_t rounds = talks_[0]->Rounds();
    const std::uint64_t sent = SynFlood(node_, plan_.syns, [&](std::uint64_t so_far) {
      if (!plan_.talkative) return;
      fmt::print("flood: {:>9} of {} SYNs, {:.0f} s, {} rounds of talk\n", so_far, plan_.syns,
                 SecondsSince(start), talks_[0]->Rounds() + talks_[1]->Rounds());
      std::fflush(stdout);
    });
    const double seconds = SecondsSince(start);
    EXPECT_EQ(sent, plan_.syns);
    EXPECT_GT(talks_[0]->Rounds(), rounds) << "nobody talked meanwhile";
    // Every one of them began a flow.
    EXPECT_GE(node_.CountOf("MASQ_OUTGOING") - masqueraded_before_, plan_.syns);
    if (plan_.talkative)
      fmt::print("flood: {} SYNs in {:.1f} s, {:.0f} a second\n", sent, seconds,
                 static_cast<double>(sent) / seconds);
  }

  void ExpectAllAlive() {
    // Whoever was renumbered or reset would be found out by one more round at the latest.
    for (std::size_t i = 0; i < talks_.size(); ++i) {
      const std::uint64_t rounds = talks_[i]->Rounds();
      const auto deadline = std::chrono::steady_clock::now() + Scaled(milliseconds(20000));
      while (talks_[i]->Rounds() < rounds + 2 && std::chrono::steady_clock::now() < deadline)
        std::this_thread::sleep_for(milliseconds(5));
      const Talk& talk = talks_[i]->Stop();
      EXPECT_THAT(talk.problems, testing::IsEmpty());
      EXPECT_GE(talk.rounds, rounds + 2);
      EXPECT_EQ(talks_[i]->Broken(), 0);
      EXPECT_EQ(talks_[i]->Sources(), before_[i]);
      for (const Point& source : before_[i]) EXPECT_EQ(source.address, CastOf(kFamilies[i]).node);
    }
    EXPECT_EQ(untranslated_.Count(), 0U) << untranslated_.Example();
    EXPECT_EQ(ChecksumErrors(node_.scene()), 0U);
  }

  void ExpectTablesWithinBounds() {
    const Tables now = TablesOf(node_);
    // A flow is two entries; the talkers' are all there.
    EXPECT_GE(now.flows, 2U * static_cast<unsigned>(plan_.connections));
    EXPECT_LE(now.flows, 2 * plan_.max_established);
    EXPECT_GT(now.embryos, 0U);
    EXPECT_LE(now.embryos, 2 * plan_.max_embryos);
    EXPECT_EQ(now.flow_bytes, tables_before_.flow_bytes);
    EXPECT_EQ(now.embryo_bytes, tables_before_.embryo_bytes);
    if (plan_.talkative)
      fmt::print(
          "flood: nx_flow {} of {} entries, {} bytes; nx_embryo {} of {} entries, {} bytes; "
          "both as many bytes as before; {} rounds of talk over {} connections, {} segments "
          "sent again\n",
          now.flows, 2 * plan_.max_established, now.flow_bytes, now.embryos, 2 * plan_.max_embryos,
          now.embryo_bytes, talks_[0]->Rounds() + talks_[1]->Rounds(), plan_.connections,
          talks_[0]->Retransmissions() + talks_[1]->Retransmissions());
  }

 private:
  FloodPlan plan_;
  TrafficNode node_;
  FrameCounter untranslated_;
  std::vector<std::unique_ptr<TcpTalk>> talks_;
  std::vector<std::vector<Point>> before_;
  Tables tables_before_{};
  std::uint64_t masqueraded_before_ = 0;
};

}  // namespace

std::uint64_t SynFlood(const TrafficNode& node, std::uint64_t count,
                       const std::function<void(std::uint64_t)>& progress) {
  // Addresses of networks set apart for tests (RFC 2544, RFC 3849).
  Template templates[] = {{"10.16.0.0", "198.18.0.0"}, {"fd00:10:16::", "2001:db8:2544::"}};
  const UniqueFd fd = OpenSender(node);
  Batch batch;
  std::uint64_t sent = 0;
  const std::uint64_t step = std::max<std::uint64_t>(count / 20, 1);
  std::uint64_t next = step;
  for (std::uint64_t i = 0; i < count; ++i) {
    batch.Add(templates[i % 2].Make(i / 2));
    if (!batch.IsFull() && i + 1 != count) continue;
    sent += batch.Send(fd.get());
    if (sent < next) continue;
    next += step;
    if (progress) progress(sent);
  }
  return sent;
}

void RunFlood(const FloodPlan& plan) {
  Siege siege(plan);
  siege.Flood();
  siege.ExpectAllAlive();
  siege.ExpectTablesWithinBounds();
}

}  // namespace natrix::netns
