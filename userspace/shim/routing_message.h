// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <libmnl/libmnl.h>

#include <array>
#include <cstdint>
#include <optional>

#include "userspace/shim/routing.h"

// Rules and routes as rtnetlink messages, and back.
namespace natrix::shim {

// A message in the making, with room for all of ours.
class Message {
 public:
  nlmsghdr* get() { return reinterpret_cast<nlmsghdr*>(bytes_.data()); }
  const nlmsghdr& header() const { return *reinterpret_cast<const nlmsghdr*>(bytes_.data()); }

 private:
  alignas(nlmsghdr) std::array<char, 256> bytes_{};
};

// RTM_NEWRULE and RTM_NEWROUTE, or their opposites.
Message AddRule(const Rule& rule);
Message RemoveRule(const Rule& rule);
Message AddRoute(const Route& route);
Message RemoveRoute(const Route& route);

// What a dump or a notification tells of; nullopt for what is not one of ours, in every detail of
// how we write them.
std::optional<Rule> ParseRule(const nlmsghdr& message);
std::optional<Route> ParseRoute(const nlmsghdr& message);

}  // namespace natrix::shim
