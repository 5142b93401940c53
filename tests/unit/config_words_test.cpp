// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>
#include <gmock/gmock.h>

#include <string>
#include <vector>

#include "tests/unit/words_calico.h"
#include "tests/unit/words_services.h"
#include "userspace/config/duration.h"
#include "userspace/config/keys.h"
#include "userspace/config/load.h"

namespace natrix::config {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

constexpr const char* kNode = "node: {uplinks: [eth0], podDevices: [ovn0]}\n";

model::Config Load(const std::string& text) {
  const Loaded loaded = LoadText("t.yaml", text);
  EXPECT_TRUE(loaded) << text << loaded.Render();
  return loaded.config.value_or(model::Config{});
}
model::Config LoadWithNode(const std::string& rest) { return Load(kNode + rest); }

template <typename T>
std::vector<std::string> Texts(const std::vector<T>& values) {
  std::vector<std::string> texts;
  for (const T& value : values) texts.push_back(value.ToString());
  return texts;
}

std::string ShowGateway(const model::Subnet& subnet) {
  std::string out = fmt::format("{} {}", subnet.enable_ecmp, subnet.activate_gateway);
  for (const auto& [name, egress] : subnet.gateway_nodes)
    out += fmt::format(" {}:{}", name, egress ? egress->ToString() : "");
  for (const model::PolicyRule& rule : subnet.policies)
    out += fmt::format(" {}>{}:{} {}", rule.src_ips, rule.dst_ips, static_cast<int>(rule.action),
                       rule.sources.size() + rule.destinations.size());
  return out + ";";
}

std::string ShowIpvs(const model::Ipvs& ipvs) {
  std::string out;
  const auto show = [&](const model::ServicePort& port) {
    out += fmt::format("{},{}:{} ", port.address.ToString(), static_cast<int>(port.protocol),
                       port.port);
  };
  for (const auto* services :
       {&ipvs.cluster_ips, &ipvs.external_ips, &ipvs.local_external_ips, &ipvs.load_balancer_ips,
        &ipvs.local_load_balancer_ips, &ipvs.node_ports_sctp, &ipvs.local_ports_sctp,
        &ipvs.load_balancer_firewall}) {
    std::ranges::for_each(*services, show);
    out += "/";
  }
  for (const model::Address& ip : ipvs.ips) out += ip.ToString() + "/";
  for (const model::PortRange& ports : ipvs.health_check_ports)
    out += fmt::format("{}-{}/", ports.first, ports.last);
  for (const auto* loops : {&ipvs.loop_back, &ipvs.source_ips}) {
    for (const auto& [endpoint, source] : *loops) {
      show(endpoint);
      out += source.ToString() + "/";
    }
    out += "/";
  }
  for (const auto& [called, source] : ipvs.source_cidrs) {
    show(called);
    out += source.ToString() + "/";
  }
  out += fmt::format("{} ", static_cast<int>(ipvs.firewall_by));
  for (const auto* ports :
       {&ipvs.local_ports_tcp, &ipvs.local_ports_udp, &ipvs.node_ports_tcp, &ipvs.node_ports_udp}) {
    for (const auto& [first, last] : *ports) out += fmt::format("{}-{} ", first, last);
    out += "/";
  }
  return out;
}

// Everything of a Config, for comparing two.
std::string Show(const model::Config& c) {
  const auto lines = [](const std::vector<std::string>& list) {
    std::string out;
    for (const std::string& item : list) out += item + ",";
    return out;
  };
  std::string out = fmt::format("{}|{}|{}|{}|{}|{}|", c.node.name, lines(Texts(c.node.addresses)),
                                lines(c.node.uplinks), lines(c.node.pod_devices),
                                lines(Texts(c.service_cidrs)), lines(Texts(c.other_nodes)));
  out += fmt::format("{} {}|", lines(c.node.no_fast_path), static_cast<int>(c.fast_path));
  out += fmt::format("{} {} {}|", static_cast<int>(c.xdp.mode), lines(c.xdp.devices),
                     lines(c.xdp.force));
  for (const model::Subnet& s : c.subnets)
    out += fmt::format("{} {} {} {} {} {} {} {};", s.name, lines(Texts(s.cidrs)),
                       static_cast<int>(s.gateway_type), s.nat_outgoing, s.vpc, s.vlan,
                       s.logical_gateway, static_cast<int>(s.fast_path));
  for (const model::Subnet& s : c.subnets) out += ShowGateway(s);
  out += fmt::format("{} {}|", static_cast<int>(c.policy_order), static_cast<int>(c.orphan_drop));
  if (c.ipvs) out += ShowIpvs(*c.ipvs);
  if (c.metrics.listen) out += c.metrics.listen->ToString();
  for (const model::FloatingIp& f : c.floating_ips)
    out += fmt::format("{}={};", f.external.ToString(), f.internal.ToString());
  for (const model::Probe& p : c.tproxy.probes)
    out += fmt::format("{}:{};", p.pod_ip.ToString(), p.port);
  out += fmt::format("{}{} {:x} {:x} {}", lines(Texts(c.tproxy.on_ip)), c.tproxy.on_port,
                     c.tproxy.output_mark, c.tproxy.prerouting_mark, c.tproxy.table);
  out += fmt::format("|{:x} {:x} {:x} {:x} {:x}|{}", c.marks.masquerade, c.marks.local,
                     c.marks.policy_nat, c.marks.policy_forward, c.marks.drop,
                     static_cast<int>(c.masquerade.port_choice));
  for (const model::PortRange& r : c.masquerade.reserved_ports)
    out += fmt::format(" {}-{}", r.first, r.last);
  out += fmt::format("|{} {}|", c.flows.max_established, c.flows.max_embryos);
  for (const std::uint32_t seconds : c.timeout_seconds) out += fmt::format("{} ", seconds);
  if (c.calico) out += ShowCalico(*c.calico);
  return out + ShowServices(c) + ShowHostPorts(c);
}

TEST(ConfigWords, NodeIsRead) {
  const model::Config config = Load(
      "node:\n"
      "  name: node1\n"
      "  addresses: [172.18.0.3, \"fd00:172:18::3\"]\n"
      "  uplinks: [eth0, \"bond*\"]\n"
      "  podDevices:\n"
      "  - ovn0\n");

  EXPECT_EQ(config.node.name, "node1");
  EXPECT_THAT(Texts(config.node.addresses), ElementsAre("172.18.0.3", "fd00:172:18::3"));
  EXPECT_THAT(config.node.uplinks, ElementsAre("eth0", "bond*"));
  EXPECT_THAT(config.node.pod_devices, ElementsAre("ovn0"));
}

TEST(ConfigWords, SubnetIsReadWithAllItsWords) {
  const model::Config config = LoadWithNode(
      "subnets:\n"
      "- name: a\n"
      "  cidrs: [10.16.0.0/16, \"fd00:10:16::/112\"]\n"
      "  gatewayType: centralized\n"
      "  natOutgoing: true\n"
      "  vpc: vpc-1\n"
      "  vlan: vlan-100\n"
      "  logicalGateway: true\n");

  ASSERT_EQ(config.subnets.size(), 1u);
  const model::Subnet& subnet = config.subnets[0];
  EXPECT_EQ(subnet.name, "a");
  EXPECT_THAT(Texts(subnet.cidrs), ElementsAre("10.16.0.0/16", "fd00:10:16::/112"));
  EXPECT_EQ(subnet.gateway_type, model::GatewayType::kCentralized);
  EXPECT_TRUE(subnet.nat_outgoing);
  EXPECT_EQ(subnet.vpc, "vpc-1");
  EXPECT_EQ(subnet.vlan, "vlan-100");
  EXPECT_TRUE(subnet.logical_gateway);
}

TEST(ConfigWords, CidrBlockIsKubeOvnsWayOfWritingCidrs) {
  const model::Config config =
      LoadWithNode("subnets: [{name: a, cidrBlock: \"10.16.0.0/16, fd00:10:16::/112\"}]\n");

  EXPECT_THAT(Texts(config.subnets.at(0).cidrs), ElementsAre("10.16.0.0/16", "fd00:10:16::/112"));
}

TEST(ConfigWords, ClusterAddressesAreRead) {
  const model::Config config = LoadWithNode(
      "serviceCIDRs: [10.96.0.0/12, \"fd00:10:96::/112\"]\n"
      "otherNodes: [172.18.0.4]\n"
      "floatingIPs:\n"
      "- {external: 172.18.0.50, internal: 10.16.0.10}\n"
      "- external: fd00:172:18::50\n"
      "  internal: fd00:10:16::10\n");

  EXPECT_THAT(Texts(config.service_cidrs), ElementsAre("10.96.0.0/12", "fd00:10:96::/112"));
  EXPECT_THAT(Texts(config.other_nodes), ElementsAre("172.18.0.4"));
  ASSERT_EQ(config.floating_ips.size(), 2u);
  EXPECT_EQ(config.floating_ips[1].external.ToString(), "fd00:172:18::50");
  EXPECT_EQ(config.floating_ips[1].internal.ToString(), "fd00:10:16::10");
}

TEST(ConfigWords, MarksAreDecimalOrHexadecimal) {
  const model::Config config =
      LoadWithNode("marks: {masquerade: 0x8000, local: 1048576, policyNat: \"0x200000\"}\n");

  EXPECT_EQ(config.marks.masquerade, 0x8000u);
  EXPECT_EQ(config.marks.local, 0x100000u);
  EXPECT_EQ(config.marks.policy_nat, 0x200000u);
  EXPECT_EQ(config.marks.policy_forward, 0x90002u);
}

TEST(ConfigWords, PortsAreSingleOrRanges) {
  const model::Config config = LoadWithNode(
      "masquerade: {randomFully: false, reservedPorts: [\"30000-32767\", 8080, 65535]}\n");

  EXPECT_EQ(config.masquerade.port_choice, NX_PORT_KEEP);
  ASSERT_EQ(config.masquerade.reserved_ports.size(), 3u);
  EXPECT_EQ(config.masquerade.reserved_ports[0].first, 30000);
  EXPECT_EQ(config.masquerade.reserved_ports[0].last, 32767);
  EXPECT_EQ(config.masquerade.reserved_ports[1].first, 8080);
  EXPECT_EQ(config.masquerade.reserved_ports[1].last, 8080);
}

TEST(ConfigWords, SizesAndTimeoutsAreRead) {
  const model::Config config = LoadWithNode(
      "flows: {maxEstablished: 1000, maxEmbryos: 500}\n"
      "timeouts: {tcpEstablished: 1d, udp: 1m30s, sctpEstablished: 90s}\n");

  EXPECT_EQ(config.flows.max_established, 1000u);
  EXPECT_EQ(config.flows.max_embryos, 500u);
  EXPECT_EQ(config.timeout_seconds[NX_STATE_TCP_ESTABLISHED], 86400u);
  EXPECT_EQ(config.timeout_seconds[NX_STATE_UDP], 90u);
  EXPECT_EQ(config.timeout_seconds[NX_STATE_SCTP_ESTABLISHED], 90u);
  EXPECT_EQ(config.timeout_seconds[NX_STATE_ICMP], 30u);
}

TEST(ConfigWords, JsonIsYaml) {
  const model::Config config =
      Load("{\"node\": {\"uplinks\": [\"eth0\"], \"podDevices\": [\"ovn0\"]}, \"subnets\": []}");

  EXPECT_THAT(config.node.uplinks, ElementsAre("eth0"));
}

TEST(ConfigWords, LineEndsAndByteOrderMarkOfWindowsAreFine) {
  const model::Config config =
      Load("\xef\xbb\xbfnode:\r\n  uplinks: [eth0]\r\n  podDevices: [ovn0]\r\n");

  EXPECT_THAT(config.node.pod_devices, ElementsAre("ovn0"));
}

TEST(ConfigWords, SubnetsOfDifferentVpcsMayOverlap) {
  const model::Config config = LoadWithNode(
      "subnets:\n"
      "- {name: a, cidrs: [10.16.0.0/16]}\n"
      "- {name: b, cidrs: [10.16.0.0/16], vpc: vpc-1}\n"
      "- {name: c, cidrs: [10.16.0.0/16], vlan: vlan-1}\n");

  EXPECT_EQ(config.subnets.size(), 3u);
}

TEST(ConfigWords, ServiceCidrsMayLieInEachOther) {
  const model::Config config = LoadWithNode("serviceCIDRs: [10.96.0.0/12, 10.96.3.0/24]\n");

  EXPECT_EQ(config.service_cidrs.size(), 2u);
}

TEST(ConfigWords, TheExampleIsRight) {
  const Loaded loaded = LoadFile(NATRIX_SOURCE_DIR "/docs/examples/kube-ovn.yaml");

  ASSERT_TRUE(loaded) << loaded.Render();
  EXPECT_EQ(loaded.config->node.name, "node1");
  EXPECT_EQ(loaded.config->subnets.size(), 3u);
  EXPECT_TRUE(loaded.config->subnets[0].nat_outgoing);
  EXPECT_FALSE(loaded.config->subnets[1].nat_outgoing);
  EXPECT_THAT(loaded.diagnostics, IsEmpty());
}

TEST(ConfigWords, TheExampleOfServicesIsRight) {
  const Loaded loaded = LoadFile(NATRIX_SOURCE_DIR "/docs/examples/services.yaml");

  ASSERT_TRUE(loaded) << loaded.Render();
  ASSERT_EQ(loaded.config->services.size(), 2u);
  EXPECT_EQ(loaded.config->services[0]->endpoints[0].size(), 2u);
  EXPECT_EQ(loaded.config->services[1]->ports.size(), 2u);
  EXPECT_THAT(loaded.diagnostics, IsEmpty());
}

// One word of the table at a time.
class EveryWord : public testing::TestWithParam<Key> {
 protected:
  // The same for a word of `tproxy`, or of one of its probes.
  static std::string WithTproxy(const Key& key, const std::string& word) {
    const std::string onto = "tproxy: {onIP: [172.18.0.9], probes: [{";
    const std::string pod = key.name() == "podIP" && !word.empty() ? word : "podIP: 10.0.0.1";
    const std::string port = key.name() == "port" && !word.empty() ? word : "port: 79";
    if (key.parent() == "tproxy.probes[]") return kNode + onto + pod + ", " + port + "}]}\n";
    if (key.name() == "onIP") return kNode + fmt::format("tproxy: {{probes: [], {}}}\n", word);
    if (key.name() == "probes")
      return kNode + fmt::format("tproxy: {{onIP: [172.18.0.9], {}}}\n",
                                 word.empty() ? "probes: []" : word);
    return kNode + onto + fmt::format("{}, {}}}], {}}}\n", pod, port, word);
  }
  // A whole configuration in which the word has this value; "" leaves it out.
  static std::string With(const Key& key, const std::string& value) {
    if (IsServiceWord(key)) return WithServiceWord(key, value);
    if (IsCalicoWord(key)) return WithCalicoWord(key, value);
    const std::string word = value.empty() ? "" : fmt::format("{}: {}", key.name(), value);
    const std::string parent(key.parent());
    if (parent == "node") {
      std::string node = "node: {" + word;
      for (const char* other : {"uplinks: [eth9]", "podDevices: [ovn9]"})
        if (!std::string(other).starts_with(std::string(key.name()) + ":") || word.empty())
          node += (node.ends_with('{') ? "" : ", ") + std::string(other);
      return node + "}\n";
    }
    if (parent.empty()) return kNode + word + "\n";
    if (parent == "subnets[]") {
      const bool cidrs = key.name() == "cidrs" || key.name() == "cidrBlock";
      const std::string rest = key.name() == "name"     ? "cidrs: [10.99.0.0/16]"
                               : cidrs && !word.empty() ? "name: zz"
                                                        : "name: zz, cidrs: [10.99.0.0/16]";
      if (key.name() == "name" && word.empty())
        return kNode + ("subnets: [{name: zz, " + rest + "}]\n");
      return kNode + ("subnets: [{" + word + (word.empty() ? "" : ", ") + rest + "}]\n");
    }
    if (parent.starts_with("subnets[].natOutgoingPolicyRules[]")) return kNode + Rule(key, word);
    if (parent == "floatingIPs[]") {
      const bool external = key.name() == "external";
      const std::string mine = word.empty() ? fmt::format("{}: 10.0.0.1", key.name()) : word;
      return kNode + fmt::format("floatingIPs: [{{{}, {}: 10.0.0.2}}]\n", mine,
                                 external ? "internal" : "external");
    }
    if (parent.starts_with("tproxy")) return WithTproxy(key, word);
    std::string text = kNode + fmt::format("{}: {{{}}}\n", parent, word);
    if (parent == "ipvs") text += "marks: {drop: 0x8000}\n";
    return text;
  }

