// SPDX-License-Identifier: Apache-2.0
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <linux/bpf.h>

#include <functional>

#include "maps/abi/subnet.h"
#include "maps/abi/way.h"
#include "tests/bpf/datapath.h"

// What XDP does in the driver with the answers of a masqueraded flow.
namespace natrix {
namespace {

using namespace support;

const Macs kMacs{"02:00:00:00:00:01", "02:00:00:00:00:02"};
constexpr std::uint32_t kUplink = 1;  // as which a test run comes in
constexpr std::uint32_t kOut = 77;
constexpr std::uint32_t kEpoch = 7;
constexpr std::uint32_t kLong = 100000;  // jiffies

struct XdpOutcome {
  std::uint32_t code = 0;
  Bytes frame;
};

class Xdp : public Datapath {
 protected:
  void SetUp() override {
    Datapath::SetUp();
    config.xdp.mode = model::XdpMode::kNative;
    host.devices[0].mac = {2, 0, 0, 0, 0, 2};
    Apply();
    SetEpoch({.number = kEpoch, .until = Jiffies() + kLong, .refresh = kLong, .enabled = 1});
  }

  void SetEpoch(const nx_epoch& epoch) {
    const std::uint32_t zero = 0;
    ASSERT_EQ(bpf_map_update_elem(bpf_map__fd(skel()->maps.nx_epoch), &zero, &epoch, BPF_ANY), 0);
  }
  // As tcx taught it.
  nx_way Learnt() const {
    return {.epoch = kEpoch,
            .learnt = Jiffies(),
            .out = kOut,
            .in = kUplink,
            .mark = 0,
            .priority = 0,
            .dst = {2, 0, 0, 0, 9, 2},
            .src = {2, 0, 0, 0, 9, 1},
            .mtu = 1500,
            .ways = NX_DEVICE_STRAIGHT | NX_DEVICE_XDP_OUT,
            .why = NX_DETOUR_LEARN};
  }
  nx_established Entry() const {
    nx_established entry{};
    const nx_tuple key = TupleOf(Frame());
    EXPECT_EQ(bpf_map_lookup_elem(bpf_map__fd(skel()->maps.nx_flow), &key, &entry), 0);
    return entry;
  }
  void Put(const nx_established& entry) {
    const nx_tuple key = TupleOf(Frame());
    ASSERT_EQ(bpf_map_update_elem(bpf_map__fd(skel()->maps.nx_flow), &key, &entry, BPF_EXIST), 0);
  }
  void Teach(const nx_way& way) {
    nx_established entry = Entry();
    entry.way = way;
    Put(entry);
  }
  // `answer_` is then the next packet from outside.
  void EstablishUdp() {
    const PacketSpec first = Udp(cast().pod, cast().web);
    answer_ = Answer(Run(Hook::kOut, first), first);
    answer_.payload = 40;                                       // no padding
    for (int i = 0; i < 2; ++i) Run(Hook::kUplinkIn, answer_);  // the second finds its subnets
    Teach(Learnt());
  }
  void EstablishTcp() {
    PacketSpec pod = Tcp(cast().pod, cast().web);
    answer_ = Answer(Run(Hook::kOut, pod), pod);
    Run(Hook::kUplinkIn, answer_);
    pod.tcp_flags = kAck;
    Run(Hook::kOut, pod);
    answer_.tcp_flags = kAck | kPsh;
    answer_.payload = 20;
    Run(Hook::kUplinkIn, answer_);
    Teach(Learnt());
  }
  Bytes Frame() const { return Build(answer_, kMacs).at(0); }

