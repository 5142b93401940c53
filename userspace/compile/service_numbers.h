// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <vector>

#include "userspace/compile/service_runs.h"
#include "userspace/compile/services.h"

namespace natrix::compile {

// Gives out numbers of Service ports that nobody has, nor had in the configuration before as long
// as there are others: clients with affinity would be another Service port's.
class ServiceNumbers {
 public:
  // What `draft` has before anything is made keeps its numbers.  Both must outlive this.
  ServiceNumbers(const Services& previous, const Draft& draft)
      : previous_(previous), draft_(draft) {}

  // What the Service's port had, of which `old` was made; 0: nothing.  Read from the maps, it is
  // known by its ClusterIP.  All that had one are asked for before the first new one is.
  std::uint32_t Had(const ServicePart* old, const model::Service& service,
                    const model::PortOfService& port, model::Family family);
  std::uint32_t Next();

 private:
  bool Seek();
  std::uint32_t InMaps(const model::Service& service, const model::PortOfService& port,
                       model::Family family);
  void Collect(bool with_previous);

  const Services& previous_;
  const Draft& draft_;
  Pairs<nx_service_key, nx_service> in_maps_;  // sorted; empty until it is asked for
  std::vector<bool> given_ = std::vector<bool>(NX_MAX_SERVICE_PORTS + 1);
  std::vector<bool> taken_;  // empty until a new number is asked for
  std::uint32_t next_ = 1;
};

}  // namespace natrix::compile
