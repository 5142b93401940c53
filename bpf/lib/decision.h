/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#pragma once

#include "bpf/lib/packet.h"
#include "bpf/lib/port.h"

/* What a hook works out about a packet that no entry settled; egress: from the
 * flow table to the rules to the new entries.
 */

/* The new flow itself.  `called` is the address its client spoke to: V of
 * enum nx_role, the packet's own destination where ingress changed nothing.
 */
struct nx_new {
	struct nx_addr called;
	__be16 called_port;
	__u8 pending; /* 1: ingress made both halves, undecided */
};

/* What becomes of a new flow's source. */
enum nx_snat_do {
	NX_SNAT_NOT_OURS, /* not even remembered */
	NX_SNAT_KEEP,	  /* remembered, so that its answers are left alone */
	NX_SNAT_TO,	  /* translated to `addr` */
	NX_SNAT_REFUSE,	  /* dropped: snat->why */
};

struct nx_snat {
	struct nx_addr addr;
	__u8 what;	 /* enum nx_snat_do */
	__u8 masquerade; /* 1: address from the device, the mark is cleared */
	__u8 keep_port;	 /* 1: the original port if it is free */
	enum nx_reason why;
	struct nx_port_span ports; /* the only ones it may have */
	__u8 keep_mark;		   /* 1: masquerade leaves the mark */
};

/* The source a packet leaves with. */
struct nx_from {
	struct nx_addr addr;
	__be16 port;
};

/* Working memory, for want of stack, of one packet in one hook.  Both run with
 * bottom halves off: nothing on this CPU can come between.
 */
struct nx_scratch {
	struct nx_new new;
	struct nx_snat snat;
	struct nx_from source;
	struct nx_alloc alloc;
	struct nx_tuple key;
	struct nx_flow entry;
	struct nx_tuple middle;
	struct nx_flow middle_entry;
	__u32 sticky; /* Service port that remembers the entry's destination */
	__u32 sticky_index; /* of that in its list */
};

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct nx_scratch);
} nx_scratch SEC(".maps");

static __always_inline struct nx_scratch *scratch(void)
{
	__u32 zero = 0;

	return bpf_map_lookup_elem(&nx_scratch, &zero);
}
