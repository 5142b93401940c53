// SPDX-License-Identifier: Apache-2.0
//
// People's own clients call Services: curl, dig, iperf3.  Each once in peace, and once while the
// Service's endpoints come, go and change places all the time; by pods and from outside, and by
// processes of the node itself.
#include <fmt/format.h>
#include <gmock/gmock.h>

#include <map>
#include <nlohmann/json.hpp>
#include <sstream>
#include <string>
#include <vector>

#include "tests/netns/traffic_node.h"
#include "tests/netns/traffic_sockets.h"
#include "tests/netns/traffic_web.h"
#include "tests/support/own_cgroup.h"

namespace natrix::netns {
namespace {

using support::Argv;
using support::Process;
using testing::AllOf;
using testing::HasSubstr;
using testing::Not;

constexpr int kConnections = 1000;
constexpr int kQuestions = 100;
constexpr int kRounds = 14;  // twice what Services() has
constexpr milliseconds kPatience(60000);

struct Case {
  Family family;
  bool changes;  // of the endpoints, all the time
};

class Clients : public testing::TestWithParam<Case> {
 protected:
  Clients() {
    node_.SetWords(Services(0));
    node_.Start();
  }

  const Cast& cast() const { return CastOf(GetParam().family); }
  std::string any() const { return GetParam().family == Family::kIpv4 ? "0.0.0.0" : "::"; }

  struct Ran {
    std::string output;
    int times = 0;
  };
  // Runs the client once, or until the endpoints have changed in every way while it ran.  Throws
  // when it does not end.
  Ran Run(const support::Namespace& from, const Argv& argv) {
    Ran ran;
    for (int round = 0; ran.times == 0 || (GetParam().changes && round < kRounds); ++ran.times) {
      Process client(&from, argv);
      const auto end = std::chrono::steady_clock::now() + Scaled(kPatience);
      while (GetParam().changes && client.IsRunning() && std::chrono::steady_clock::now() < end)
        node_.SetWords(Services(++round));
      const auto status = client.Wait(Scaled(kPatience));
      ran.output += client.Output();
      EXPECT_EQ(status, 0) << client.Output();
      if (status != 0) break;
    }
    return ran;
  }

  // How often each line is in a text.
  static std::map<std::string, int> Lines(const std::string& text) {
    std::map<std::string, int> lines;
    std::istringstream stream(text);
    for (std::string line; std::getline(stream, line);) ++lines[line];
    return lines;
  }

  // `web` and `dns` have endpoints that change from round to round; of `itself` and `speed`, whose
  // clients need the one that they have, others do.
  std::string Services(int round) const {
    const std::string second = Endpoint(cast().pod2), third = Endpoint(cast().pod3);
    const std::vector<std::vector<std::string>> rounds = {
        {second, third},  // as it begins
        {third},          // one is gone
        {second},         // one in place of the other
        {third, second},  // one came
        {second, Endpoint(cast().pod3, "ready: false, terminating: true")},  // one is leaving
        {Endpoint(cast().pod2, "ready: false, terminating: true")},          // the last is leaving
        {Endpoint(cast().pod2, "ready: false, serving: false"), third},      // one is not ready
    };
    const auto& now = rounds[static_cast<std::size_t>(round) % rounds.size()];
    std::string others;
    for (int i = 1; i <= round % 5; ++i)
      others += Endpoint(Nobody(GetParam().family, i), "ready: false, serving: false");
    std::string web;
    for (const std::string& endpoint : now) web += endpoint;
    const auto service = [&](const char* name, const std::string& address, const char* port,
                             const std::string& endpoints) {
      return fmt::format("- name: {}\n  clusterIPs: [\"{}\"]\n  ports: [{}]\n{}", name, address,
                         port, endpoints.empty() ? "" : "  endpoints:\n" + endpoints);
    };
    return "services:\n" +
           service("web", Called(1), "{port: 80, nodePort: 30080}", With(web, 8080)) +
           service("dns", Called(2), "{protocol: UDP, port: 53}", With(web, 5353)) +
           service("speed", Called(3), "{port: 5201}", With(second + others, 5201)) +
           service("itself", Called(4), "{port: 80}", With(others + third, 8080));
  }
  // The ClusterIP of the nth of them.
  std::string Called(int n) const {
    return GetParam().family == Family::kIpv4 ? fmt::format("10.96.0.{}", 100 + n)
                                              : fmt::format("fd00:10:96::10{}", n);
  }

  void CurlReaches(const support::Namespace& from, const Point& called);
  void DigHears(const support::Namespace& from);
  void IperfSpeaks(const support::Namespace& from);

  support::OwnCgroup cgroup_;
  TrafficNode node_;