  // A subnet with one rule in which a word is `word`.
  static std::string Rule(const Key& key, const std::string& word) {
    const bool action = key.name() == "action";
    return fmt::format(
        "subnets: [{{name: zz, cidrs: [10.99.0.0/16], "
        "natOutgoingPolicyRules: [{{match: {{{}}}, {}}}]}}]\n",
        action ? "" : word, action && !word.empty() ? word : "action: nat");
  }
};

TEST_P(EveryWord, ChangesTheConfiguration) {
  const Key& key = GetParam();
  ASSERT_FALSE(key.example.empty()) << key.path << " has no example";

  EXPECT_NE(Show(Load(With(key, key.example))), Show(Load(With(key, ""))))
      << With(key, key.example);
}

TEST_P(EveryWord, HasTheDefaultThatTheTableSays) {
  const Key& key = GetParam();
  if (key.fallback.empty()) return;

  EXPECT_EQ(Show(Load(With(key, key.fallback))), Show(Load(With(key, ""))));
}

std::vector<Key> WordsWithValues() {
  std::vector<Key> words;
  for (const Key& key : Keys())
    if (key.type != Type::kMap) words.push_back(key);
  return words;
}

std::string TestName(const testing::TestParamInfo<Key>& info) {
  std::string name;
  for (const char c : info.param.path)
    if (std::isalnum(static_cast<unsigned char>(c)) != 0) name += c;
  return name;
}

INSTANTIATE_TEST_SUITE_P(Table, EveryWord, testing::ValuesIn(WordsWithValues()), TestName);

TEST(ConfigTable, ParentsComeBeforeChildren) {
  for (const Key& key : Keys()) {
    std::string parent(key.parent());
    if (parent.ends_with("[]")) parent.resize(parent.size() - 2);
    if (parent.empty()) continue;
    ASSERT_NE(FindKey(parent), nullptr) << key.path;
    EXPECT_LT(FindKey(parent), &key) << key.path;
  }
}

TEST(ConfigTable, HasAWordForEveryState) {
  EXPECT_EQ(KeysUnder("timeouts").size(), static_cast<std::size_t>(NX_STATE_COUNT));
  EXPECT_EQ(TimeoutKey(NX_STATE_OTHER), "other");
  EXPECT_EQ(TimeoutKey(NX_STATE_TCP_SYN_SENT2), "tcpSynSent2");
}

TEST(Duration, IsReadInItsUnits) {
  EXPECT_EQ(ParseDuration("30s"), 30u);
  EXPECT_EQ(ParseDuration("2m"), 120u);
  EXPECT_EQ(ParseDuration("1h30m"), 5400u);
  EXPECT_EQ(ParseDuration("5d"), 432000u);
  EXPECT_EQ(ParseDuration("99999999999999999999d"), 0xffffffffu);
}

TEST(Duration, IsNothingElse) {
  for (const char* text : {"", "30", "s", "30 s", "30S", "1m1h", "1s1s", "-1s", "1.5h", "30ms"})
    EXPECT_EQ(ParseDuration(text), std::nullopt) << text;
}

TEST(Duration, IsWrittenAsItIsRead) {
  for (const std::uint32_t seconds : {1u, 59u, 60u, 90u, 3600u, 86399u, 432000u, 2073600u})
    EXPECT_EQ(ParseDuration(FormatDuration(seconds)), seconds);
  EXPECT_EQ(FormatDuration(432000), "5d");
}

}  // namespace
}  // namespace natrix::config
