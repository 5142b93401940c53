// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <libmnl/libmnl.h>

#include <cstddef>

// The attributes of an rtnetlink message: visit(const nlattr*) for each.
namespace natrix {

template <typename Visit>
void ForEachAttrBetween(const nlattr* attr, const char* end, Visit visit) {
  for (; mnl_attr_ok(attr, static_cast<int>(end - reinterpret_cast<const char*>(attr)));
       attr = mnl_attr_next(attr))
    visit(attr);
}

// Those after a header of `size` bytes.
template <typename Visit>
void ForEachAttr(const nlmsghdr& message, std::size_t size, Visit visit) {
  ForEachAttrBetween(static_cast<const nlattr*>(mnl_nlmsg_get_payload_offset(&message, size)),
                     static_cast<const char*>(mnl_nlmsg_get_payload_tail(&message)), visit);
}

// Those within another.
template <typename Visit>
void ForEachNested(const nlattr* parent, Visit visit) {
  const auto* begin = static_cast<const char*>(mnl_attr_get_payload(parent));
  ForEachAttrBetween(reinterpret_cast<const nlattr*>(begin),
                     begin + mnl_attr_get_payload_len(parent), visit);
}

}  // namespace natrix
