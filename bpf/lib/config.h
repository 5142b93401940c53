/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#pragma once

#include <stdbool.h>

#include "bpf/lib/maps.h"

/* The number of the configuration in force now. */
static __always_inline __u32 config_generation(void)
{
	__u32 zero = 0;
	struct nx_generation *g = bpf_map_lookup_elem(&nx_generation, &zero);

	return g ? g->number : 0;
}

/* Which copy of the configuration is in force now: 0 or 1. */
static __always_inline __u32 config_side(void)
{
	return config_generation() & 1;
}

/* Scalars of one copy.  Null only to please the verifier: an array element
 * always exists.
 */
static __always_inline struct nx_config *config_of(__u32 side)
{
	return bpf_map_lookup_elem(&nx_config, &side);
}

/* Set membership of an address under one copy; all zero when in no set. */
static __always_inline struct nx_net net_of(__u32 side,
					    const struct nx_addr *addr)
{
	struct nx_prefix key = { .length = 128, .addr = *addr };
	struct nx_net none = {};
	struct nx_net *net;

	net = side & 1 ? bpf_map_lookup_elem(&nx_net_right, &key) :
			 bpf_map_lookup_elem(&nx_net_left, &key);
	return net ? *net : none;
}

/* FORWARD's first rules are Kube-OVN's: ACCEPT from and to its sets, so that
 * kube-proxy's and Docker's chains do not see the packet.
 */
static __always_inline bool is_accepted(struct nx_net end)
{
	return end.subnets || end.services;
}

static __always_inline bool is_in_no_set(struct nx_net net)
{
	__u64 bits;

	_Static_assert(sizeof(net) == sizeof(bits), "nx_net is two words");
	__builtin_memcpy(&bits, &net, sizeof(bits));
	return !bits;
}

/* Every bit of the mark that a rule asks for. */
static __always_inline __u32 config_marks(const struct nx_config *config)
{
	return config->mark_masquerade | config->mark_local |
	       config->mark_policy_nat | config->mark_policy_forward |
	       config->mark_host_port;
}

/* The subnet of a number under one copy; null: none, as 0 never is one. */
static __always_inline struct nx_subnet *subnet_of(__u32 side, __u32 number)
{
	if (!number)
		return NULL;
	return side & 1 ? bpf_map_lookup_elem(&nx_subnet_right, &number) :
			  bpf_map_lookup_elem(&nx_subnet_left, &number);
}

static __always_inline __u32 now_jiffies(void)
{
	return (__u32)bpf_jiffies64();
}
