/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#pragma once

#include "bpf/lib/addr.h"

/* Incremental Internet checksums (RFC 1624 equation 3).  A delta is a ones'
 * complement sum of (~old + new) over what changed, not yet folded.
 */

static __always_inline __u16 csum_fold(__u64 sum)
{
	sum = (sum & 0xffffffff) + (sum >> 32);
	sum = (sum & 0xffff) + (sum >> 16);
	sum = (sum & 0xffff) + (sum >> 16);
	sum = (sum & 0xffff) + (sum >> 16);
	return (__u16)sum;
}

static __always_inline __u64 csum_delta_addr(const struct nx_addr *from,
					     const struct nx_addr *to)
{
	__u64 d = 0;

	for (int i = 0; i < 4; i++)
		d += (__u64)(__u32)~addr_word(from, i) + addr_word(to, i);
	return d;
}

static __always_inline __u64 csum_delta16(__u16 from, __u16 to)
{
	return (__u64)(__u16)~from + to;
}

/* A checksum field (the complement of a sum) after its data changed. */
static __always_inline __u16 csum_apply(__u16 check, __u64 delta)
{
	return (__u16)~csum_fold((__u64)(__u16)~check + csum_fold(delta));
}

/* CHECKSUM_PARTIAL: the field holds the pseudo header's sum itself, and the
 * device adds the rest.  Only address changes may be applied.
 */
static __always_inline __u16 csum_apply_partial(__u16 check, __u64 delta)
{
	return csum_fold((__u64)check + csum_fold(delta));
}
