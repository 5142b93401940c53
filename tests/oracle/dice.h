// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <random>
#include <vector>

namespace natrix::oracle {

// Chance that repeats: the same seed, stream and index give the same throws on every machine
// (std::mt19937_64 is specified to the bit, the standard's distributions are not and not used).
class Dice {
 public:
  Dice(std::uint64_t seed, std::uint32_t stream, std::uint32_t index) {
    std::seed_seq sequence{static_cast<std::uint32_t>(seed), static_cast<std::uint32_t>(seed >> 32),
                           stream, index};
    engine_.seed(sequence);
  }

  // 0 .. n - 1.
  std::uint32_t Below(std::uint32_t n) { return static_cast<std::uint32_t>(engine_() >> 33) % n; }
  std::uint32_t Between(std::uint32_t least, std::uint32_t most) {
    return least + Below(most - least + 1);
  }
  bool Chance(std::uint32_t percent) { return Below(100) < percent; }

  template <typename T>
  const T& Pick(const std::vector<T>& choices) {
    return choices[Below(static_cast<std::uint32_t>(choices.size()))];
  }
  // The index of a weight, each as often as it weighs.
  std::size_t Weighted(const std::vector<std::uint32_t>& weights) {
    std::uint32_t total = 0;
    for (const std::uint32_t weight : weights) total += weight;
    std::uint32_t left = Below(total);
    for (std::size_t i = 0; i < weights.size(); ++i) {
      if (left < weights[i]) return i;
      left -= weights[i];
    }
    return weights.size() - 1;
  }

 private:
  std::mt19937_64 engine_;
};

}  // namespace natrix::oracle
