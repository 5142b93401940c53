// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <string_view>

namespace natrix::daemon {

// Tells systemd how we are, by sd_notify(3)'s protocol: one datagram to $NOTIFY_SOCKET.  Without
// one, and on any failure, says nothing: nobody would listen.
class Notifier {
 public:
  // Takes the socket's name from the environment.
  static Notifier FromEnvironment();

  void Ready(std::string_view status) const;
  // With the time, which Type=notify-reload asks for.
  void Reloading() const;
  void Status(std::string_view status) const;
  void Stopping() const;

 private:
  explicit Notifier(std::string path) : path_(std::move(path)) {}
  void Send(const std::string& message) const;

  std::string path_;  // empty: nobody listens; a leading @ is an abstract name
};

}  // namespace natrix::daemon
