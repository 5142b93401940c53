// SPDX-License-Identifier: Apache-2.0
#include "tests/oracle/kube_proxy.h"

#include <fmt/core.h>

#include "tests/support/network.h"
#include "tests/support/process.h"

namespace natrix::oracle {
namespace {

// As pkg/proxy/iptables writes them, without the chains of each service and endpoint.
std::string TextOf(Family family, const std::vector<ServiceRule>& rules) {
  std::string text =
      ":KUBE-SERVICES - [0:0]\n:KUBE-MARK-MASQ - [0:0]\n"
      "-A PREROUTING -m comment --comment \"kubernetes service portals\" -j KUBE-SERVICES\n"
      "-A OUTPUT -m comment --comment \"kubernetes service portals\" -j KUBE-SERVICES\n"
      "-A KUBE-MARK-MASQ -j MARK --or-mark 0x4000\n";
  for (const ServiceRule& rule : rules) {
    for (const char* protocol : {"tcp", "udp"}) {
      const std::string match =
          fmt::format("-A KUBE-SERVICES -d {} -p {} --dport {}", rule.address, protocol, rule.port);
      if (rule.masquerade) text += match + " -j KUBE-MARK-MASQ\n";
      const bool v4 = family == Family::kIpv4;
      text += fmt::format("{} -j DNAT --to-destination {}{}{}:{}\n", match, v4 ? "" : "[",
                          rule.endpoint, v4 ? "" : "]", rule.endpoint_port);
    }
  }
  return text + "COMMIT\n";
}

}  // namespace

void LoadKubeProxy(TwoNodes& nodes, Family family, const std::vector<ServiceRule>& rules) {
  for (Side* side : {&nodes.left(), &nodes.right()}) {
    const bool nft = std::string(side->engine->name()) == "iptables-nft";
    // Beside natrix there is nothing else in the table.
    const bool alone = std::string(side->engine->name()) == "natrix";
    const char* program = family == Family::kIpv4 ? "iptables" : "ip6tables";
    const std::string restore = fmt::format("{}-{}-restore", program, nft ? "nft" : "legacy");
    support::RunCommand(
        &side->scene.node(), alone ? support::Argv{restore} : support::Argv{restore, "--noflush"},
        (alone ? "*nat\n:PREROUTING ACCEPT [0:0]\n:OUTPUT ACCEPT [0:0]\n" : "*nat\n") +
            TextOf(family, rules));
    support::Sysctl(side->scene.node(), "net/netfilter/nf_conntrack_tcp_be_liberal", "1");
  }
}

}  // namespace natrix::oracle
