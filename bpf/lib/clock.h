/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#pragma once

#include "bpf/lib/flow_table.h"

/* Expiry of established flows, in the kernel: a timer that takes a slice of
 * the ring nx_clock every tick, deletes what is expired and puts the rest
 * back at the end.  A lookup checks the age itself, so lateness here costs
 * memory, not correctness.  Embryos need no clock: their table recycles.
 *
 * The timer belongs to the map, the map is pinned: no process is needed.
 */
#define NX_CLOCK_TICK_NS (50 * 1000 * 1000ULL)

/* Flows per tick.  512 take some 0.2 ms, and go once around a ring of
 * 131072 in 13 s.
 */
const volatile __u32 nx_clock_slice = 512;

struct nx_clock_timer {
	struct bpf_timer timer;
};

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct nx_clock_timer);
} nx_timer SEC(".maps");

/* One flow.  Returns 1 to end the slice: the queue is empty. */
static long clock_visit(__u64 index, void *unused)
{
	struct nx_tuple original = {};
	struct nx_flow *flow;
	__u32 born = 0;

	if (clock_take(&original, &born))
		return 1;
	flow = bpf_map_lookup_elem(&nx_flow, &original);
	if (!flow || flow->born != born)
		return 0; /* gone, or a later flow of the same name */
	if (flow_expired(&original, flow))
		flow_forget(&original, flow);
	else
		clock_add(&original, born);
	return 0;
}

static int clock_tick(void *map, __u32 *key, struct nx_clock_timer *clock)
{
	bpf_loop(nx_clock_slice, clock_visit, NULL, 0);
	bpf_timer_start(&clock->timer, NX_CLOCK_TICK_NS, 0);
	return 0;
}

/* Starts the timer, or, when it runs already, hands it to this program: a new
 * build takes over the expiry of the one before.  0 or a negative errno.
 */
static __always_inline int clock_start(void)
{
	__u32 zero = 0;
	struct nx_clock_timer *clock = bpf_map_lookup_elem(&nx_timer, &zero);
	int err;

	if (!clock)
		return -2;
	err = bpf_timer_init(&clock->timer, &nx_timer, 1 /* CLOCK_MONOTONIC */);
	if (err && err != -16 /* EBUSY: running already */)
		return err;
	err = bpf_timer_set_callback(&clock->timer, clock_tick);
	if (err)
		return err;
	return bpf_timer_start(&clock->timer, NX_CLOCK_TICK_NS, 0);
}