  XdpOutcome Drive(const Bytes& frame) const {
    XdpOutcome out;
    out.frame.resize(frame.size() + 64);
    LIBBPF_OPTS(bpf_test_run_opts, run, .data_in = frame.data(), .data_out = out.frame.data(),
                .data_size_in = static_cast<std::uint32_t>(frame.size()),
                .data_size_out = static_cast<std::uint32_t>(out.frame.size()));
    const InNetwork inside(ns());
    EXPECT_EQ(bpf_prog_test_run_opts(bpf_program__fd(skel()->progs.nx_uplink_xdp), &run), 0);
    out.frame.resize(run.data_size_out);
    out.code = run.retval;
    return out;
  }
  nx_count Counted(nx_reason reason) const {
    const std::uint32_t index = reason;
    std::vector<nx_count> copies(static_cast<std::size_t>(libbpf_num_possible_cpus()));
    EXPECT_EQ(bpf_map_lookup_elem(bpf_map__fd(skel()->maps.nx_count), &index, copies.data()), 0);
    nx_count sum{};
    for (const nx_count& copy : copies) {
      sum.packets += copy.packets;
      sum.bytes += copy.bytes;
    }
    return sum;
  }
  // tcx is to see it as it came.
  void ExpectPassed(const Bytes& frame, const char* what) const {
    const nx_count before = Counted(NX_R_XDP_SENT);
    const XdpOutcome out = Drive(frame);
    EXPECT_EQ(out.code, static_cast<std::uint32_t>(XDP_PASS)) << what;
    EXPECT_EQ(out.frame, frame) << what;
    EXPECT_EQ(Counted(NX_R_XDP_SENT).packets, before.packets) << what;
  }
  void ExpectSent(const char* what) const {
    EXPECT_EQ(Drive(Frame()).code, static_cast<std::uint32_t>(XDP_REDIRECT)) << what;
  }
  void ExpectTranslated(const XdpOutcome& out) const {
    const Layers l = *Dissect(out.frame);
    EXPECT_EQ(l.src, cast().web);
    EXPECT_EQ(l.dst, cast().pod);
    EXPECT_EQ(Word(out.frame, *l.sport_at), answer_.sport);
    EXPECT_EQ(Word(out.frame, *l.dport_at), 40000);
    EXPECT_EQ(out.frame.at(14 + (v6() ? 7 : 8)), 63);
    EXPECT_EQ(Bytes(out.frame.begin(), out.frame.begin() + 12),
              (Bytes{2, 0, 0, 0, 9, 2, 2, 0, 0, 0, 9, 1}));
    EXPECT_FALSE(VerifyChecksums(out.frame).AnyBad()) << Describe(out.frame);
    const Bytes sent = Frame();  // perhaps padded
    EXPECT_EQ(out.frame.size(), 14U + (v6() ? 40U + Word(sent, 18) : Word(sent, 16)));
  }

