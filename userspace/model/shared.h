// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <memory>
#include <utility>

namespace natrix::model {

// A value that its copies share until one of them is changed: copies of a configuration cost
// nothing, and what two of them share is compared by its place.
template <typename T>
class Shared {
 public:
  Shared() : Shared(T()) {}
  Shared(T value) : value_(std::make_shared<T>(std::move(value))) {}

  const T& operator*() const { return *value_; }
  const T* operator->() const { return value_.get(); }
  operator const T&() const { return *value_; }

  // This one's own, to be changed; others that share it keep what they have.
  T& Edit() {
    if (value_.use_count() > 1) value_ = std::make_shared<T>(*value_);
    return *value_;
  }
  bool Shares(const Shared& other) const { return value_ == other.value_; }
  friend bool operator==(const Shared& a, const Shared& b) { return a.Shares(b) || *a == *b; }

 private:
  std::shared_ptr<T> value_;  // never null, but when it was moved from
};

}  // namespace natrix::model
