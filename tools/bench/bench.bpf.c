// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* Both ends of a measurement, and the floors: a generator that rewrites all of
 * every packet, sinks that look at what arrives, and programs that redirect and
 * do nothing else.
 */
#include <linux/bpf.h>
#include <linux/if_ether.h>
#include <linux/in.h>
#include <linux/ip.h>
#include <linux/ipv6.h>
#include <linux/pkt_cls.h>
#include <linux/udp.h>

#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>

#include "tools/bench/bench_abi.h"

char LICENSE[] SEC("license") = "Dual BSD/GPL";

/* Written by natrix_bench between two runs; one thread runs the generator. */
struct bench_order order;
struct bench_wanted wanted[BENCH_PLACES];
__u32 floor_target; /* ifindex that a floor redirects to */

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, BENCH_PLACES);
	__type(key, __u32);
	__type(value, struct bench_seen);
} bench_seen SEC(".maps");

enum {
	UDP_AT_V4 = 34,
	UDP_AT_V6 = 54
};

struct frame_v4 {
	struct ethhdr eth;
	struct iphdr ip;
	struct udphdr udp;
	__u8 rest[BENCH_FRAME_V4 - UDP_AT_V4 - 8];
} __attribute__((packed, aligned(2)));

struct frame_v6 {
	struct ethhdr eth;
	struct ipv6hdr ip;
	struct udphdr udp;
	__u8 rest[BENCH_FRAME_V6 - UDP_AT_V6 - 8];
} __attribute__((packed, aligned(2)));

static __always_inline __u16 fold(__u32 sum)
{
	sum = (sum & 0xffff) + (sum >> 16);
	sum = (sum & 0xffff) + (sum >> 16);
	return sum;
}

/* RFC 768: a sum of 0 is sent as all ones. */
static __always_inline __be16 udp_check(__u32 sum)
{
	__u16 check = ~fold(sum);

	return bpf_htons(check ? check : 0xffff);
}

/* The last two bytes of an address. */
static __always_inline void set_low(void *address, __u32 length, __u16 low)
{
	*(__be16 *)(address + length - 2) = bpf_htons(low);
}

/* VERIFIER: no check but the packet's end; every frame has its family's length. */
SEC("xdp")
int bench_make(struct xdp_md *ctx)
{
	void *data = (void *)(long)ctx->data;
	void *end = (void *)(long)ctx->data_end;
	__u32 n = order.at;
	__u16 dst = order.dst_low + ((n >> order.dst_shift) & order.dst_mask);
	__u16 src, port;
	__u32 changed;

	if (order.every && order.made % order.every == 0) {
		n = order.fresh++;
		dst = BENCH_FRESH_LOW + ((n >> 12) & 0x3ff);
	} else {
		order.at = order.flows && n + 1 >= order.flows ? 0 : n + 1;
	}
	src = order.src_low + ((n >> order.src_shift) & order.src_mask);
	port = order.sport + (n & order.port_mask);
	changed = (__u32)src + dst;
	order.made++;
	if (order.is_v6) {
		struct frame_v6 *f = data;

		if (data + sizeof(*f) > end)
			return XDP_ABORTED;
		__builtin_memcpy(f, order.frame, sizeof(*f));
		set_low(&f->ip.saddr, 16, src);
		set_low(&f->ip.daddr, 16, dst);
		f->udp.source = bpf_htons(port);
		f->udp.check = udp_check(order.udp_sum + changed + port);
	} else {
		struct frame_v4 *f = data;

		if (data + sizeof(*f) > end)
			return XDP_ABORTED;
		__builtin_memcpy(f, order.frame, sizeof(*f));
		set_low(&f->ip.saddr, 4, src);
		set_low(&f->ip.daddr, 4, dst);
		f->ip.check = bpf_htons((__u16)~fold(order.ip_sum + changed));
		f->udp.source = bpf_htons(port);
		f->udp.check = udp_check(order.udp_sum + changed + port);
	}
	return XDP_TX;
}

static __always_inline __u32 sum_words(const __be16 *word, __u32 count)
{
	__u32 sum = 0;

#pragma unroll
	for (__u32 i = 0; i < count; i++)
		sum += bpf_ntohs(word[i]);
	return sum;
}

/* Whether pseudo header, UDP header and data sum up; `addresses` are `count` words. */
static __always_inline int is_sum_right(const void *addresses, __u32 count,
					const void *udp, __u32 length)
{
	__u32 sum = sum_words(addresses, count) + sum_words(udp, length / 2);

	return fold(sum + IPPROTO_UDP + length) == 0xffff;
}

static __always_inline void swap_macs(struct ethhdr *eth)
{
	__u8 mac[ETH_ALEN];

	__builtin_memcpy(mac, eth->h_dest, ETH_ALEN);
	__builtin_memcpy(eth->h_dest, eth->h_source, ETH_ALEN);
	__builtin_memcpy(eth->h_source, mac, ETH_ALEN);
}

static __always_inline void swap_ports(struct udphdr *udp)
{
	__be16 port = udp->source;

	udp->source = udp->dest;
	udp->dest = port;
}

