// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

/* Reads a packet without having looked where it ends. */
SEC("tc")
int reads_too_far(struct __sk_buff *skb)
{
	const char *data = (const char *)(long)skb->data;

	return data[0];
}

char LICENSE[] SEC("license") = "Dual BSD/GPL";
