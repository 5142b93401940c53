// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "maps/abi/service.h"
#include "userspace/base/result.h"
#include "userspace/cli/pinned_maps.h"
#include "userspace/model/address.h"

namespace natrix::cli {

// Where a Service port is called.
struct CalledAddress {
  nx_service_kind kind = NX_SERVICE_CLUSTER_IP;
  model::Endpoint at;  // a NodePort at all addresses of the node: the unspecified one
  bool local = false;  // its policy
};

struct ServiceEndpoint {
  model::Endpoint at;
  bool listed = true;  // false: gone, and its flows are not
  bool here = false;   // the Local policy may choose it
  std::size_t flows = 0;
};

// One port of one Service in one family.
struct ServicePort {
  std::string name_space;
  std::string name;
  std::string port;  // its name; may be empty
  std::uint32_t number = 0;
  nx_l4 protocol = NX_L4_TCP;
  std::uint32_t affinity_seconds = 0;  // 0: none
  std::vector<CalledAddress> addresses;
  std::vector<ServiceEndpoint> endpoints;  // listed ones first, then by address

  std::size_t flows() const;
};

// What is in force, with the live flows that each endpoint has.  By namespace and name, then in the
// order of numbers.
Result<std::vector<ServicePort>> ReadServices(PinnedMaps& pins);

}  // namespace natrix::cli