static __always_inline int is_wanted(const struct bench_wanted *want,
				     const __be64 *src, const __be64 *dst)
{
	return (src[0] & want->src_mask[0]) == want->src[0] &&
	       (src[1] & want->src_mask[1]) == want->src[1] &&
	       (dst[0] & want->dst_mask[0]) == want->dst[0] &&
	       (dst[1] & want->dst_mask[1]) == want->dst[1];
}

/* Counts one of ours.  The sample's checksum is judged before anything is swapped. */
static __always_inline void count(struct bench_seen *seen, int right,
				  int sum_right)
{
	if (!sum_right)
		seen->bad_sum++;
	else if (right)
		seen->right++;
	else
		seen->wrong++;
}

/* Judges and counts a packet.  Returns whether it shall go back; it is turned
 * round then.  Each CPU has its own counters, and a CPU runs one softirq.
 */
static __always_inline int see_v4(struct frame_v4 *f,
				  const struct bench_wanted *want,
				  struct bench_seen *seen)
{
	__be64 src[2] = { 0, f->ip.saddr };
	__be64 dst[2] = { 0, f->ip.daddr };
	struct udphdr *udp = (void *)f + UDP_AT_V4;
	int sum =
		(seen->right & 63) ||
		is_sum_right(&f->ip.saddr, 4, udp, BENCH_FRAME_V4 - UDP_AT_V4);

	count(seen, is_wanted(want, src, dst), sum);
	if (!want->echo)
		return 0;
	f->ip.saddr = (__be32)dst[1];
	f->ip.daddr = (__be32)src[1];
	swap_ports(udp);
	swap_macs(&f->eth);
	return 1;
}

static __always_inline int see_v6(struct frame_v6 *f,
				  const struct bench_wanted *want,
				  struct bench_seen *seen)
{
	__be64 src[2];
	__be64 dst[2];
	struct udphdr *udp = (void *)f + UDP_AT_V6;
	int sum =
		(seen->right & 63) ||
		is_sum_right(&f->ip.saddr, 16, udp, BENCH_FRAME_V6 - UDP_AT_V6);

	__builtin_memcpy(src, &f->ip.saddr, sizeof(src));
	__builtin_memcpy(dst, &f->ip.daddr, sizeof(dst));
	count(seen, is_wanted(want, src, dst), sum);
	if (!want->echo)
		return 0;
	__builtin_memcpy(&f->ip.saddr, dst, sizeof(dst));
	__builtin_memcpy(&f->ip.daddr, src, sizeof(src));
	swap_ports(udp);
	swap_macs(&f->eth);
	return 1;
}

static __always_inline int see(void *data, void *end, __u32 key,
			       const struct bench_wanted *want)
{
	struct bench_seen *seen = bpf_map_lookup_elem(&bench_seen, &key);
	struct frame_v4 *v4 = data;
	struct frame_v6 *v6 = data;

	if (!seen)
		return 0;
	if (data + sizeof(*v4) <= end &&
	    v4->eth.h_proto == bpf_htons(ETH_P_IP) && v4->ip.ihl == 5 &&
	    v4->ip.protocol == IPPROTO_UDP)
		return see_v4(v4, want, seen);
	if (data + sizeof(*v6) <= end &&
	    v6->eth.h_proto == bpf_htons(ETH_P_IPV6) &&
	    v6->ip.nexthdr == IPPROTO_UDP)
		return see_v6(v6, want, seen);
	seen->other++;
	return 0;
}

/* Back where it came from.  Not XDP_TX: veth's flushes to a peer only that has an
 * XDP program itself (veth_xdp_flush, seen in 6.18), and the node's has none.
 */
static __always_inline int xdp_back(struct xdp_md *ctx)
{
	return (int)bpf_redirect(ctx->ingress_ifindex, 0);
}

SEC("xdp")
int bench_near(struct xdp_md *ctx)
{
	int back = see((void *)(long)ctx->data, (void *)(long)ctx->data_end,
		       BENCH_NEAR, &wanted[BENCH_NEAR]);

	return back ? xdp_back(ctx) : XDP_DROP;
}

SEC("xdp")
int bench_far(struct xdp_md *ctx)
{
	int back = see((void *)(long)ctx->data, (void *)(long)ctx->data_end,
		       BENCH_FAR, &wanted[BENCH_FAR]);

	return back ? xdp_back(ctx) : XDP_DROP;
}

/* Not XDP: what bpf_redirect_peer brings into a namespace meets tc first. */
SEC("tcx/ingress")
int bench_pod(struct __sk_buff *skb)
{
	int back = see((void *)(long)skb->data, (void *)(long)skb->data_end,
		       BENCH_POD, &wanted[BENCH_POD]);

	return back ? (int)bpf_redirect(skb->ifindex, 0) : TC_ACT_SHOT;
}

SEC("xdp")
int floor_x(struct xdp_md *ctx)
{
	return (int)bpf_redirect(floor_target, 0);
}

SEC("tcx/ingress")
int floor_t(struct __sk_buff *skb)
{
	return (int)bpf_redirect(floor_target, 0);
}

SEC("tcx/ingress")
int floor_p(struct __sk_buff *skb)
{
	return (int)bpf_redirect_peer(floor_target, 0);
}
