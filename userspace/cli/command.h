// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <optional>
#include <string>

#include "loader/pin_root.h"
#include "userspace/base/result.h"

namespace natrix::cli {

// What natrix exits with; docs/exit-codes.md is for people.
enum ExitCode {
  kOk = 0,
  kFailed = 1,        // it was tried and failed; or the answer is no
  kUsage = 2,         // the command line is wrong
  kNotLoaded = 3,     // no natrixd runs, or no datapath is loaded
  kNotPermitted = 4,  // needs more privileges
  kDegraded = 5,      // running, but not everywhere it should
  kNotFound = 6,      // there is no thing of that name
};

// What every command needs to know.
struct Context {
  loader::PinRoot root;
  bool json = false;
};

// Says on stderr what went wrong and returns the exit code for it.
int Report(const Error& error);
// kOk when a datapath is pinned; else says so and returns the exit code for it.
int CheckLoaded(const Context& context);
int ReportUsage(const std::string& what);

// One function a command; each prints its answer and returns an exit code.
int Check(const Context& context, const std::string& file);
int Status(const Context& context);

enum class SetFormat { kTable, kIpset };
// All sets or the named one; with `test`, whether it holds this member.
int Sets(const Context& context, const std::optional<std::string>& name,
         const std::optional<std::string>& test, SetFormat format);

// All Services or those of the name, which may be NAMESPACE/NAME.
int Services(const Context& context, const std::optional<std::string>& name);

// Addresses or prefixes; a protocol's name or number.  nullopt: any.
struct FlowFilter {
  std::optional<std::string> src;
  std::optional<std::string> dst;
  std::optional<std::string> proto;
};
int Flows(const Context& context, const FlowFilter& filter);
// Which tables `counters` shows, and whether with those that counted nothing.
struct CounterChoice {
  bool all = false;
  bool reasons = true;
  bool subnets = true;
};
int Counters(const Context& context, const CounterChoice& choice);
int Detach(const Context& context);
int Version(const Context& context, const std::string& version);

}  // namespace natrix::cli
