/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#pragma once

#include "bpf/lib/maps.h"

/* Under one copy of the configuration. */
static __always_inline struct nx_fip *
fip_of(__u32 side, const struct nx_addr *from, enum nx_fip_side which)
{
	struct nx_fip_key key = { .addr = *from, .side = which };

	return side & 1 ? bpf_map_lookup_elem(&nx_fip_right, &key) :
			  bpf_map_lookup_elem(&nx_fip_left, &key);
}

/* The other side of a floating IP under one copy of the configuration. */
static __always_inline bool fip_to(__u32 side, const struct nx_addr *from,
				   enum nx_fip_side which, struct nx_addr *to)
{
	struct nx_fip *fip = fip_of(side, from, which);

	if (!fip)
		return false;
	*to = fip->addr;
	return true;
}
