// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>

#include "tests/bpf/datapath.h"

// A Service "web" on a node without Kube-OVN: port 80, NodePort 30080, one endpoint, `pod`:8080.
namespace natrix {

inline constexpr std::uint32_t kMasquerade = 0x4000;

class Services : public Datapath {
 protected:
  void SetUp() override {
    Datapath::SetUp();
    if (IsSkipped() || HasFatalFailure()) return;
    config.subnets.clear();
    config.service_cidrs.clear();
    config.other_nodes.clear();
    config.floating_ips.clear();
    config.kube_proxy.detect = model::DetectLocal::kClusterCidr;
    config.kube_proxy.cluster_cidrs = {*model::Prefix::Parse("10.16.0.0/14"),
                                       *model::Prefix::Parse("fd00:10::/32")};
    model::Service& web = config.services.emplace_back().Edit();
    web.name = "web";
    web.name_space = "default";
    web.cluster_ips = {Ip(cast().service)};
    web.ports = {{.name = "http", .protocol = NX_L4_TCP, .port = 80, .node_port = 30080}};
    web.endpoints = {{Endpoint(cast().pod)}};
    Apply();
  }

  static model::Address Ip(const std::string& text) { return model::Address::Parse(text).value(); }
  model::ServiceEndpoint Endpoint(const char* pod, bool here = true) const {
    model::ServiceEndpoint endpoint;
    endpoint.addresses = {Ip(pod)};
    endpoint.port = 8080;
    endpoint.node_name = here ? config.node.name : "elsewhere";
    return endpoint;
  }
  model::Service& web() { return config.services.front().Edit(); }

  Outcome Call(const char* from, const char* to, std::uint16_t port, std::uint16_t sport = 40000) {
    support::PacketSpec spec = Tcp(from, to);
    spec.sport = sport;
    spec.dport = port;
    return Run(from == cast().pod || from == cast().other_pod ? Hook::kPodIn : Hook::kUplinkIn,
               spec);
  }
  testing::AssertionResult GoesToTheEndpoint(const Outcome& out, std::uint32_t mark) {
    if (out.dropped || out.reason != NX_R_SERVICE || out.dst() != cast().pod ||
        out.dport() != 8080 || out.mark != mark)
      return testing::AssertionFailure() << testing::PrintToString(out);
    return testing::AssertionSuccess();
  }
};

}  // namespace natrix
