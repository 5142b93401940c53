// SPDX-License-Identifier: Apache-2.0
#include "userspace/daemon/notify.h"

#include <fmt/format.h>
#include <sys/socket.h>
#include <sys/un.h>

#include <algorithm>
#include <cstddef>
#include <cstdlib>
#include <ctime>

#include "userspace/base/unique_fd.h"

namespace natrix::daemon {

Notifier Notifier::FromEnvironment() {
  const char* path = std::getenv("NOTIFY_SOCKET");
  return Notifier(path != nullptr ? path : "");
}

void Notifier::Ready(std::string_view status) const {
  Send(fmt::format("READY=1\nSTATUS={}\n", status));
}

void Notifier::Reloading() const {
  timespec now{};
  clock_gettime(CLOCK_MONOTONIC, &now);
  Send(fmt::format("RELOADING=1\nMONOTONIC_USEC={}\n", now.tv_sec * 1000000 + now.tv_nsec / 1000));
}

void Notifier::Status(std::string_view status) const { Send(fmt::format("STATUS={}\n", status)); }
void Notifier::Stopping() const { Send("STOPPING=1\n"); }

void Notifier::Send(const std::string& message) const {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (path_.empty() || path_.size() >= sizeof(address.sun_path)) return;
  std::ranges::copy(path_, address.sun_path);
  if (path_.front() == '@') address.sun_path[0] = '\0';
  const UniqueFd socket(::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0));
  if (!socket) return;
  const auto size = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + path_.size());
  (void)sendto(socket.get(), message.data(), message.size(), MSG_NOSIGNAL | MSG_DONTWAIT,
               reinterpret_cast<const sockaddr*>(&address), size);
}

}  // namespace natrix::daemon