  PacketSpec answer_;
};
NATRIX_BOTH_FAMILIES(Xdp);

TEST_P(Xdp, SendsDatagramsWhereTheKernelSentEarlierOnes) {
  EstablishUdp();
  const nx_count before = Counted(NX_R_XDP_SENT);
  const XdpOutcome out = Drive(Frame());
  EXPECT_EQ(out.code, static_cast<std::uint32_t>(XDP_REDIRECT));
  ExpectTranslated(out);
  EXPECT_EQ(Counted(NX_R_XDP_SENT).packets - before.packets, 1U);
  EXPECT_EQ(Counted(NX_R_XDP_SENT).bytes - before.bytes, Frame().size());
}

TEST_P(Xdp, SendsSegmentsOfAnEstablishedConnection) {
  EstablishTcp();
  for (const int payload : {0, 1, 20, 1001}) {
    answer_.payload = static_cast<std::size_t>(payload);
    const XdpOutcome out = Drive(Frame());
    EXPECT_EQ(out.code, static_cast<std::uint32_t>(XDP_REDIRECT));
    ExpectTranslated(out);
  }
}

TEST_P(Xdp, SendsBackByTheSameDevice) {
  EstablishUdp();
  nx_way way = Learnt();
  way.out = kUplink;
  way.ways = NX_DEVICE_XDP_BACK;
  Teach(way);
  const XdpOutcome out = Drive(Frame());
  EXPECT_EQ(out.code, static_cast<std::uint32_t>(XDP_TX));
  ExpectTranslated(out);
  way.ways = NX_DEVICE_XDP_OUT;
  Teach(way);
  ExpectSent("no XDP_TX there");
  way.ways = NX_DEVICE_STRAIGHT;
  Teach(way);
  ExpectPassed(Frame(), "the driver may not");
  way = Learnt();
  way.ways = NX_DEVICE_XDP_BACK;
  Teach(way);
  ExpectPassed(Frame(), "out of another device");
}

TEST_P(Xdp, LeavesADatagramWithoutChecksumWithoutOne) {
  EstablishUdp();
  answer_.no_checksum = true;
  const XdpOutcome out = Drive(Frame());
  EXPECT_EQ(out.code, static_cast<std::uint32_t>(XDP_REDIRECT));
  EXPECT_EQ(Word(out.frame, 14 + (v6() ? 40 : 20) + 6), 0);  // tunnels have it so (RFC 6935)
}

TEST_P(Xdp, LeavesToTcxWhatTheWayIsNotGoodFor) {
  EstablishUdp();
  const struct {
    const char* what;
    std::function<void(nx_way&)> change;
  } cases[] = {
      {"nothing learnt", [](nx_way& w) { w.epoch = 0; }},
      {"routes changed", [](nx_way& w) { w.epoch = kEpoch - 1; }},
      {"known for long", [](nx_way& w) { w.learnt -= kLong + 1000; }},
      {"came by another device", [](nx_way& w) { w.in = kUplink + 1; }},
      {"came with a mark", [](nx_way& w) { w.mark = 1; }},
      {"no way", [](nx_way& w) { w.out = 0; }},
      {"a driver that does not transmit", [](nx_way& w) { w.ways = NX_DEVICE_STRAIGHT; }},
      {"too long", [this](nx_way& w) { w.mtu = static_cast<__u16>(Frame().size() - 14 - 1); }},
  };
  for (const auto& one : cases) {
    nx_way way = Learnt();
    one.change(way);
    Teach(way);
    ExpectPassed(Frame(), one.what);
  }
  nx_way way = Learnt();
  way.mtu = static_cast<__u16>(Frame().size() - 14);
  Teach(way);
  ExpectSent("just as long as allowed");
}

TEST_P(Xdp, LeavesEverythingToTcxWithoutALeaseOrAnEpoch) {
  EstablishUdp();
  const std::uint32_t now = Jiffies();
  SetEpoch({.number = kEpoch, .until = now - 1, .refresh = kLong, .enabled = 1});
  ExpectPassed(Frame(), "nobody watches the routes");
  SetEpoch({.number = kEpoch + 1, .until = now + kLong, .refresh = kLong, .enabled = 1});
  ExpectPassed(Frame(), "routes changed");
  SetEpoch({.number = kEpoch, .until = now + kLong, .refresh = kLong, .enabled = 0});
  ExpectPassed(Frame(), "fastPath: off");
  SetEpoch({.number = kEpoch, .until = now + kLong, .refresh = kLong, .enabled = 1});
  ExpectSent("as before");
}

TEST_P(Xdp, LeavesToTcxWhatChangesAConnection) {
  EstablishTcp();
  for (const int flags : {+kSyn, kSyn | kAck, kFin | kAck, +kRst, kRst | kAck}) {
    answer_.tcp_flags = static_cast<std::uint8_t>(flags);
    ExpectPassed(Frame(), "flags");
  }
  answer_.tcp_flags = kAck;
  ExpectSent("plain");
  nx_established entry = Entry();
  entry.flow.state = NX_STATE_TCP_FIN_WAIT;
  Put(entry);
  ExpectPassed(Frame(), "FIN_WAIT");
}

TEST_P(Xdp, LeavesToTcxPacketsThatAreNotPlain) {
  EstablishUdp();
  const PacketSpec plain = answer_;
  answer_.ttl = 1;
  ExpectPassed(Frame(), "its hop limit ends here");
  answer_ = plain;
  answer_.options = true;
  ExpectPassed(Frame(), "options");
  answer_ = plain;
  answer_.payload = 64;
  answer_.fragment = 32;
  for (const Bytes& fragment : Build(answer_, kMacs)) ExpectPassed(fragment, "fragment");
  answer_ = plain;
  ExpectPassed(Build(Echo(cast().web, cast().node), kMacs)[0], "echo");
  answer_.dport = static_cast<std::uint16_t>(plain.dport ^ 1);
  ExpectPassed(Frame(), "no flow");
  answer_ = plain;
  ExpectPassed(Build(answer_, {kMacs.src, "02:00:00:00:00:03"})[0], "another host's frame");
  ExpectSent("plain");
}

// The field of what a sender left to its device to sum up holds the pseudo header's sum.
TEST_P(Xdp, LeavesToTcxWhatIsNotSummedUpYet) {
  for (const bool tcp : {false, true}) {
    tcp ? EstablishTcp() : EstablishUdp();
    Bytes frame = Frame();
    const std::size_t l3 = 14, l4 = l3 + (v6() ? 40 : 20), at = l4 + (tcp ? 16 : 6);
    std::uint32_t sum = static_cast<std::uint32_t>(frame.size() - l4) + (tcp ? 6 : 17);
    for (std::size_t i = l3 + (v6() ? 8 : 12); i < l4; i += 2) sum += Word(frame, i);
    while (sum > 0xffff) sum = (sum & 0xffff) + (sum >> 16);
    frame[at] = static_cast<std::uint8_t>(sum >> 8);
    frame[at + 1] = static_cast<std::uint8_t>(sum);
    ExpectPassed(frame, tcp ? "tcp" : "udp");
    ExpectSent("summed up");
    Forget();
  }
}

TEST_P(Xdp, LeavesToTcxAFlowWhoseSubnetsAreToBeFoundAnew) {
  EstablishUdp();
  nx_established entry = Entry();
  entry.flow.subnets.generation += 2;
  Put(entry);
  ExpectPassed(Frame(), "another configuration");
}

TEST_P(Xdp, LeavesToTcxWhatMayNotGoToItsDestination) {
  EstablishUdp();
  const model::Address own = model::Address::Parse(cast().node).value();
  config.docker = {.direct_access = false,
                   .bridges = {{.name = "br0",
                                .subnets = {model::Prefix::Of(own)},
                                .containers = {{.name = "web", .addresses = {own}, .ports = {}}}}}};
  Apply();
  nx_established entry = Entry();
  entry.flow.subnets.generation = 0;  // as of another configuration
  const std::uint32_t seen = entry.flow.seen = Jiffies() - 5;
  Put(entry);
  for (int i = 0; i < 2; ++i)
    EXPECT_THAT(Run(Hook::kUplinkIn, answer_), DroppedFor(NX_R_DIRECT_ACCESS));
  EXPECT_EQ(Entry().flow.seen, seen) << "what is dropped keeps no flow alive";
  ExpectPassed(Frame(), "guarded");
}

TEST_P(Xdp, LeavesAnExpiredFlowToTcx) {
  EstablishUdp();
  nx_established entry = Entry(), other{};
  const nx_tuple original = TupleOf(Build(Udp(cast().pod, cast().web), kMacs)[0]);
  const int map = bpf_map__fd(skel()->maps.nx_flow);
  ASSERT_EQ(bpf_map_lookup_elem(map, &original, &other), 0);
  entry.flow.seen = other.flow.seen = Jiffies() - 1000 * kHz;
  Put(entry);
  ASSERT_EQ(bpf_map_update_elem(map, &original, &other, BPF_EXIST), 0);
  ExpectPassed(Frame(), "expired");
}

TEST_P(Xdp, KeepsTheFlowAliveAndItsStateRight) {
  EstablishUdp();
  nx_established entry = Entry();
  const std::uint32_t now = Jiffies();
  entry.flow.state = NX_STATE_UDP;
  entry.flow.born = now - 3 * kHz;
  entry.flow.seen = now - 50;
  Put(entry);
  ExpectSent("udp");
  EXPECT_LT(Jiffies() - Entry().flow.seen, 50U);
  EXPECT_EQ(Entry().flow.state, NX_STATE_UDP_STREAM);
}

TEST_P(Xdp, CountsForTheSubnetsFromTheIpHeaderWithoutPadding) {
  EstablishUdp();
  const std::uint32_t at = (1U + static_cast<std::uint32_t>(GetParam())) * 2 + NX_INGRESS;
  const auto sum = [&] {
    std::vector<nx_gateway> copies(static_cast<std::size_t>(libbpf_num_possible_cpus()));
    EXPECT_EQ(bpf_map_lookup_elem(bpf_map__fd(skel()->maps.nx_gateway), &at, copies.data()), 0);
    nx_gateway all{};
    for (const nx_gateway& copy : copies) {
      all.packets += copy.packets;
      all.bytes += copy.bytes;
      all.wire_packets += copy.wire_packets;
      all.wire_bytes += copy.wire_bytes;
    }
    return all;
  };
  const nx_gateway before = sum();
  Bytes padded = Frame();
  padded.resize(padded.size() + 7);
  const XdpOutcome out = Drive(padded);
  EXPECT_EQ(out.code, static_cast<std::uint32_t>(XDP_REDIRECT));
  ExpectTranslated(out);  // without it, too
  const nx_gateway after = sum();
  EXPECT_EQ(after.packets - before.packets, 1U);
  EXPECT_EQ(after.bytes - before.bytes, Frame().size() - 14);
  EXPECT_EQ(after.wire_packets - before.wire_packets, 1U);
  EXPECT_EQ(after.wire_bytes - before.wire_bytes, Frame().size() - 14);
}

TEST_P(Xdp, DropsAndCountsWhatTheKernelWouldThrowAway) {
  EstablishUdp();
  const Bytes good = Frame();
  std::vector<std::pair<const char*, Bytes>> bad;
  const auto with = [&](const char* what, std::size_t at, std::uint8_t value) {
    Bytes frame = good;
    frame.at(at) = value;
    bad.emplace_back(what, frame);
  };
  with("version", 14, v6() ? 0x50 : 0x55);
  if (!v6()) with("header length", 14, 0x44);
  if (!v6()) with("shorter than its header", 17, 19);
  with("longer than the frame", v6() ? 19 : 17, 0xf0);
  bad.emplace_back("cut", Bytes(good.begin(), good.begin() + 14 + (v6() ? 39 : 19)));
  bad.emplace_back("cut in its payload", Bytes(good.begin(), good.end() - 1));
  for (const auto& [what, frame] : bad) {
    const nx_count before = Counted(NX_R_XDP_MALFORMED);
    EXPECT_EQ(Drive(frame).code, static_cast<std::uint32_t>(XDP_DROP)) << what;
    EXPECT_EQ(Counted(NX_R_XDP_MALFORMED).packets - before.packets, 1U) << what;
    Bytes others = frame;
    others[5] = 3;
    ExpectPassed(others, "another host's frame");
  }
}

TEST_P(Xdp, DoesNothingOnADeviceWithoutTheConfiguration) {
  EstablishUdp();
  config.xdp.mode = model::XdpMode::kOff;
  Apply();
  ExpectPassed(Frame(), "mode: off");
}

}  // namespace
}  // namespace natrix
