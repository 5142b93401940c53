// SPDX-License-Identifier: Apache-2.0
#pragma once

namespace natrix::netns {

// Changes two rules that belong together, `times` times, under 200 standing flows and ever new ones
// in both families.  GoogleTest expectations: no packet is lost, no standing flow changes, and no
// new flow is judged by one rule of the old configuration and one of the new.
void RunFlips(int times);

}  // namespace natrix::netns
