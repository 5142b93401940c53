// SPDX-License-Identifier: Apache-2.0
//
// Seed 002: the nat table of a node with Calico, kube-proxy in IPVS mode, CNI's portmap and Docker,
// loaded as iptables-save wrote it; packets for each of its rules go through it and through natrix
// with the configuration that stands for it.  For IPv6 the same rules with that family's names.
//
// No IPVS is there: what it would give another destination goes where it was sent, so that the
// marks are seen by what comes of them.  Of its rules natrix has not the one of tunl0, a device
// that it cannot manage, and what the node's own processes call is kube-proxy's (OUTPUT) here, too.
#include <gmock/gmock.h>

#include <set>
#include <sstream>

#include "tests/oracle/calico_fixture.h"
#include "tests/oracle/ipvs_fixture.h"
#include "tests/support/process.h"

namespace natrix::oracle {
namespace {

using model::Address;
using model::Prefix;

constexpr char kRules[] = R"(*nat
:PREROUTING ACCEPT [4:463]
:INPUT ACCEPT [0:0]
:OUTPUT ACCEPT [25:1810]
:POSTROUTING ACCEPT [25:1810]
:CNI-HOSTPORT-DNAT - [0:0]
:CNI-HOSTPORT-MASQ - [0:0]
:CNI-HOSTPORT-SETMARK - [0:0]
:DOCKER - [0:0]
:KUBE-FIREWALL - [0:0]
:KUBE-KUBELET-CANARY - [0:0]
:KUBE-LOAD-BALANCER - [0:0]
:KUBE-MARK-DROP - [0:0]
:KUBE-MARK-MASQ - [0:0]
:KUBE-NODE-PORT - [0:0]
:KUBE-POSTROUTING - [0:0]
:KUBE-SERVICES - [0:0]
:cali-OUTPUT - [0:0]
:cali-POSTROUTING - [0:0]
:cali-PREROUTING - [0:0]
:cali-fip-dnat - [0:0]
:cali-fip-snat - [0:0]
:cali-nat-outgoing - [0:0]
-A PREROUTING -m comment --comment "cali:6gwbT8clXdHdC1b1" -j cali-PREROUTING
-A PREROUTING -m comment --comment "kubernetes service portals" -j KUBE-SERVICES
-A PREROUTING -m addrtype --dst-type LOCAL -j CNI-HOSTPORT-DNAT
-A PREROUTING -m addrtype --dst-type LOCAL -j DOCKER
-A PREROUTING
-A PREROUTING
-A OUTPUT -m comment --comment "cali:tVnHkvAo15HuiPy0" -j cali-OUTPUT
-A OUTPUT -m comment --comment "kubernetes service portals" -j KUBE-SERVICES
-A OUTPUT -m addrtype --dst-type LOCAL -j CNI-HOSTPORT-DNAT
-A OUTPUT ! -d 127.0.0.0/8 -m addrtype --dst-type LOCAL -j DOCKER
-A POSTROUTING -m comment --comment "cali:O3lYWMrLQYEMJtB5" -j cali-POSTROUTING
-A POSTROUTING -s 172.17.0.0/16 ! -o docker0 -j MASQUERADE
-A POSTROUTING -m comment --comment "CNI portfwd requiring masquerade" -j CNI-HOSTPORT-MASQ
-A POSTROUTING -m comment --comment "kubernetes postrouting rules" -j KUBE-POSTROUTING
-A CNI-HOSTPORT-MASQ -m mark --mark 0x2000/0x2000 -j MASQUERADE
-A CNI-HOSTPORT-SETMARK -m comment --comment "CNI portfwd masquerade mark" -j MARK --set-xmark 0x2000/0x2000
-A DOCKER -i docker0 -j RETURN
-A KUBE-FIREWALL -j KUBE-MARK-DROP
-A KUBE-LOAD-BALANCER -j KUBE-MARK-MASQ
-A KUBE-MARK-MASQ -j MARK --set-xmark 0x4000/0x4000
-A KUBE-NODE-PORT -p tcp -m comment --comment "Kubernetes nodeport TCP port for masquerade purpose" -m set --match-set KUBE-NODE-PORT-TCP dst -j KUBE-MARK-MASQ
-A KUBE-POSTROUTING -m comment --comment "Kubernetes endpoints dst ip:port, source ip for solving hairpin purpose" -m set --match-set KUBE-LOOP-BACK dst,dst,src -j MASQUERADE
-A KUBE-POSTROUTING -m mark ! --mark 0x4000/0x4000 -j RETURN
-A KUBE-POSTROUTING -j MARK --set-xmark 0x4000/0x0
-A KUBE-POSTROUTING -m comment --comment "kubernetes service traffic requiring SNAT" -j MASQUERADE
-A KUBE-SERVICES -m comment --comment "Kubernetes service cluster ip + port for masquerade purpose" -m set --match-set KUBE-CLUSTER-IP dst,dst -j KUBE-MARK-MASQ
-A KUBE-SERVICES -m addrtype --dst-type LOCAL -j KUBE-NODE-PORT
-A KUBE-SERVICES -m set --match-set KUBE-CLUSTER-IP dst,dst -j ACCEPT
-A cali-OUTPUT -m comment --comment "cali:GBTAv2p5CwevEyJm" -j cali-fip-dnat
-A cali-POSTROUTING -m comment --comment "cali:Z-c7XtVd2Bq7s_hA" -j cali-fip-snat
-A cali-POSTROUTING -m comment --comment "cali:nYKhEzDlr11Jccal" -j cali-nat-outgoing
-A cali-POSTROUTING -o tunl0 -m comment --comment "cali:JHlpT-eSqR1TvyYm" -m addrtype ! --src-type LOCAL --limit-iface-out -m addrtype --src-type LOCAL -j MASQUERADE
-A cali-PREROUTING -m comment --comment "cali:r6XmIziWUJsdOK6Z" -j cali-fip-dnat
-A cali-nat-outgoing -m comment --comment "cali:Dw4T8UWPnCLxRJiI" -m set --match-set cali40masq-ipam-pools src -m set ! --match-set cali40all-ipam-pools dst -j MASQUERADE
COMMIT
)";

// The rules that no packet of this test can meet: chains that nothing leads to, a tunnel that is
// not there, and a container that calls a port of the node.
const std::set<std::string> kUnreached = {
    "-A CNI-HOSTPORT-SETMARK",
    "-A DOCKER -i docker0 -j RETURN",
    "-A KUBE-FIREWALL -j KUBE-MARK-DROP",
    "-A KUBE-LOAD-BALANCER -j KUBE-MARK-MASQ",
    "-A cali-POSTROUTING -o tunl0",
};

std::string Replaced(std::string text, const std::string& from, const std::string& to) {
  for (std::size_t at = 0; (at = text.find(from, at)) != text.npos; at += to.size())
    text.replace(at, from.size(), to);
  return text;
}

class Seed002 : public IpvsOracle {
 protected:
  Seed002() {
    config_.node.pod_devices.push_back("docker0");
    config_.calico = CalicoConfig(config_.node).calico;
    config_.kube_proxy = {};
    config_.kube_proxy.masquerade_all = true;
    config_.masquerade.port_choice = NX_PORT_KEEP;  // no --random-fully
    config_.docker.bridges = {
        {.name = "docker0",
         .subnets = {Prefix::Parse("172.17.0.0/16").value(), Prefix::Parse(kDocker6).value()},
         .containers = {}}};
    config_.host_ports = {Container()};  // or nobody would be masqueraded for the mark
    ipvs().cluster_ips = {At(cast().service, 80), At(cast().node_second, 443)};
    ipvs().node_ports_tcp = {{30080, 30080}};
    ipvs().loop_back = {{At(cast().pod3, 8080), Address::Parse(cast().pod3).value()}};
    Apply();
    LoadRules();
  }

