// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* Tells which skb->mark each packet had when it was handed to a device's
 * driver: after every tc egress program, whatever that returned, so that a
 * datapath which ends the chain of programs is seen too.
 */
#include <linux/bpf.h>
#include <bpf/bpf_core_read.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>

#include "tests/support/mark_event.h"

/* The fields of the kernel's types that are read, for CO-RE. */
struct ns_common___local {
	unsigned int inum;
} __attribute__((preserve_access_index));

struct net___local {
	struct ns_common___local ns;
} __attribute__((preserve_access_index));

struct possible_net_t___local {
	struct net___local *net;
} __attribute__((preserve_access_index));

struct net_device___local {
	int ifindex;
	unsigned short hard_header_len;
	struct possible_net_t___local nd_net;
} __attribute__((preserve_access_index));

struct sk_buff___local {
	unsigned int len;
	unsigned int data_len;
	__u32 mark;
	__be16 protocol;
	unsigned char *data;
} __attribute__((preserve_access_index));

struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, 1 << 20);
} events SEC(".maps");

/* The namespaces whose devices are watched, by inode number. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 16);
	__type(key, __u32);
	__type(value, __u32);
} watched SEC(".maps");

SEC("tp_btf/net_dev_start_xmit")
int BPF_PROG(mark_witness, struct sk_buff___local *skb,
	     struct net_device___local *dev)
{
	struct mark_event *event;
	__u32 inum = BPF_CORE_READ(dev, nd_net.net, ns.inum);
	__u32 linear, at;

	if (!bpf_map_lookup_elem(&watched, &inum))
		return 0;
	event = bpf_ringbuf_reserve(&events, sizeof(*event), 0);
	if (!event)
		return 0;
	__builtin_memset(event, 0, sizeof(*event));
	event->netns = inum;
	event->ifindex = (__u32)BPF_CORE_READ(dev, ifindex);
	event->mark = BPF_CORE_READ(skb, mark);
	/* In front of a bare IP packet (tun) stands one with the type only. */
	at = BPF_CORE_READ(dev, hard_header_len) ? 0 : MARK_EVENT_ETHERNET;
	*(__be16 *)(event->frame + MARK_EVENT_ETHERNET - 2) =
		BPF_CORE_READ(skb, protocol);
	linear = BPF_CORE_READ(skb, len) - BPF_CORE_READ(skb, data_len);
	if (linear > MARK_EVENT_BYTES - MARK_EVENT_ETHERNET)
		linear = MARK_EVENT_BYTES - MARK_EVENT_ETHERNET;
	event->length = at + linear;
	bpf_probe_read_kernel(event->frame + at, linear,
			      BPF_CORE_READ(skb, data));
	bpf_ringbuf_submit(event, 0);
	return 0;
}

char LICENSE[] SEC("license") = "Dual BSD/GPL";
