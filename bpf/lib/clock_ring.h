/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#pragma once

#include "bpf/lib/maps.h"

/* The ring of established flows that the clock goes around: struct
 * nx_clock_slot says how writers and the reader meet.
 */

/* Slots of nx_clock, twice what there can be flows: a flow that ends and begins
 * again leaves its old slot there until its turn.  Set by the loader from the
 * map itself.
 */
const volatile __u32 nx_clock_size = 2 * 131072;

/* Adds a flow at the end.  On a full ring (which its size excludes) the flow
 * is left out: it then expires at its next lookup only.
 */
static __always_inline void clock_add(const struct nx_tuple *original,
				      __u32 born)
{
	__u32 zero = 0, at;
	struct nx_clock_ring *ring = bpf_map_lookup_elem(&nx_clock_ring, &zero);
	struct nx_clock_slot *slot;
	__u64 turn;

	if (!ring || ring->tail - ring->head >= nx_clock_size)
		return;
	turn = __sync_fetch_and_add(&ring->tail, 1);
	at = turn % nx_clock_size;
	slot = bpf_map_lookup_elem(&nx_clock, &at);
	if (!slot)
		return;
	slot->original = *original;
	slot->born = born;
	/* Last, and as an atomic: the reader on another CPU must not see the
	 * number before the rest.
	 */
	__sync_lock_test_and_set(&slot->turn, turn + 1);
}

/* Takes the oldest flow.  Only the timer calls this, one CPU at a time.
 * Negative: none, or its writer is not done yet.
 */
static __always_inline int clock_take(struct nx_tuple *original, __u32 *born)
{
	__u32 zero = 0, at;
	struct nx_clock_ring *ring = bpf_map_lookup_elem(&nx_clock_ring, &zero);
	struct nx_clock_slot *slot;

	if (!ring)
		return -1;
	at = ring->head % nx_clock_size;
	slot = bpf_map_lookup_elem(&nx_clock, &at);
	if (!slot || slot->turn != ring->head + 1)
		return -1;
	*original = slot->original;
	*born = slot->born;
	ring->head++;
	return 0;
}
