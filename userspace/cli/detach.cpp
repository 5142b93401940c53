// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>

#include <chrono>
#include <filesystem>
#include <nlohmann/json.hpp>

#include "loader/teardown.h"
#include "userspace/cli/command.h"
#include "userspace/shim/routing_table.h"

namespace natrix::cli {
namespace {

using loader::PinRootLock;

// A natrixd that was told to stop may need a moment.
constexpr std::chrono::milliseconds kPatience(3000);

int Print(const Context& context, const loader::Removed& removed, std::size_t routing) {
  if (context.json)
    fmt::print("{}\n", nlohmann::ordered_json{{"links", removed.links},
                                              {"filters", removed.filters},
                                              {"maps", removed.maps},
                                              {"programs", removed.programs},
                                              {"routing", routing}}
                           .dump(2));
  else if (removed.any() || routing > 0)
    fmt::print("removed {} links, {} filters, {} programs, {} maps, {} rules and routes\n",
               removed.links, removed.filters, removed.programs, removed.maps, routing);
  else
    fmt::print("nothing to remove\n");
  return kOk;
}

}  // namespace

int Detach(const Context& context) {
  std::error_code ignored;
  std::optional<PinRootLock> lock;
  if (std::filesystem::exists(context.root.path(), ignored)) {
    auto acquired = PinRootLock::Acquire(context.root, kPatience);
    if (!acquired) return Report(acquired.error());
    if (!*acquired) {
      const auto pid = PinRootLock::HolderPid(context.root);
      return Report(
          Error::Plain(fmt::format("natrixd{} is running and would attach again: stop it first",
                                   pid ? fmt::format(" (pid {})", *pid) : "")));
    }
    lock = *std::move(acquired);
  }
  // Filters and rules may be there without any pin: a look is worth it in any case.
  auto removed = loader::RemoveAll(context.root);
  if (!removed) return Report(removed.error());
  // After the hooks that mark connections for it.
  const auto routing = shim::RemoveRouting();
  if (!routing) return Report(routing.error());
  return Print(context, *removed, *routing);
}

}  // namespace natrix::cli
