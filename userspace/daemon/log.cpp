// SPDX-License-Identifier: Apache-2.0
#include "userspace/daemon/log.h"

#include <bpf/libbpf.h>
#include <spdlog/pattern_formatter.h>
#include <spdlog/sinks/stdout_sinks.h>

#include <array>
#include <cstdarg>
#include <cstdio>
#include <string_view>

namespace natrix::daemon {
namespace {

// libbpf's print function takes no context; there is one libbpf in a process, so one of these.
spdlog::logger* libbpf_logger = nullptr;

int PrintLibbpf(libbpf_print_level level, const char* format, va_list arguments) {
  if (libbpf_logger == nullptr || level == LIBBPF_DEBUG) return 0;
  std::array<char, 1024> text{};
  const int length = std::vsnprintf(text.data(), text.size(), format, arguments);
  std::string_view line(text.data());
  while (line.ends_with('\n')) line.remove_suffix(1);
  libbpf_logger->debug("libbpf {}", line);
  return length;
}

}  // namespace

std::shared_ptr<spdlog::logger> MakeLogger(const std::string& level) {
  auto logger = std::make_shared<spdlog::logger>("natrixd",
                                                 std::make_shared<spdlog::sinks::stderr_sink_st>());
  logger->set_formatter(std::make_unique<spdlog::pattern_formatter>(
      "%Y-%m-%dT%H:%M:%S.%eZ %l %v", spdlog::pattern_time_type::utc));
  logger->set_level(spdlog::level::from_str(level));
  logger->flush_on(spdlog::level::trace);
  return logger;
}

void RouteLibbpf(spdlog::logger* logger) {
  libbpf_logger = logger;
  libbpf_set_print(PrintLibbpf);
}

}  // namespace natrix::daemon