  static constexpr char kDocker6[] = "fd00:172:17::/64";
  bool v4() const { return family() == Family::kIpv4; }
  const char* program() const { return v4() ? "iptables" : "ip6tables"; }

  std::string Rules() const {
    if (v4()) return kRules;
    std::string text = Replaced(kRules, "--match-set KUBE-", "--match-set KUBE-6-");
    text = Replaced(text, "cali40", "cali60");
    text = Replaced(text, "172.17.0.0/16", kDocker6);
    return Replaced(text, "127.0.0.0/8", "::1/128");
  }
  std::string Judge(const std::string& what) const {
    return std::string(program()) + (JudgeKind() == EngineKind::kNft ? "-nft" : "-legacy") + what;
  }
  void LoadRules() {
    support::RunCommand(&nodes_.left().scene.node(), {Judge("-restore")}, Rules());
  }
  std::vector<std::string> Lines(const std::string& text) const {
    std::vector<std::string> lines;
    std::istringstream all(text);
    for (std::string line; std::getline(all, line);)
      if (line.find("-A ") != line.npos) lines.push_back(line);
    return lines;
  }
  // Rules as iptables-save writes them, each with its counters: "[1:44] -A ...".
  std::vector<std::string> Counted() {
    return Lines(
        support::RunCommand(&nodes_.left().scene.node(), {Judge("-save"), "-t", "nat", "-c"}));
  }

