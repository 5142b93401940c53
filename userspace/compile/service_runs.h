// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <memory>
#include <vector>

#include "userspace/compile/services.h"
#include "userspace/model/service.h"
#include "userspace/model/shared.h"

namespace natrix::compile {

using PartPointer = std::shared_ptr<const ServicePart>;
using RunPointer = std::shared_ptr<const ServiceRun>;
using RunList = std::vector<RunPointer>;

// What a configuration has parts of, in order: its Services, then its host ports.  Borrows both.
class ServiceList {
 public:
  using List = std::vector<model::Shared<model::Service>>;

  ServiceList(const List& services, const List& host_ports)
      : services_(services), host_ports_(host_ports) {}

  std::size_t size() const { return services_.size() + host_ports_.size(); }
  const model::Shared<model::Service>& operator[](std::size_t i) const {
    return i < services_.size() ? services_[i] : host_ports_[i - services_.size()];
  }

 private:
  const List& services_;
  const List& host_ports_;
};

// A list in the making: runs of before that are all they should be, and between them places that
// are filled one by one.
struct Draft {
  struct Stretch {
    RunPointer run;        // null: the next `size` of `places`
    std::size_t size = 0;  // parts
  };
  struct Place {
    std::size_t service = 0;           // its index in the ServiceList
    PartPointer part;                  // null: it is to be made
    const ServicePart* had = nullptr;  // what was made of the Service of that name before
  };
  std::vector<Stretch> stretches;
  std::vector<Place> places;

  bool Is(const RunList& runs) const { return places.empty() && stretches.size() == runs.size(); }
  // Once every place has its part.
  RunList Runs() const;
};

// What of `before` is `wanted` already.  `reuse`: false when something else that decides about
// every Service changed, and what was there is of use for its numbers only.
Draft DraftOf(const RunList& before, const ServiceList& wanted, bool reuse);

// The parts that two lists do not share.
struct ChangedParts {
  std::vector<const ServicePart*> gone;
  std::vector<const ServicePart*> come;

  ChangedParts(const RunList& before, const RunList& after);
};

}  // namespace natrix::compile
