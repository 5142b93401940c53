// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <ranges>
#include <string>
#include <utility>
#include <vector>

#include "maps/abi/config.h"
#include "maps/abi/service.h"
#include "userspace/compile/table.h"
#include "userspace/model/config.h"
#include "userspace/model/host.h"

namespace natrix::compile {

template <typename K, typename V>
using Pairs = std::vector<std::pair<K, V>>;

// Entries of the four maps of Services, no key twice.
struct ServiceEntries {
  Pairs<nx_service_key, nx_service> service;
  Pairs<nx_backend_key, nx_backend_block> backend;
  Pairs<nx_table_key, nx_table> table;
  Pairs<nx_source_key, nx_source> source;
};

// What of the node and of kube-proxy decides about every Service.
struct ServiceNode {
  std::string name;
  std::string zone;
  std::vector<model::Address> addresses;
  std::vector<model::Prefix> node_port_addresses;
  std::uint32_t hz = 0;

  friend bool operator==(const ServiceNode&, const ServiceNode&) = default;
};

// What the maps hold for one Service.
struct ServicePart {
  model::Shared<model::Service> service;
  // Of its ports, IPv4's and IPv6's; 0: the Service is not of that family.
  std::vector<std::array<std::uint32_t, 2>> numbers;
  ServiceEntries entries;
  // Its NodePorts as they are at any address, whether or not `entries` has them.
  Pairs<nx_service_key, nx_service> node_ports;
  // Those that are called at some addresses and served at none: refused at any, unless a host port
  // is there.
  Pairs<nx_service_key, nx_service> unserved;
};

// Parts that follow on each other in the configuration.  Never changed once it is made: lists share
// the runs in which nothing changed, so that ten thousand parts are copied, compared and let go
// without a look at each, all of which would have to come from memory (ADR 9).
struct ServiceRun {
  std::vector<std::shared_ptr<const ServicePart>> parts;  // no nulls, not empty
  // What each is made of, kept alive by it: beside each other, for the same reason.
  std::vector<const model::Service*> made_of;
};

// What the maps hold for all of them.  Never changed once it is made: two configurations share the
// parts that are the same, which are found by their place, so that neither makes nor compares what
// stayed.
struct Services {
  struct Sizes {
    std::size_t service = 0;
    std::size_t backend = 0;
    std::size_t table = 0;
    std::size_t source = 0;

    friend bool operator==(const Sizes&, const Sizes&) = default;
  };

  ServiceNode node;
  std::vector<std::shared_ptr<const ServiceRun>> runs;  // in the configuration's order, no nulls
  // NodePorts at single addresses of the node, and unserved ones; or, read from the maps,
  // everything.
  std::shared_ptr<const ServiceEntries> rest = std::make_shared<const ServiceEntries>();

  // Made of the parts.
  Sizes in_parts;
  std::size_t at_any_address = 0;            // NodePorts that are
  std::size_t unserved = 0;                  // entries of that name in all of them
  std::vector<std::uint16_t> reserved_uses;  // by port, how many Services have it; or empty
  std::array<nx_port_word, NX_PORT_WORDS> reserved{};

  // Every part, in the configuration's order.
  auto parts() const {
    return runs | std::views::transform([](const auto& run) -> const auto& { return run->parts; }) |
           std::views::join;
  }
  Sizes entries() const {
    return {.service = in_parts.service + rest->service.size(),
            .backend = in_parts.backend + rest->backend.size(),
            .table = in_parts.table + rest->table.size(),
            .source = in_parts.source + rest->source.size()};
  }
  Table<nx_service_key, nx_service> AllServices() const;
  Table<nx_backend_key, nx_backend_block> AllBackends() const;
  Table<nx_table_key, nx_table> AllTables() const;
  Table<nx_source_key, nx_source> AllSources() const;
};

// Never null.  `previous` is what the maps hold: a Service port that was there keeps its number,
// which clients with affinity know it by, and a Service that did not change its part.
std::shared_ptr<const Services> MakeServices(const model::Config& config, std::uint32_t hz,
                                             const std::shared_ptr<const Services>& previous);

// The same with the NodePorts that `host` has at single addresses (nodePortAddresses).
std::shared_ptr<const Services> WithHost(std::shared_ptr<const Services> services,
                                         const model::Host& host);

struct ServiceEdits {
  Edits<nx_service_key, nx_service> service;
  Edits<nx_backend_key, nx_backend_block> backend;
  Edits<nx_table_key, nx_table> table;
  Edits<nx_source_key, nx_source> source;

  bool empty() const {
    return service.empty() && backend.empty() && table.empty() && source.empty();
  }
};
// Looks into the parts that the two do not share, only.
ServiceEdits Diff(const Services& live, const Services& wanted);

// Of every number, whose it is.
using ServiceNames = Table<std::uint32_t, nx_service_name>;
ServiceNames NamesOf(const Services& services);
// The same of the parts that the two do not share, only.
Edits<std::uint32_t, nx_service_name> DiffOfNames(const Services& live, const Services& wanted);

}  // namespace natrix::compile
