// SPDX-License-Identifier: Apache-2.0
#include "tests/oracle/calico_rules.h"

#include <fmt/core.h>

#include <cstdint>
#include <functional>
#include <string_view>

namespace natrix::oracle {
namespace {

using model::Calico;

std::string SetName(Family family, std::string_view id) {
  return fmt::format("cali{}0{}", family == Family::kIpv4 ? 4 : 6, id);
}

// Felix tells its rules by a hash of them, sixteen characters in a comment before everything else.
std::string Hash(const std::string& text) {
  static constexpr std::string_view kAlphabet =
      "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
  std::string hash;
  for (std::uint64_t bits = std::hash<std::string>{}(text); hash.size() < 16;
       bits = bits * 6364136223846793005U + 1442695040888963407U)
    hash += kAlphabet[bits >> 58];
  return hash;
}

class Rules {
 public:
  Rules(Table& nat, const Config& config, Family family)
      : nat_(nat), config_(config), family_(family) {}

  void AddStatic() {
    for (const char* chain : {"cali-PREROUTING", "cali-OUTPUT", "cali-POSTROUTING", "cali-fip-dnat",
                              "cali-fip-snat", "cali-nat-outgoing"})
      nat_.Chain(chain);
    for (const char* hook : {"PREROUTING", "OUTPUT", "POSTROUTING"})
      Add(hook, fmt::format("-j cali-{}", hook));
    Add("cali-PREROUTING", "-j cali-fip-dnat");
    AddMetadata();
    Add("cali-OUTPUT", "-j cali-fip-dnat");
    Add("cali-POSTROUTING", "-j cali-fip-snat");
    Add("cali-POSTROUTING", "-j cali-nat-outgoing");
  }

  // StaticNATPreroutingChains with OpenStackMetadataIP: not in OUTPUT, nor of IPv6.
  void AddMetadata() {
    if (family_ != Family::kIpv4 || !config_.calico || !config_.calico->metadata) return;
    Add("cali-PREROUTING", fmt::format("-p tcp --dport 80 -d 169.254.169.254/32 -j DNAT "
                                       "--to-destination {}",
                                       config_.calico->metadata->ToString()));
  }

  void AddFloatingIps() {
    for (const model::FloatingIp& fip : config_.floating_ips) {
      if (fip.external.family() != family_) continue;
      const std::string external = fip.external.ToString();
      const std::string internal = fip.internal.ToString();
      Add("cali-fip-dnat", fmt::format("-d {} -j DNAT --to-destination {}", external, internal));
      Add("cali-fip-snat",
          fmt::format("-s {0} -d {0} -j SNAT --to-source {1}", internal, external));
    }
  }

  // NATOutgoingChain; there are rules when some pool asks for them.
  void AddOutgoing(const Calico& calico) {
    bool active = false;
    for (const model::IpPool& pool : calico.pools)
      active |= pool.nat_outgoing && pool.cidr.family() == family_;
    if (!active) return;
    if (calico.port_range) {
      const std::string ports =
          fmt::format("{}-{}", calico.port_range->first, calico.port_range->last);
      for (const char* protocol : {"-p tcp ", "-p udp "}) {
        Add("cali-nat-outgoing", Match(calico, protocol) + Translate(calico, ports));
        Add("cali-nat-outgoing", Match(calico, protocol) + "-j RETURN");
      }
    }
    Add("cali-nat-outgoing", Match(calico, "") + Translate(calico, ""));
  }

  // StaticNATPostroutingChains
  void AddTunnels(const Calico& calico) {
    for (const std::string& tunnel : calico.tunnels) {
      const auto add = [&](const char* protocol, const std::string& ports) {
        Add("cali-POSTROUTING",
            fmt::format("-o {} {}-m addrtype ! --src-type LOCAL --limit-iface-out -m addrtype "
                        "--src-type LOCAL -j MASQUERADE{}{}",
                        tunnel, protocol, ports, fully()));
      };
      if (const auto port = calico.vxlan_port)
        add("-p udp ", *port <= 32768 ? fmt::format(" --to-ports {}-65535", *port + 1)
                                      : fmt::format(" --to-ports 1-{}", *port - 1));
      add("", "");
    }
  }

 private:
  void Add(const char* chain, const std::string& rule) {
    nat_.Add(chain, fmt::format("-m comment --comment \"cali:{}\" {}", Hash(chain + rule), rule));
  }

  std::string Match(const Calico& calico, const char* protocol) const {
    std::string match =
        fmt::format("-m set --match-set {} src -m set ! --match-set {} dst ",
                    SetName(family_, "masq-ipam-pools"), SetName(family_, "network-ip-pools"));
    if (calico.exclude_hosts)
      match += fmt::format("-m set ! --match-set {} dst ", SetName(family_, "all-hosts-net"));
    match += protocol;
    if (!calico.interface_filter.empty())
      match += fmt::format("--out-interface {} ", calico.interface_filter);
    return match;
  }

  // Felix itself has one address, of either family, for both.
  std::string Translate(const Calico& calico, const std::string& ports) const {
    const auto address = model::FirstOf(calico.nat_address, family_);
    if (!address)
      return "--jump MASQUERADE" + (ports.empty() ? "" : " --to-ports " + ports) + fully();
    const std::string text = address->ToString();
    if (ports.empty()) return fmt::format("--jump SNAT --to-source {}{}", text, fully());
    return fmt::format("--jump SNAT --to-source {}:{}{}",
                       family_ == Family::kIpv4 ? text : fmt::format("[{}]", text), ports, fully());
  }

  // Where iptables and the kernel have it, and no override says otherwise.
  std::string fully() const {
    return config_.masquerade.port_choice == NX_PORT_RANDOM ? " --random-fully" : "";
  }

  Table& nat_;
  const Config& config_;
  Family family_;
};

}  // namespace

void AddCalicoNat(Table& nat, const Config& config, Family family) {
  Rules rules(nat, config, family);
  rules.AddStatic();
  rules.AddFloatingIps();
  if (!config.calico) return;
  rules.AddOutgoing(*config.calico);
  rules.AddTunnels(*config.calico);
}

std::map<std::string, std::vector<std::string>> CalicoSets(const Calico& calico, Family family) {
  std::map<std::string, std::vector<std::string>> sets;
  for (const char* id : {"masq-ipam-pools", "network-ip-pools", "all-ipam-pools", "all-hosts-net"})
    sets[SetName(family, id)];
  for (const model::IpPool& pool : calico.pools) {
    if (pool.cidr.family() != family) continue;
    const std::string cidr = pool.cidr.ToString();
    sets[SetName(family, "all-ipam-pools")].push_back(cidr);
    if (pool.nat_outgoing) sets[SetName(family, "masq-ipam-pools")].push_back(cidr);
    if (!pool.load_balancer_only) sets[SetName(family, "network-ip-pools")].push_back(cidr);
  }
  if (!calico.exclude_hosts) return sets;
  for (const model::Address& host : calico.hosts)
    if (host.family() == family) sets[SetName(family, "all-hosts-net")].push_back(host.ToString());
  return sets;
}

}  // namespace natrix::oracle