 private:
  // Addresses of nobody, in the pods' subnet.
  static std::string Nobody(Family family, int n) {
    return family == Family::kIpv4 ? fmt::format("10.16.1.{}", n)
                                   : fmt::format("fd00:10:16::1:{}", n);
  }
  static std::string Endpoint(const std::string& address, const std::string& more = "") {
    return fmt::format("  - {{addresses: [\"{}\"], port: PORT{}{}}}\n", address,
                       more.empty() ? "" : ", ", more);
  }
  static std::string With(std::string endpoints, int port) {
    for (std::size_t at; (at = endpoints.find("PORT")) != std::string::npos;)
      endpoints.replace(at, 4, std::to_string(port));
    return endpoints;
  }
};
const auto kCases = testing::Values(Case{Family::kIpv4, false}, Case{Family::kIpv4, true},
                                    Case{Family::kIpv6, false}, Case{Family::kIpv6, true});
std::string Name(const testing::TestParamInfo<Case>& now) {
  return std::string(NameOf(now.param.family)) + (now.param.changes ? "Changing" : "");
}
INSTANTIATE_TEST_SUITE_P(Families, Clients, kCases, Name);

class ClientsOfTheNode : public Clients {};
INSTANTIATE_TEST_SUITE_P(Families, ClientsOfTheNode, kCases, Name);

void Clients::CurlReaches(const support::Namespace& from, const Point& called) {
  const WebServer second(node_.at(Place::kPod2), {any(), 8080}, "pod2");
  const WebServer third(node_.at(Place::kPod3), {any(), 8080}, "pod3");

  // A range of URLs, each by a connection of its own; brackets are the range's.
  const auto [answers, times] =
      Run(from, {"curl", "--silent", "--show-error", "--fail", "--max-time", "60", "--resolve",
                 fmt::format("web:{}:{}", called.port, called.address),
                 fmt::format("http://web:{}/[1-{}]", called.port, kConnections)});

  const auto lines = Lines(answers);
  ASSERT_EQ(lines.size(), 2U) << answers.substr(0, 500);
  EXPECT_EQ(lines.at("pod2") + lines.at("pod3"), times * kConnections);
}

TEST_P(Clients, CurlReachesANodePort) { CurlReaches(node_.outside(), {cast().node, 30080}); }
TEST_P(ClientsOfTheNode, CurlReachesAClusterIp) { CurlReaches(node_.node(), {Called(1), 80}); }
TEST_P(ClientsOfTheNode, CurlReachesANodePort) { CurlReaches(node_.node(), {cast().node, 30080}); }

void Clients::DigHears(const support::Namespace& from) {
  std::vector<Process> servers;
  for (const Place place : {Place::kPod2, Place::kPod3})
    servers.emplace_back(
        &node_.at(place),
        Argv{"dnsmasq", "--no-daemon", "--user=root", "--conf-file=/dev/null", "--no-resolv",
             "--no-hosts", "--port=5353", "--pid-file=",
             fmt::format("--address=/shop.test/{}",
                         NameOf(place) == std::string("pod2") ? "192.0.2.2" : "192.0.2.3")});
  for (Process& server : servers) server.WaitForLine("started", Scaled(milliseconds(10000)));

  Argv argv{"dig", "@" + Called(2), "+noall", "+answer", "+comments", "+time=1", "+tries=5"};
  for (int i = 0; i < kQuestions; ++i) argv.push_back(fmt::format("n{}.shop.test", i));
  const auto [answers, times] = Run(from, argv);

  int answered = 0;
  for (const auto& [line, count] : Lines(answers))
    if (line.find("192.0.2.") != std::string::npos) answered += count;
  EXPECT_EQ(answered, times * kQuestions) << answers;
  EXPECT_THAT(answers, Not(HasSubstr("unexpected source")));
}

TEST_P(Clients, DigHearsWhomItAsked) { DigHears(node_.pod()); }
TEST_P(ClientsOfTheNode, DigHearsWhomItAsked) { DigHears(node_.node()); }

void Clients::IperfSpeaks(const support::Namespace& from) {
  Process server(&node_.at(Place::kPod2), {"iperf3", "-s", "--forceflush"});
  server.WaitForLine("listening", Scaled(milliseconds(10000)));

  const auto [report, times] = Run(from, {"iperf3", "-c", Called(3), "-t", "2", "--bidir", "-J"});

  const auto json =
      nlohmann::json::parse(report.substr(0, report.find("\n}\n") + 3), nullptr, false);
  ASSERT_FALSE(json.is_discarded()) << report;
  ASSERT_FALSE(json.contains("error")) << report;
  EXPECT_GT(json.at("end").at("sum_received").at("bytes"), 100000) << report;
  EXPECT_GT(json.at("end").at("sum_received_bidir_reverse").at("bytes"), 100000) << report;
}

TEST_P(Clients, IperfSpeaksThroughAClusterIp) { IperfSpeaks(node_.pod()); }
TEST_P(ClientsOfTheNode, IperfSpeaksThroughAClusterIp) { IperfSpeaks(node_.node()); }

TEST_P(Clients, APodReachesItselfThroughItsService) {
  const WebServer itself(node_.at(Place::kPod3), {any(), 8080}, "pod3");

  const auto [answers, times] =
      Run(node_.at(Place::kPod3),
          {"curl", "--silent", "--show-error", "--fail", "--max-time", "60", "--resolve",
           "itself:80:" + Called(4), fmt::format("http://itself/[1-{}]", kConnections)});

  EXPECT_EQ(Lines(answers), (std::map<std::string, int>{{"pod3", times * kConnections}}));
}

}  // namespace
}  // namespace natrix::netns
