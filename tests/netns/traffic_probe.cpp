// SPDX-License-Identifier: Apache-2.0
#include "tests/netns/traffic_probe.h"

#include <fmt/core.h>
#include <poll.h>
#include <sys/socket.h>

#include <thread>

#include "tests/support/network.h"
#include "tests/support/setup_error.h"

namespace natrix::netns {
namespace {

std::string PodOf(Family family) { return family == Family::kIpv4 ? "10.241.39.2" : "fd00:241::2"; }

}  // namespace

ProbeTest::ProbeTest(const TrafficNode::Options& options) : node_(options) {
  for (const Family family : kFamilies)
    support::Ip(node_.outside(), fmt::format("route add local {} dev lo\n", PodOf(family)));
  node_.SetWords(kProbeWords);
}

std::string ProbeTest::pod() const { return PodOf(GetParam()); }

UniqueFd ProbeTest::StartProxy(std::uint16_t port) const {
  return ListenTransparent(node_.node(), {node_address(), port});
}

UniqueFd ProbeTest::ListenOutside(std::uint16_t port) const {
  return Listen(node_.outside(), {pod(), port});
}

std::string ProbeTest::Output(const support::Argv& argv) const {
  return support::TryCommand(&node_.node(), argv).output;
}

std::string ProbeTest::Ip(const support::Argv& words) const {
  support::Argv argv = {"ip", GetParam() == Family::kIpv4 ? "-4" : "-6"};
  argv.insert(argv.end(), words.begin(), words.end());
  return Output(argv);
}

bool ProbeTest::Shows(const support::Argv& words, const std::string& text) const {
  for (int i = 0; i < 100; ++i) {
    if (Ip(words).find(text) != std::string::npos) return true;
    std::this_thread::sleep_for(Scaled(milliseconds(20)));
  }
  return false;
}

std::string ProbeTest::Traces() const {
  const std::string links = Output({"ls", "/sys/fs/bpf/natrix/links"});
  std::string found;
  for (const char* name : {"cgroup-connect4", "cgroup-connect6", "lo-1-"})
    if (links.find(name) != std::string::npos) found += std::string(name) + "\n";
  for (const char* family : {"-4", "-6"})
    found += Output({"bash", "-c", fmt::format("ip {} rule | grep -E '^282[0-9]{{2}}:'", family)}) +
             Output({"ip", family, "route", "show", "table", "10001"});
  return found + Output({"bash", "-c", "bpftool net show dev lo | grep nx_"}) +
         Output({"bash", "-c", "tc qdisc show dev lo | grep clsact"});
}

Conversation Probe(const support::Namespace& node, int proxy, const Point& from, const Point& to) {
  Conversation conversation{.prober = Connect(node, from, to), .accepted = {}};
  if (!Waits(proxy, Scaled(milliseconds(2000))))
    throw support::SetupError("the proxy was not given the connection to " + ToString(to));
  conversation.accepted = Accept(proxy);
  return conversation;
}

testing::AssertionResult Speak(const Conversation& conversation) {
  const int one = conversation.prober.get(), other = conversation.accepted.get();
  Bytes sent(100000);
  for (std::size_t i = 0; i < sent.size(); ++i)
    sent[i] = static_cast<std::uint8_t>(i * 7 + i / 251);
  for (const auto& [from, to] : {std::pair{one, other}, std::pair{other, one}}) {
    Bytes got(sent.size());
    bool wrote = false;
    std::thread writer([&, fd = from] { wrote = WriteAll(fd, sent); });
    const bool read = ReadAll(to, got);
    writer.join();
    if (!wrote || !read || got != sent) return testing::AssertionFailure() << "data does not pass";
  }
  return testing::AssertionSuccess();
}

std::uint32_t MarkOf(int fd) {
  std::uint32_t mark = 0;
  socklen_t size = sizeof(mark);
  if (::getsockopt(fd, SOL_SOCKET, SO_MARK, &mark, &size) != 0) support::ThrowErrno("SO_MARK");
  return mark;
}

}  // namespace natrix::netns