  void CalicosPoolsAreMasqueraded();
  void DockersSubnetIsMasqueraded();
  void MarksAreMasqueraded();
  void APodReachesItself();
  void ClusterIpsAreMarked();
  void NodePortsAreMarked();
};
ORACLE_FAMILIES(Seed002);

void Seed002::CalicosPoolsAreMasqueraded() {
  exchange_.Send(Place::kPod1, Fresh(Udp(cast().pod1, cast().web)));
  EXPECT_TRUE(Arrives(exchange_, {Place::kOutside, cast().node, cast().web}));
  exchange_.Send(Place::kPod1, Fresh(Udp(cast().pod1, cast().pod3)));
  EXPECT_TRUE(Arrives(exchange_, {Place::kPod3, cast().pod1, cast().pod3}));
  exchange_.Send(Place::kPod3, Fresh(Udp(cast().pod3, cast().web)));
  EXPECT_TRUE(Arrives(exchange_, {Place::kOutside, cast().pod3, cast().web}));
}

void Seed002::DockersSubnetIsMasqueraded() {
  const std::string container = v4() ? "172.17.0.2" : "fd00:172:17::2";
  exchange_.Send(Place::kPod3, Fresh(Udp(container, cast().web)));
  EXPECT_TRUE(Arrives(exchange_, {Place::kOutside, cast().node, cast().web}));
}

// CNI-HOSTPORT-MASQ leaves its mark, KUBE-POSTROUTING takes its own away and no other.
void Seed002::MarksAreMasqueraded() {
  const std::string& second = cast().node_second;
  exchange_.SendFromNode(Fresh(Udp(second, cast().web)), 0x2000);
  EXPECT_TRUE(Arrives(exchange_, {Place::kOutside, cast().node, cast().web, false, 0x2000}));
  exchange_.SendFromNode(Fresh(Udp(second, cast().web)), 0x4100);
  EXPECT_TRUE(Arrives(exchange_, {Place::kOutside, cast().node, cast().web, false, 0x100}));
  exchange_.SendFromNode(Fresh(Udp(second, cast().web)), 0x100);
  EXPECT_TRUE(Arrives(exchange_, {Place::kOutside, second, cast().web, false, 0x100}));
}

void Seed002::APodReachesItself() {
  Converses(Place::kPod3, To(cast().pod3, cast().pod3, 8080),
            {Place::kPod3, cast().join, cast().pod3});
  exchange_.Send(Place::kPod3, To(cast().pod3, cast().pod3, 8081));
  EXPECT_TRUE(Arrives(exchange_, {Place::kPod3, cast().pod3, cast().pod3}));
  exchange_.Send(Place::kPod1, To(cast().pod1, cast().pod3, 8080));
  EXPECT_TRUE(Arrives(exchange_, {Place::kPod3, cast().pod1, cast().pod3}));
}

void Seed002::ClusterIpsAreMarked() {
  EXPECT_TRUE(Leaves(Place::kPod3, Call(cast().pod3, cast().service), true));
  EXPECT_TRUE(Leaves(Place::kOutside, Call(cast().client, cast().service), true));
  EXPECT_TRUE(Leaves(Place::kPod3, Call(cast().pod3, cast().service, 81), false));
  EXPECT_TRUE(Leaves(Place::kPod3, UdpCall(cast().pod3, cast().service), false));
  // cali-nat-outgoing comes first, and the mark stays.
  exchange_.Send(Place::kPod1, To(cast().pod1, cast().service, 80));
  EXPECT_TRUE(Arrives(exchange_, {Place::kOutside, cast().node, cast().service, false, 0x4000}));
}

// With the mark it is dropped, so that the mark is seen.
void Seed002::NodePortsAreMarked() {
  DropMarkedInput();
  IsTheNodes(Place::kOutside, To(cast().client, cast().node, 30081));
  IsTheNodes(Place::kOutside, Fresh(UdpCall(cast().client, cast().node, 30080)));
  exchange_.Send(Place::kOutside, To(cast().client, cast().node, 30080));
  EXPECT_TRUE(Vanishes(exchange_));
  exchange_.Send(Place::kOutside, To(cast().client, cast().node_second, 443));
  EXPECT_TRUE(Vanishes(exchange_)) << "the KUBE-CLUSTER-IP of an address that the node has";
  // What IPVS would do with it.
  Lead("tcp", {30080});
  EXPECT_TRUE(Enters(Call(cast().client, cast().node, 30080), true));
}

TEST_P(Seed002, IsLoadedAsItWasSaved) {
  const auto rules =
      Lines(support::RunCommand(&nodes_.left().scene.node(), {Judge("-save"), "-t", "nat"}));
  EXPECT_THAT(rules, testing::ContainerEq(Lines(Rules())));
}

TEST_P(Seed002, CalicoMasqueradesItsPools) { CalicosPoolsAreMasqueraded(); }
TEST_P(Seed002, DockerMasqueradesItsSubnet) { DockersSubnetIsMasqueraded(); }
TEST_P(Seed002, PostroutingMasqueradesByMark) { MarksAreMasqueraded(); }
TEST_P(Seed002, LoopBackMasqueradesAPodToItself) { APodReachesItself(); }
TEST_P(Seed002, ClusterIpMarks) { ClusterIpsAreMarked(); }
TEST_P(Seed002, NodePortTcpMarks) { NodePortsAreMarked(); }

// The packets of the others are about every rule that can be met.
TEST_P(Seed002, EveryRuleThatCanBeMetIsMet) {
  CalicosPoolsAreMasqueraded();
  DockersSubnetIsMasqueraded();
  MarksAreMasqueraded();
  APodReachesItself();
  ClusterIpsAreMarked();
  NodePortsAreMarked();
  // To itself, past OUTPUT's rules and by no device of natrix'.
  exchange_.SendFromNode(Fresh(Udp(cast().node, cast().node_second)));
  EXPECT_TRUE(Vanishes(exchange_));
  std::size_t met = 0;
  for (const std::string& line : Counted()) {
    const std::string rule = line.substr(line.find("-A "));
    const bool reachable = std::ranges::none_of(
        kUnreached, [&](const std::string& unreached) { return rule.starts_with(unreached); });
    EXPECT_EQ(!line.starts_with("[0:0]"), reachable) << line;
    met += reachable;
  }
  EXPECT_GE(met, 30U);
}

}  // namespace
}  // namespace natrix::oracle
