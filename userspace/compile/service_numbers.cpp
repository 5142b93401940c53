// SPDX-License-Identifier: Apache-2.0
#include "userspace/compile/service_numbers.h"

#include <arpa/inet.h>

#include <algorithm>
#include <utility>

namespace natrix::compile {

std::uint32_t ServiceNumbers::Had(const ServicePart* old, const model::Service& service,
                                  const model::PortOfService& port, model::Family family) {
  std::uint32_t number = 0;
  if (old != nullptr) {
    for (std::size_t i = 0; i < old->service->ports.size() && number == 0; ++i)
      if (old->service->ports[i].name == port.name &&
          old->service->ports[i].protocol == port.protocol)
        number = old->numbers[i][static_cast<std::size_t>(family)];
  } else if (previous_.runs.empty()) {
    // Read from the maps, or nothing at all.  Beside parts, `rest` is NodePorts of theirs.
    number = InMaps(service, port, family);
  }
  if (number == 0 || given_[number]) return 0;
  given_[number] = true;
  return number;
}

std::uint32_t ServiceNumbers::Next() {
  if (taken_.empty()) Collect(true);
  if (!Seek()) {
    Collect(false);
    next_ = 1;
    Seek();  // finds one: config/ lets no more Service ports pass than there are numbers
  }
  given_[next_] = true;
  return next_;
}

bool ServiceNumbers::Seek() {
  while (next_ < NX_MAX_SERVICE_PORTS && (taken_[next_] || given_[next_])) ++next_;
  return next_ < NX_MAX_SERVICE_PORTS;
}

std::uint32_t ServiceNumbers::InMaps(const model::Service& service,
                                     const model::PortOfService& port, model::Family family) {
  constexpr auto kKey = &std::pair<nx_service_key, nx_service>::first;
  if (in_maps_.empty()) {
    in_maps_ = previous_.rest->service;
    std::ranges::sort(in_maps_, ByBytes{}, kKey);
  }
  const nx_service_key key{.addr = model::FirstOf(service.cluster_ips, family)->bytes,
                           .port = htons(port.port),
                           .proto = port.protocol,
                           .pad = 0};
  const auto found = std::ranges::lower_bound(in_maps_, key, ByBytes{}, kKey);
  if (found == in_maps_.end() || ByBytes{}(key, found->first)) return 0;
  return found->second.number < NX_MAX_SERVICE_PORTS ? found->second.number : 0;
}

void ServiceNumbers::Collect(bool with_previous) {
  taken_.assign(NX_MAX_SERVICE_PORTS, false);
  taken_[0] = true;
  const auto take = [&](const ServicePart& part) {
    for (const auto& numbers : part.numbers)
      for (const std::uint32_t number : numbers) taken_[number] = true;
  };
  for (const Draft::Stretch& stretch : draft_.stretches)
    if (stretch.run)
      for (const PartPointer& part : stretch.run->parts) take(*part);
  for (const Draft::Place& place : draft_.places)
    if (place.part) take(*place.part);
  if (!with_previous) return;
  for (const PartPointer& part : previous_.parts()) take(*part);
  for (const auto& [key, value] : previous_.rest->service)
    if (value.number < taken_.size()) taken_[value.number] = true;
}

}  // namespace natrix::compile
