// SPDX-License-Identifier: Apache-2.0
#include "tests/bpf/datapath.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <fmt/format.h>
#include <linux/pkt_cls.h>

#include "maps/abi/way.h"
#include "tests/support/network.h"
#include "userspace/compile/compile.h"

namespace natrix {

using support::Bytes;
using support::Layers;
using support::PacketSpec;

namespace {

// To the address of `lo`: a frame for this node.
const support::Macs kMacs{"02:00:00:00:00:01", "00:00:00:00:00:00"};

model::Prefix P(const char* text) { return *model::Prefix::Parse(text); }
model::Address A(const char* text) { return *model::Address::Parse(text); }

model::Config ExampleConfig() {
  model::Config config;
  config.node = {.name = "node1",
                 .addresses = {A("172.18.0.3"), A("fd00:172:18::3")},
                 .uplinks = {"eth0"},
                 .pod_devices = {"ovn0"}};
  config.subnets = {{.name = "ovn-default",
                     .cidrs = {P("10.16.0.0/16"), P("fd00:10:16::/112")},
                     .nat_outgoing = true},
                    {.name = "no-nat", .cidrs = {P("10.17.0.0/16"), P("fd00:10:17::/112")}},
                    {.name = "join", .cidrs = {P("100.64.0.0/16"), P("fd00:100:64::/112")}}};
  config.service_cidrs = {P("10.96.0.0/12"), P("fd00:10:96::/112")};
  config.other_nodes = {A("172.18.0.4"), A("fd00:172:18::4")};
  config.floating_ips = {{A("172.18.0.50"), A("10.16.0.10")},
                         {A("fd00:172:18::50"), A("fd00:10:16::10")}};
#define X(name, value, seconds, text) config.timeout_seconds[name] = seconds;
  NX_STATES(X)
#undef X
  return config;
}

model::Host ExampleHost(std::uint32_t hz) {
  model::Host host;
  host.hz = hz;
  host.devices = {{.ifindex = 1,
                   .name = "eth0",
                   .addresses = {{.address = A("172.18.0.3"), .length = 24},
                                 {.address = A("fd00:172:18::3"), .length = 64}}},
                  {.ifindex = 2,
                   .name = "ovn0",
                   .addresses = {{.address = A("100.64.0.2"), .length = 16},
                                 {.address = A("fd00:100:64::2"), .length = 112}}}};
  return host;
}

template <typename K, typename V>
void Fill(const bpf_map* map, const compile::Table<K, V>& table) {
  for (const auto& [key, value] : table)
    ASSERT_EQ(bpf_map_update_elem(bpf_map__fd(map), &key, &value, BPF_ANY), 0)
        << bpf_map__name(map);
}

void Clear(const bpf_map* map, std::size_t key_size) {
  std::vector<std::uint8_t> key(key_size);
  while (bpf_map_get_next_key(bpf_map__fd(map), nullptr, key.data()) == 0)
    bpf_map_delete_elem(bpf_map__fd(map), key.data());
}

std::vector<nx_count> ReadCounts(const bpf_map* map) {
  const auto cpus = static_cast<std::size_t>(libbpf_num_possible_cpus());
  std::vector<nx_count> per_cpu(cpus), sums(NX_R_COUNT);
  for (std::uint32_t reason = 0; reason < NX_R_COUNT; ++reason) {
    bpf_map_lookup_elem(bpf_map__fd(map), &reason, per_cpu.data());
    for (const nx_count& one : per_cpu) {
      sums[reason].packets += one.packets;
      sums[reason].bytes += one.bytes;
    }
  }
  return sums;
}

std::size_t CountKeys(const bpf_map* map) {
  nx_tuple key{}, next{};
  std::size_t count = 0;
  for (const void* at = nullptr; bpf_map_get_next_key(bpf_map__fd(map), at, &next) == 0; ++count) {
    key = next;
    at = &key;
  }
  return count;
}

std::optional<nx_flow> Find(const bpf_map* map, const nx_tuple& key) {
  nx_established entry{};  // of either table: the flow is its beginning
  if (bpf_map_lookup_elem(bpf_map__fd(map), &key, &entry) != 0) return std::nullopt;
  return entry.flow;
}

struct Destroy {
  void operator()(natrix_bpf* skeleton) const { natrix_bpf::destroy(skeleton); }
};

// Small tables, so that a test can fill them.
std::unique_ptr<natrix_bpf, Destroy> Load() {
  std::unique_ptr<natrix_bpf, Destroy> skeleton(natrix_bpf::open());
  if (!skeleton) return nullptr;
  bpf_map__set_max_entries(skeleton->maps.nx_flow, 256);
  bpf_map__set_max_entries(skeleton->maps.nx_embryo, 1024);
  bpf_map__set_max_entries(skeleton->maps.nx_clock, 256);
  skeleton->rodata->nx_clock_size = 256;
  return natrix_bpf::load(skeleton.get()) == 0 ? std::move(skeleton) : nullptr;
}

natrix_bpf* Loaded() {
  static const std::unique_ptr<natrix_bpf, Destroy> skeleton = Load();
  return skeleton.get();
}

}  // namespace

std::string FamilyName(const testing::TestParamInfo<int>& info) {
  return info.param == 0 ? "IPv4" : "IPv6";
}

Layers Outcome::layers() const {
  const auto found = support::Dissect(frame);
  EXPECT_TRUE(found) << "not an IP packet any more";
  return found.value_or(Layers{});
}
std::uint16_t Outcome::sport() const {
  const Layers l = layers();
  if (l.echo_id_at) return support::Word(frame, *l.echo_id_at);
  return l.sport_at ? support::Word(frame, *l.sport_at) : std::uint16_t{0};
}
std::uint16_t Outcome::dport() const {
  const Layers l = layers();
  if (l.echo_id_at) return support::Word(frame, *l.echo_id_at);
  return l.dport_at ? support::Word(frame, *l.dport_at) : std::uint16_t{0};
}

void Datapath::SetUp() {
  ns_ = std::make_unique<support::Namespace>("bpf-test");
  support::Ip(*ns_,
              "link set lo up\n"
              "addr add 172.18.0.3/24 dev lo\n"
              "addr add fd00:172:18::3/64 dev lo nodad");
  skeleton_ = Loaded();
  ASSERT_NE(skeleton_, nullptr) << "the datapath does not load";
  Forget();
  Clear(skeleton_->maps.nx_frag, sizeof(nx_frag_key));
  Clear(skeleton_->maps.nx_affinity, sizeof(nx_affinity_key));
  config = ExampleConfig();
  host = ExampleHost(kHz);
  Apply();
}

void Datapath::Forget() {
  Clear(skeleton_->maps.nx_flow, sizeof(nx_tuple));
  Clear(skeleton_->maps.nx_embryo, sizeof(nx_tuple));
}

void Datapath::Apply() {
  const compile::Wanted wanted = compile::Compile(config, host);
  auto& maps = skeleton_->maps;
  Clear(maps.nx_net_left, sizeof(nx_prefix));
  Clear(maps.nx_fip_left, sizeof(nx_fip_key));
  Clear(maps.nx_subnet_left, sizeof(std::uint32_t));
  Clear(maps.nx_policy_left, sizeof(nx_policy_key));
  Clear(maps.nx_ports_left, sizeof(nx_port_key));
  Clear(maps.nx_loop_left, sizeof(nx_loop_key));
  Clear(maps.nx_range_left, sizeof(nx_range_key));
  Clear(maps.nx_service_left, sizeof(nx_service_key));
  Clear(maps.nx_backend_left, sizeof(nx_backend_key));
  Clear(maps.nx_table_left, sizeof(nx_table_key));
  Clear(maps.nx_source_left, sizeof(nx_source_key));
  Clear(maps.nx_local, sizeof(nx_addr));
  Clear(maps.nx_device, sizeof(std::uint32_t));
  Fill(maps.nx_net_left, wanted.net);
  Fill(maps.nx_fip_left, wanted.fip);
  Fill(maps.nx_subnet_left, wanted.subnet.All());
  Fill(maps.nx_policy_left, wanted.policy.All());
  Fill(maps.nx_ports_left, wanted.ports);
  Fill(maps.nx_loop_left, wanted.loop);
  Fill(maps.nx_range_left, wanted.range);
  Fill(maps.nx_service_left, wanted.services->AllServices());
  Fill(maps.nx_backend_left, wanted.services->AllBackends());
  Fill(maps.nx_table_left, wanted.services->AllTables());
  Fill(maps.nx_source_left, wanted.services->AllSources());
  Clear(maps.nx_probe, sizeof(nx_probe_key));
  Fill(maps.nx_probe, wanted.probe);
  Fill(maps.nx_device, wanted.device);
  Fill(maps.nx_local, wanted.local);
  for (std::uint32_t word = 0; word < NX_PORT_WORDS; ++word)
    bpf_map_update_elem(bpf_map__fd(maps.nx_port), &word, &wanted.port[word], BPF_ANY);
  const std::uint32_t left = 0;
  const nx_generation generation{.number = 0};
  bpf_map_update_elem(bpf_map__fd(maps.nx_generation), &left, &generation, BPF_ANY);
  bpf_map_update_elem(bpf_map__fd(maps.nx_config), &left, &wanted.config, BPF_ANY);
}

Outcome Datapath::Run(Hook hook, const PacketSpec& spec, std::uint32_t mark) {
  return Run(hook, support::Build(spec, kMacs).at(0), mark);
}

Outcome Datapath::Run(Hook hook, const Bytes& frame, std::uint32_t mark) {
  const auto& progs = skeleton_->progs;
  const bpf_program* program = hook == Hook::kPodIn      ? progs.nx_pod_in
                               : hook == Hook::kUplinkIn ? progs.nx_uplink_in
                               : hook == Hook::kLoopback ? progs.nx_lo_in
                                                         : progs.nx_out;
  const auto before = ReadCounts(skeleton_->maps.nx_count);
  const bool sound = support::Dissect(frame) && !support::VerifyChecksums(frame).AnyBad();

  Outcome out;
  out.frame.resize(frame.size() + 64);
  __sk_buff context{};
  context.mark = mark;
  context.ingress_ifindex = ingress_ifindex;
  LIBBPF_OPTS(bpf_test_run_opts, run, .data_in = frame.data(), .data_out = out.frame.data(),
              .data_size_in = static_cast<std::uint32_t>(frame.size()),
              .data_size_out = static_cast<std::uint32_t>(out.frame.size()), .ctx_in = &context,
              .ctx_out = &context, .ctx_size_in = sizeof(context), .ctx_size_out = sizeof(context));
  {
    const support::InNetwork inside(*ns_);
    // The kernel (6.15 on) then checks that skb->csum still fits the bytes.
    run.flags = complete_checksums ? BPF_F_TEST_SKB_CHECKSUM_COMPLETE : 0;
    int err = bpf_prog_test_run_opts(bpf_program__fd(program), &run);
    if (err == -EINVAL) {
      run.flags = 0;
      context = {};
      context.mark = mark;
      context.ingress_ifindex = ingress_ifindex;
      run.data_size_out = static_cast<std::uint32_t>(frame.size() + 64);
      err = bpf_prog_test_run_opts(bpf_program__fd(program), &run);
    }
    EXPECT_EQ(err, 0) << "test run: " << strerror(-err) << " for " << support::Describe(frame);
  }
  out.frame.resize(run.data_size_out);
  out.dropped = run.retval == TC_ACT_SHOT;
  out.reflected = run.retval == TC_ACT_REDIRECT;
  out.mark = context.mark;
  const auto after = ReadCounts(skeleton_->maps.nx_count);
  for (std::uint32_t reason = 0; reason < NX_R_COUNT; ++reason)
    if (after[reason].packets != before[reason].packets) {
      out.reason = static_cast<nx_reason>(reason);
      // A reflected packet is counted as what it became.
      EXPECT_EQ(after[reason].bytes - before[reason].bytes,
                out.reflected ? out.frame.size() : frame.size());
    }
  if (out.dropped) {
    EXPECT_EQ(out.frame, frame) << "a dropped packet was written to";
  }
  if (sound) {
    EXPECT_FALSE(support::VerifyChecksums(out.frame).AnyBad())
        << support::Describe(frame) << "\nbecame " << support::Describe(out.frame);
  }
  return out;
}

PacketSpec Datapath::Answer(const Outcome& sent, const PacketSpec& spec) const {
  PacketSpec answer = spec;
  answer.src = sent.dst();
  answer.dst = sent.src();
  answer.sport = sent.dport();
  answer.dport = sent.sport();
  if (spec.protocol == support::kIcmp) {
    answer.echo_reply = true;
    answer.sport = sent.sport();
    answer.dport = spec.dport;
  }
  if (spec.protocol == support::kTcp && spec.tcp_flags == support::kSyn)
    answer.tcp_flags = support::kSyn | support::kAck;
  return answer;
}

PacketSpec Datapath::Tcp(const char* src, const char* dst, std::uint8_t flags) const {
  return {.src = src,
          .dst = dst,
          .protocol = support::kTcp,
          .sport = 40000,
          .dport = 80,
          .tcp_flags = flags};
}
PacketSpec Datapath::Udp(const char* src, const char* dst) const {
  return {.src = src,
          .dst = dst,
          .protocol = support::kUdp,
          .sport = 40000,
          .dport = 53,
          .payload = 13};
}
PacketSpec Datapath::Echo(const char* src, const char* dst) const {
  return {
      .src = src, .dst = dst, .protocol = support::kIcmp, .sport = 4711, .dport = 1, .payload = 24};
}

std::optional<nx_flow> Datapath::Embryo(const nx_tuple& key) const {
  return Find(skeleton_->maps.nx_embryo, key);
}
std::optional<nx_flow> Datapath::Established(const nx_tuple& key) const {
  return Find(skeleton_->maps.nx_flow, key);
}
std::size_t Datapath::CountEmbryos() const { return CountKeys(skeleton_->maps.nx_embryo); }
std::size_t Datapath::CountEstablished() const { return CountKeys(skeleton_->maps.nx_flow); }
void Datapath::SetEmbryo(const nx_tuple& key, const nx_flow& flow) {
  ASSERT_EQ(bpf_map__update_elem(skeleton_->maps.nx_embryo, &key, sizeof(key), &flow, sizeof(flow),
                                 BPF_ANY),
            0);
}
void Datapath::SetEstablished(const nx_tuple& key, const nx_flow& flow, const nx_way& way) {
  const nx_established entry{.flow = flow, .way = way};
  ASSERT_EQ(bpf_map__update_elem(skeleton_->maps.nx_flow, &key, sizeof(key), &entry, sizeof(entry),
                                 BPF_ANY),
            0);
}
void Datapath::EraseEmbryo(const nx_tuple& key) {
  ASSERT_EQ(bpf_map__delete_elem(skeleton_->maps.nx_embryo, &key, sizeof(key), 0), 0);
}

nx_tuple Datapath::TupleOf(const Bytes& frame) const {
  const Layers l = *support::Dissect(frame);
  nx_tuple tuple{};
  tuple.src = A(l.src.c_str()).bytes;
  tuple.dst = A(l.dst.c_str()).bytes;
  tuple.proto = static_cast<nx_l4>(l.protocol);
  if (l.sport_at) {
    tuple.sport = htobe16(support::Word(frame, *l.sport_at));
    tuple.dport = htobe16(support::Word(frame, *l.dport_at));
  } else if (l.echo_id_at) {
    const std::uint8_t type = frame[l.l4];
    const bool answer = type == 0 || type == 129;
    const auto id = htobe16(support::Word(frame, *l.echo_id_at));
    const auto query = htobe16(static_cast<std::uint16_t>((l.v6 ? 128 : 8) << 8));
    tuple.sport = answer ? query : id;
    tuple.dport = answer ? id : query;
  }
  return tuple;
}

std::uint32_t Datapath::Jiffies() const {
  const Bytes frame(64);
  LIBBPF_OPTS(bpf_test_run_opts, run, .data_in = frame.data(),
              .data_size_in = static_cast<std::uint32_t>(frame.size()));
  EXPECT_EQ(bpf_prog_test_run_opts(bpf_program__fd(skeleton_->progs.nx_jiffies), &run), 0);
  return run.retval;
}

}  // namespace natrix
