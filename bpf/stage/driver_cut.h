/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#pragma once

#include <stdbool.h>

#include "bpf/lib/config.h"
#include "bpf/lib/frame.h"

/* The short cut, taken by XDP: before there is an skb.
 *
 *   reads    the struct nx_frame, the flow and its way
 *   writes   the frame, wholly; *out
 *   maps     nx_epoch, nx_generation (lookup)
 *   returns  NX_SEND     it is ready to leave by *out
 *            NX_REFLECT  it is ready to leave by the device it came by
 *            NX_PASS     to tcx; nothing is written, padding may be cut off
 *
 * Only what bpf/stage/short_cut.h would send, and of that what the driver of
 * the output device can transmit.  Whatever has to be counted as a detour, or
 * learnt, or resolved, tcx does: it sees all that is passed here.
 */

static __always_inline bool driver_cut_suits(const struct nx_frame *f,
					     const struct nx_flow *flow)
{
	if (flow->role == NX_ROLE_MIDDLE || f->ttl <= 1)
		return false;
	/* The subnets that count it: tcx finds them. */
	if (flow->subnets.generation != config_generation() + 1)
		return false;
	return f->tuple.proto != NX_L4_TCP ||
	       (flow->state == NX_STATE_TCP_ESTABLISHED &&
		!(f->tcp_flags & (NX_TCP_SYN | NX_TCP_FIN | NX_TCP_RST)));
}

/* XDP_TX.  A veth's (forced) would need a program at its other end. */
static __always_inline bool driver_cut_back(const struct nx_way *way, __u32 in)
{
	return way->out == in && way->ways & NX_DEVICE_XDP_BACK;
}

/* Whether the way may be taken now by what came by device `in`. */
static __always_inline bool driver_cut_open(const struct nx_frame *f,
					    const struct nx_way *way, __u32 in,
					    const struct nx_epoch *epoch,
					    __u32 now)
{
	__u8 needs = driver_cut_back(way, in) ? NX_DEVICE_XDP_BACK :
						NX_DEVICE_XDP_OUT;

	if (f->frags)
		needs |= NX_DEVICE_XDP_FRAGS;
	return epoch->enabled && epoch->until - now <= epoch->refresh &&
	       way->epoch == epoch->number &&
	       now - way->learnt <= epoch->refresh && way->in == in &&
	       !way->mark && way->out && f->length <= way->mtu &&
	       (way->ways & needs) == needs;
}

static __always_inline enum nx_verdict
stage_driver_cut(struct xdp_md *ctx, const struct nx_frame *f,
		 const struct nx_established *known, __u32 now, __u32 *out)
{
	__u32 zero = 0, in = ctx->ingress_ifindex;
	struct nx_epoch *epoch = bpf_map_lookup_elem(&nx_epoch, &zero);
	const struct nx_way *way = &known->way;
	__u8 macs[2 * ETH_ALEN];
	bool back;

	if (!epoch || !driver_cut_suits(f, &known->flow) ||
	    !driver_cut_open(f, way, in, epoch, now))
		return NX_PASS;
	/* Copied while it holds still: see struct nx_way. */
	*out = way->out;
	back = driver_cut_back(way, in);
	__builtin_memcpy(macs, way->dst, sizeof(macs));
	__asm__ volatile("" ::: "memory");
	if (!*out || *(volatile const __u32 *)&way->epoch != epoch->number)
		return NX_PASS;
	/* What Ethernet padded does not go on, as the kernel has it. */
	if (f->trailer && bpf_xdp_adjust_tail(ctx, -(int)f->trailer))
		return NX_PASS;
	if (frame_rewrite(ctx, f, &known->flow, macs))
		return NX_PASS;
	return back ? NX_REFLECT : NX_SEND;
}
