// SPDX-License-Identifier: Apache-2.0
#include "tests/oracle/exchange.h"

#include <arpa/inet.h>
#include <fmt/core.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <cerrno>

#include "tests/support/setup_error.h"

namespace natrix::oracle {

using support::Dissect;
using support::Layers;
using support::Word;

ErrorSpec PortUnreachable(Family family) {
  if (family == Family::kIpv4) return {.type = 3, .code = 3};
  return {.type = 1, .code = 4};
}

ErrorSpec HostUnreachable(Family family) {
  if (family == Family::kIpv4) return {.type = 3, .code = 1};
  return {.type = 1, .code = 3};
}

ErrorSpec TooBig(Family family, std::uint32_t mtu) {
  if (family == Family::kIpv4) return {.type = 3, .code = 4, .rest = mtu};
  return {.type = 2, .code = 0, .rest = mtu};
}

ErrorSpec TimeExceeded(Family family) {
  if (family == Family::kIpv4) return {.type = 11, .code = 0};
  return {.type = 3, .code = 0};
}

namespace {

support::Macs MacsFrom(Place place) { return {MacOf(place), GatewayMacOf(place)}; }

// Whether nobody can answer it: an error, or a fragment without ports.
bool IsUnanswerable(const Bytes& frame) {
  const std::optional<Layers> layers = Dissect(frame);
  return layers && (layers->inner || layers->fragment_offset != 0);
}

// An answer to `seen` that is otherwise like `like`.
PacketSpec Answer(const Bytes& seen, PacketSpec like) {
  const std::optional<Layers> layers = Dissect(seen);
  if (!layers) throw support::SetupError("no answer to " + support::Describe(seen));
  like.src = layers->dst;
  like.dst = layers->src;
  like.protocol = layers->protocol;
  if (layers->echo_id_at) {
    like.echo_reply = true;
    like.sport = Word(seen, *layers->echo_id_at);
    like.dport = Word(seen, *layers->echo_id_at + 2);
  } else if (layers->sport_at && layers->dport_at) {
    like.sport = Word(seen, *layers->dport_at);
    like.dport = Word(seen, *layers->sport_at);
  }
  return like;
}

// What send(2) says when the packet was dropped on its way out, by a rule or a tc program, or is
// larger than the device carries: an outcome, not a failure of the test.
bool IsVerdict(int error) { return error == EPERM || error == ENOBUFS || error == EMSGSIZE; }

void SendRaw(const Scene& scene, const Bytes& frame, std::uint32_t mark) {
  const std::optional<Layers> layers = Dissect(frame);
  const support::InNetwork in(scene.node());
  const UniqueFd fd(
      ::socket(layers->v6 ? AF_INET6 : AF_INET, SOCK_RAW | SOCK_CLOEXEC, IPPROTO_RAW));
  if (!fd) support::ThrowErrno("raw socket");
  if (::setsockopt(fd.get(), SOL_SOCKET, SO_MARK, &mark, sizeof(mark)) != 0)
    support::ThrowErrno("SO_MARK");
  sockaddr_storage to{};
  socklen_t length = sizeof(sockaddr_in);
  to.ss_family = AF_INET;
  if (layers->v6) {
    length = sizeof(sockaddr_in6);
    to.ss_family = AF_INET6;
    ::inet_pton(AF_INET6, layers->dst.c_str(), &reinterpret_cast<sockaddr_in6*>(&to)->sin6_addr);
  } else {
    ::inet_pton(AF_INET, layers->dst.c_str(), &reinterpret_cast<sockaddr_in*>(&to)->sin_addr);
  }
  if (::sendto(fd.get(), &frame[layers->ip], layers->end - layers->ip, 0,
               reinterpret_cast<const sockaddr*>(&to), length) < 0 &&
      !IsVerdict(errno))
    support::ThrowErrno("raw send of " + support::Describe(frame));
}

}  // namespace

void Exchange::Remember() {
  if (aside_) return;
  for (const Side* side : {&nodes_.left(), &nodes_.right()}) {
    const bool is_left = side == &nodes_.left();
    for (const Seen& seen : is_left ? last_.left : last_.right)
      if (!IsUnanswerable(seen.frame))
        MemoryOf(*side).seen[static_cast<std::size_t>(seen.place)] = seen.frame;
  }
}

template <typename Make>
const Exchange::Outcome& Exchange::Step(const std::string& who, const Make& make) {
  last_ = nodes_.Happen(
      [&](Side& side) {
        Memory& memory = MemoryOf(side);
        memory.sent = make(side, memory);
        return memory.sent;
      },
      aliases_);
  Remember();
  const auto describe = [](const Frames& frames) {
    std::string text;
    for (const Bytes& frame : frames) text += (text.empty() ? "" : "; ") + support::Describe(frame);
    return text.empty() ? std::string("nothing") : text;
  };
  transcript_ += fmt::format("{}. {}: {}\n", ++steps_, who, describe(memories_[0].sent));
  if (memories_[0].sent != memories_[1].sent)
    transcript_ += fmt::format("   (right: {})\n", describe(memories_[1].sent));
  transcript_ += fmt::format("   {:<12}: {}\n", nodes_.left().engine->name(), Describe(last_.left));
  transcript_ +=
      fmt::format("   {:<12}: {}\n", nodes_.right().engine->name(), Describe(last_.right));
  if (last_.difference) {
    transcript_ += fmt::format("   differ      : {}\n", *last_.difference);
    agreed_ = false;
  }
  return last_;
}

template <typename Make>
const Exchange::Outcome& Exchange::SendMade(Place from, const char* verb, const Make& make) {
  sender_ = from;
  return Step(fmt::format("{} {}", NameOf(from), verb), [&](Side& side, const Memory& memory) {
    const Frames frames = make(memory);
    for (const Bytes& frame : frames) side.scene.tap(from).Send(frame);
    return frames;
  });
}

const Exchange::Outcome& Exchange::Send(Place from, const std::vector<PacketSpec>& specs) {
  return SendMade(from, "sends", [&](const Memory&) {
    Frames frames;
    for (const PacketSpec& spec : specs)
      for (Bytes& frame : support::Build(spec, MacsFrom(from))) frames.push_back(std::move(frame));
    return frames;
  });
}

const Exchange::Outcome& Exchange::SendAside(Place from, const PacketSpec& spec) {
  const std::array<Memory, 2> memories = memories_;
  const std::optional<Place> sender = sender_;
  aside_ = true;
  Send(from, spec);
  aside_ = false;
  memories_ = memories;
  sender_ = sender;
  return last_;
}

const Exchange::Outcome& Exchange::SendFromNode(const PacketSpec& spec, std::uint32_t mark) {
  sender_.reset();
  return Step(fmt::format("the node sends with mark {:#x}", mark), [&](Side& side, const Memory&) {
    PacketSpec numbered = spec;
    if (numbered.id == 0) numbered.id = 1;  // the kernel fills in a 0, on each node another one
    const Frames frames = support::Build(numbered, {kUplinkMac, MacOf(Place::kOutside)});
    for (const Bytes& frame : frames) SendRaw(side.scene, frame, mark);
    return frames;
  });
}

const Exchange::Outcome& Exchange::Reply(Place from, const PacketSpec& like) {
  return SendMade(from, "replies", [&](const Memory& memory) {
    const std::optional<Bytes>& seen = memory.seen[static_cast<std::size_t>(from)];
    return seen ? support::Build(Answer(*seen, like), MacsFrom(from)) : Frames();
  });
}

const Exchange::Outcome& Exchange::Report(Place from, const ErrorSpec& error) {
  return SendMade(from, "reports", [&](const Memory& memory) {
    const std::optional<Bytes>& seen = memory.seen[static_cast<std::size_t>(from)];
    if (!seen) return Frames();
    const std::string reporter = error.from.empty() ? Dissect(*seen)->dst : error.from;
    return Frames{support::IcmpError(reporter, error.type, error.code, error.rest, *seen,
                                     error.quote, MacsFrom(from))};
  });
}

const Exchange::Outcome& Exchange::Repeat() {
  if (!sender_) throw support::SetupError("only what came over a wire is sent again");
  return SendMade(*sender_, "sends again", [](const Memory& memory) { return memory.sent; });
}

std::uint16_t Exchange::sent_port() const {
  return memories_[0].sent.empty() ? std::uint16_t{0} : SourcePort(memories_[0].sent[0]);
}

}  // namespace natrix::oracle
