/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#pragma once

#include "bpf/lib/config.h"
#include "bpf/lib/packet.h"

/* natOutgoingPolicyRules: OVN-NAT-POLICY and its chains, in two lookups. */

enum nx_policy_verdict {
	NX_POLICY_NONE, /* no rule matches */
	NX_POLICY_NAT,
	NX_POLICY_FORWARD,
};

static __always_inline struct nx_policy *
policy_of(__u32 side, const struct nx_policy_key *key)
{
	return side & 1 ? bpf_map_lookup_elem(&nx_policy_right, key) :
			  bpf_map_lookup_elem(&nx_policy_left, key);
}

/* The lowest rule of the subnet of that number that both sides of the packet
 * match decides: enum nx_policy_verdict.  The cost grows by two words for
 * every 64 rules.
 */
NX_GLOBAL int policy_decide(const struct nx_pkt *pkt,
			    const struct nx_subnet *subnet, __u32 number)
{
	struct nx_policy_key key = { .length = 32 + 128 };
	struct nx_policy *src, *dst;

	if (!pkt || !subnet)
		return NX_POLICY_NONE;
	key.list = number * 2 + NX_POLICY_SRC;
	key.addr = pkt->tuple.src;
	src = policy_of(pkt->side, &key);
	key.list = number * 2 + NX_POLICY_DST;
	key.addr = pkt->tuple.dst;
	dst = policy_of(pkt->side, &key);
	if (!src || !dst)
		return NX_POLICY_NONE;

	for (__u32 word = 0; word < NX_POLICY_WORDS; word++) {
		__u64 both;

		if (word * 64 >= subnet->rules)
			break;
		both = src->rule[word] & dst->rule[word];
		if (both)
			return subnet->nat[word] & (both & -both) ?
				       NX_POLICY_NAT :
				       NX_POLICY_FORWARD;
	}
	return NX_POLICY_NONE;
}

/* The bits that the policy of a subnet sets on a packet; 0: none. */
static __always_inline __u32 policy_mark(const struct nx_pkt *pkt,
					 const struct nx_config *config,
					 const struct nx_subnet *subnet,
					 __u32 number)
{
	switch (policy_decide(pkt, subnet, number)) {
	case NX_POLICY_NAT:
		return config->mark_policy_nat;
	case NX_POLICY_FORWARD:
		return config->mark_policy_forward;
	}
	return 0;
}
