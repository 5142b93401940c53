/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#pragma once

#include "bpf/lib/config.h"
#include "bpf/lib/rewrite_both.h"
#include "bpf/lib/sign.h"

/* Send a packet of an established flow where the kernel sent an earlier one,
 * without asking it again.
 *
 *   reads    pkt, the flow and its way
 *   writes   the packet, wholly; skb->mark, ->priority, ->tc_index; pkt->out,
 *            ->reason; pkt->learn: that egress may learn from this one
 *   maps     nx_epoch (lookup), nx_detour (count, each CPU its own copy)
 *   returns  NX_SEND, NX_SEND_PEER  it is ready to leave by pkt->out
 *            NX_CONTINUE            through the stack; nothing is written
 *            NX_DROP                its headers could not be written
 *
 * Whatever the kernel's forwarding may do with a packet other than pass it on
 * (an error to its sender, a fragmentation, a state of TCP that others look
 * at) goes through the stack.  A way is read while another CPU may learn it
 * anew: see struct nx_way.
 */

/* Whether a packet has to meet the stack, whatever its way. */
static __always_inline enum nx_detour short_cut_suits(struct __sk_buff *skb,
						      const struct nx_pkt *pkt)
{
	if (pkt->l4_proto != NX_L4_TCP && pkt->l4_proto != NX_L4_UDP)
		return NX_DETOUR_PROTOCOL;
	if (pkt->frag != NX_WHOLE ||
	    pkt->l4 != NX_L3 + (pkt->v6 ? sizeof(struct ipv6hdr) :
					  sizeof(struct iphdr)))
		return NX_DETOUR_HEADERS;
	if (pkt->tcp_flags & (NX_TCP_SYN | NX_TCP_FIN | NX_TCP_RST))
		return NX_DETOUR_CONTROL;
	if (pkt->ttl <= 1)
		return NX_DETOUR_TTL;
	/* On a device that hears all, or with a tag that the stack takes off. */
	if (skb->pkt_type != 0 /* PACKET_HOST */ || skb->vlan_present)
		return NX_DETOUR_FRAME;
	return NX_DETOUR_NONE;
}

/* ip_exceeds_mtu() and ip6_pkt_too_big(): of a GSO packet the segments count. */
static __always_inline bool
short_cut_exceeds(struct __sk_buff *skb, const struct nx_pkt *pkt, __u32 mtu)
{
	__u32 header = pkt->l4 - NX_L3 + 8;
	__u8 *tcp;

	if (skb->len - NX_L3 <= mtu)
		return false;
	if (!skb->gso_size)
		return true;
	if (pkt->l4_proto == NX_L4_TCP) {
		tcp = (void *)(long)skb->data + l4_offset(pkt);
		if ((void *)(tcp + 13) > (void *)(long)skb->data_end)
			return true;
		header = pkt->l4 - NX_L3 + (tcp[12] >> 4) * 4;
	}
	return header + skb->gso_size > mtu;
}

/* Whether the packet may take the way. */
static __always_inline enum nx_detour
short_cut_open(struct __sk_buff *skb, struct nx_pkt *pkt,
	       const struct nx_way *way, const struct nx_epoch *epoch)
{
	enum nx_detour why = short_cut_suits(skb, pkt);
	__u32 now = now_jiffies();

	if (why != NX_DETOUR_NONE)
		return why;
	if (!epoch->enabled)
		return NX_DETOUR_OFF;
	if (!NX_L3) /* other devices ask for a frame, which it has not */
		return NX_DETOUR_DEVICE;
	if (epoch->until - now > epoch->refresh) /* unsigned: or long past */
		return NX_DETOUR_UNWATCHED;
	pkt->learn = epoch->number;
	if (way->epoch != epoch->number)
		return way->epoch ? NX_DETOUR_EPOCH : NX_DETOUR_LEARN;
	if (now - way->learnt > epoch->refresh)
		return NX_DETOUR_REFRESH;
	if (way->in != skb->ifindex || way->mark != skb->mark)
		return NX_DETOUR_OTHER;
	pkt->learn = 0;
	if (!way->out)
		return way->why;
	if (short_cut_exceeds(skb, pkt, way->mtu))
		return NX_DETOUR_MTU;
	return NX_DETOUR_NONE;
}

static __always_inline void short_cut_count(enum nx_detour why)
{
	__u32 index = why;
	struct nx_detours *count = bpf_map_lookup_elem(&nx_detour, &index);

	if (count)
		count->packets++;
}

/* What a packet needs of a way, copied while it holds still. */
struct nx_hop {
	__u32 out;
	__u32 priority;
	__u8 frame[2 * ETH_ALEN];
	__u8 peer;
};

/* False: it is being learnt anew. */
static __always_inline bool
short_cut_copy(struct nx_hop *hop, const struct nx_way *way, __u32 epoch)
{
	hop->out = way->out;
	hop->priority = way->priority;
	hop->peer = way->ways & NX_DEVICE_PEER;
	__builtin_memcpy(hop->frame, way->dst, sizeof(hop->frame));
	__asm__ volatile("" ::: "memory");
	return hop->out && *(volatile const __u32 *)&way->epoch == epoch;
}

/* The frame's addresses; the packet was rewritten before, so that its headers
 * can be.
 */
static __always_inline int short_cut_frame(struct __sk_buff *skb,
					   const struct nx_hop *hop)
{
	void *data = (void *)(long)skb->data;

	if (data + ETH_HLEN > (void *)(long)skb->data_end)
		return -1;
	__builtin_memcpy(data, hop->frame, sizeof(hop->frame));
	return 0;
}

static __always_inline enum nx_verdict
stage_short_cut(struct __sk_buff *skb, struct nx_pkt *pkt,
		const struct nx_established *known)
{
	__u32 zero = 0;
	struct nx_epoch *epoch = bpf_map_lookup_elem(&nx_epoch, &zero);
	enum nx_detour why;
	struct nx_hop hop;

	if (!epoch)
		return NX_CONTINUE;
	why = short_cut_open(skb, pkt, &known->way, epoch);
	if (why == NX_DETOUR_NONE &&
	    !short_cut_copy(&hop, &known->way, epoch->number))
		why = NX_DETOUR_EPOCH;
	/* What Ethernet padded does not go on, as the kernel has it.  Cutting
	 * it off makes one segment of a GSO packet, however long.
	 */
	if (why == NX_DETOUR_NONE && pkt->trailer &&
	    (pkt->trailer == 255 || skb->gso_size ||
	     bpf_skb_change_tail(skb, skb->len - pkt->trailer, 0)))
		why = NX_DETOUR_HEADERS;
	if (why != NX_DETOUR_NONE) {
		short_cut_count(why);
		return NX_CONTINUE;
	}
	if (rewrite_both(skb, pkt, &known->flow) || short_cut_frame(skb, &hop))
		return nx_drop(pkt, NX_R_WRITE_FAILED);
	pkt->out = hop.out;
	pkt->reason = NX_R_SHORT_CUT;
	skb->priority = hop.priority;
	if (hop.peer) {
		skb->mark = 0; /* as when it crosses namespaces by the veth */
		return NX_SEND_PEER;
	}
	sign_set(skb, NX_SIGN_DONE);
	return NX_SEND;
}
