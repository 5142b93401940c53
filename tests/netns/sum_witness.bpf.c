// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* Shows what skb->csum says after the datapath had its hands on a packet whose
 * sum the receiving device (or a decapsulation) computed: whoever takes the
 * packet next believes it.
 */
#include <linux/bpf.h>
#include <linux/pkt_cls.h>
#include <bpf/bpf_helpers.h>

#include "tests/netns/sum_event.h"

struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, 8 << 20);
} events SEC(".maps");

SEC("tc")
int sum_witness(struct __sk_buff *skb)
{
	/* Adds nothing and returns the sum; an error unless ip_summed is
	 * CHECKSUM_COMPLETE.
	 */
	__s64 csum = bpf_csum_update(skb, 0);
	struct sum_event *event;
	__u32 length = skb->len;

	if (csum < 0 || !length)
		return TC_ACT_UNSPEC;
	event = bpf_ringbuf_reserve(&events, sizeof(*event), 0);
	if (!event)
		return TC_ACT_UNSPEC;
	event->csum = (__u32)csum;
	event->length = length;
	/* VERIFIER: a range that 6.1 can follow; longer frames are cut. */
	length = ((length - 1) & (SUM_EVENT_BYTES - 1)) + 1;
	barrier_var(length);
	bpf_skb_load_bytes(skb, 0, event->frame, length);
	bpf_ringbuf_submit(event, 0);
	return TC_ACT_UNSPEC;
}

char LICENSE[] SEC("license") = "Dual BSD/GPL";
