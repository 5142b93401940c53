// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <utility>
#include <vector>

#include "userspace/config/diagnostics.h"
#include "userspace/config/yaml.h"
#include "userspace/model/config.h"

namespace natrix::config {

// Where the values of a model::Config were written: same shape, same indexes.
struct Places {
  struct PolicyRule {
    Span rule;
    std::vector<Span> prefixes;  // the sources', then the destinations'
  };
  struct Subnet {
    Span name;
    std::vector<Span> cidrs;
    std::vector<Span> gateway_nodes;
    Span activate_gateway;
    std::vector<PolicyRule> policies;
  };
  struct FloatingIp {
    Span external;
    Span internal;
  };
  // A word that is left out has the place {0, 0}: its default is never the one to complain about.
  struct Marks {
    Span masquerade;
    Span local;
    Span policy_nat;
    Span policy_forward;
    Span host_port;
    Span drop;
    bool readable = true;  // false: one of them is not what was written, but a default
  };
  struct Ipvs {
    std::vector<Span> cluster_ips;
    // Of all sets of addresses with ports or of ports, with how many entries one stands for.
    std::vector<std::pair<Span, std::size_t>> members;
    std::vector<Span> loop_back;
    std::vector<Span> sources;  // KUBE-LOAD-BALANCER-SOURCE-CIDR and -SOURCE-IP
    Span firewall_by;
  };
  struct Tproxy {
    struct Probe {
      Span pod_ip;
      Span port;
    };
    std::vector<Span> on_ip;  // of what was written, not of what the node's addresses stand in for
    Span output_mark;
    Span prerouting_mark;
    Span table;
    std::vector<Probe> probes;
    bool readable = true;  // false: a mark is not what was written, but a default
  };
  struct KubeProxy {
    std::vector<Span> cluster_cidrs;
    Span device;
  };
  struct Service {
    struct Port {
      Span all;
      Span name;
      Span port;
      Span node_port;
    };
    Span name;
    std::vector<Span> cluster_ips;
    std::vector<Span> external_ips;
    std::vector<Span> load_balancer_ips;
    std::vector<Port> ports;
    Span local_policy;  // the first policy that is Local
    Span health_check;
  };
  // A container with host ports.
  struct Container {
    struct Mapping {
      Span host_ip;
      Span host_port;
    };
    Span name;
    std::vector<Span> addresses;
    std::vector<Mapping> mappings;
  };
  struct DockerBridge {
    Span name;
    std::vector<Span> subnets;
    std::vector<Container> containers;
  };
  struct Calico {
    struct Pool {
      Span name;
      Span cidr;
    };
    std::vector<Pool> pools;
    std::vector<Span> hosts;
    std::vector<Span> nat_address;
    Span interface_filter;
    std::vector<Span> tunnels;
    Span metadata;  // its address, else the word
  };
  std::vector<Span> addresses;
  std::vector<Span> pod_cidrs;
  std::vector<Span> uplinks;
  std::vector<Span> pod_devices;
  std::vector<Span> no_fast_path;
  std::vector<Span> xdp_devices;
  std::vector<Span> xdp_force;
  std::vector<Span> service_cidrs;
  std::vector<Span> other_nodes;
  std::vector<Subnet> subnets;
  std::vector<FloatingIp> floating_ips;
  Ipvs ipvs;
  Calico calico;
  Tproxy tproxy;
  KubeProxy kube_proxy;
  std::vector<Service> services;
  std::vector<Container> host_ports;
  std::vector<DockerBridge> docker;
  Marks marks;
};

struct Decoded {
  model::Config config;
  std::vector<model::Prefix> pod_cidrs;  // of the node; which of them count, kubeProxy says
  Places places;
};

// Reads every word by the table in keys.h.  What cannot be read is reported and left at its
// default, or out of its list, so that the rest can still be judged.  What is as it was in `before`
// (load.h) is shared with it.
Decoded Decode(const Node& root, const model::Config* before, Diagnostics& diagnostics);

}  // namespace natrix::config
