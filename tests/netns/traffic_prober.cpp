// SPDX-License-Identifier: Apache-2.0
#include "tests/netns/traffic_prober.h"

#include <fmt/core.h>

#include <algorithm>
#include <iterator>
#include <utility>

namespace natrix::netns {
namespace {

constexpr milliseconds kPatience(5000);
constexpr std::chrono::microseconds kPause(500);
constexpr std::uint16_t kPorts = 10000;  // more than there are questions

Bytes ToBytes(const std::string& text) { return {text.begin(), text.end()}; }

}  // namespace

Answerer::Answerer(const support::Namespace& ns, const Point& local, std::string name)
    : socket_(OpenUdp(ns, local)),
      thread_([this, name = std::move(name)](const std::stop_token& stop) {
        while (!stop.stop_requested()) {
          const auto question = ReceiveFrom(socket_.get(), milliseconds(20));
          if (!question) continue;
          Bytes answer = ToBytes(name + " ");
          answer.insert(answer.end(), question->bytes.begin(), question->bytes.end());
          SendTo(socket_.get(), question->from, answer);
        }
      }) {}

void Serving::Become(const Names& names, const std::function<void()>& change) {
  {
    const std::lock_guard lock(mutex_);
    Epoch between{names, {}};
    const Names& old = epochs_.back().sure;
    between.possible.insert(old.begin(), old.end());
    std::ranges::set_intersection(old, names, std::inserter(between.sure, between.sure.end()));
    epochs_.push_back(std::move(between));
  }
  change();
  const std::lock_guard lock(mutex_);
  epochs_.push_back({names, names});
}

std::size_t Serving::Now() const {
  const std::lock_guard lock(mutex_);
  return epochs_.size() - 1;
}

bool Serving::Was(const std::string& name, std::size_t from, std::size_t to) const {
  const std::lock_guard lock(mutex_);
  for (std::size_t i = from; i <= to; ++i)
    if (epochs_[i].possible.contains(name)) return true;
  return false;
}

bool Serving::WasAlways(const std::string& name, std::size_t from, std::size_t to) const {
  const std::lock_guard lock(mutex_);
  for (std::size_t i = from; i <= to; ++i)
    if (!epochs_[i].sure.contains(name)) return false;
  return true;
}

Prober::Prober(const Probing& probing)
    : probing_(probing), thread_([this](const std::stop_token& stop) { Run(stop); }) {}

void Prober::Stop() {
  thread_.request_stop();
  thread_.join();
}

void Prober::Run(const std::stop_token& stop) {
  UniqueFd socket;
  for (std::uint64_t number = 0; !stop.stop_requested(); ++number) {
    if (probing_.first_port != 0)
      socket = OpenUdp(
          probing_.from,
          {probing_.local, static_cast<std::uint16_t>(probing_.first_port + number % kPorts)});
    else if (number == 0)
      socket = OpenUdp(probing_.from, {probing_.local, 0});
    if (!Ask(socket.get(), number)) return;
    ++answered_;
    std::this_thread::sleep_for(kPause);
  }
}

bool Prober::Fail(const std::string& why) {
  failures_.push_back(fmt::format("{}, question {}: {}", probing_.what, answered_.load(), why));
  failed_ = true;
  return false;
}

bool Prober::Ask(int socket, std::uint64_t number) {
  const std::size_t before = probing_.serving.Now();
  const std::string question = fmt::format("{} {}", LocalOf(socket).port, number);
  if (!SendTo(socket, probing_.called, ToBytes(question))) return Fail("could not be sent");
  const auto answer = ReceiveFrom(socket, Scaled(kPatience));
  if (!answer) return Fail("nobody answered");
  const std::size_t after = probing_.serving.Now();
  if (answer->from != probing_.called) return Fail("answered from " + ToString(answer->from));
  const std::string text(answer->bytes.begin(), answer->bytes.end());
  const std::string name = text.substr(0, text.find(' '));
  if (text != name + " " + question) return Fail("answered with \"" + text + "\"");
  if (!probing_.serving.Was(name, before, after)) return Fail("answered by " + name);
  if (probing_.first_port == 0 && !endpoint_.empty() && endpoint_ != name &&
      probing_.serving.WasAlways(endpoint_, before, after))
    return Fail(fmt::format("answered by {} and not by {}", name, endpoint_));
  endpoint_ = name;
  answerers_.insert(name);
  return true;
}

}  // namespace natrix::netns
