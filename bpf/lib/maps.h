/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#pragma once

#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

#include "maps/abi/config.h"
#include "maps/abi/device.h"
#include "maps/abi/flow.h"
#include "maps/abi/names.h"
#include "maps/abi/outgoing.h"
#include "maps/abi/ports.h"
#include "maps/abi/probe.h"
#include "maps/abi/reason.h"
#include "maps/abi/service.h"
#include "maps/abi/set.h"
#include "maps/abi/socket.h"
#include "maps/abi/subnet.h"
#include "maps/abi/way.h"

/* Every map of the datapath.  Sizes of the flow tables are the loader's to
 * set (flows.* of the configuration); the others are as they stand here.
 */

/* Flows seen in both directions.  A plain hash: no new flow can push one out. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 2 * 131072);
	__type(key, struct nx_tuple);
	__type(value, struct nx_established);
} nx_flow SEC(".maps");

/* Flows seen in one direction, TCP until its handshake is done.  A flood
 * churns this table only.
 */
struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 2 * 65536);
	__type(key, struct nx_tuple);
	__type(value, struct nx_flow);
} nx_embryo SEC(".maps");

/* Which ports a fragment belongs to. */
struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 8192);
	__type(key, struct nx_frag_key);
	__type(value, struct nx_frag);
} nx_frag SEC(".maps");

/* Established flows in the order in which the clock looks at them: a ring.  A
 * BPF queue would do, but the kernel lets it have no BTF to be read by.
 */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 2 * 131072);
	__type(key, __u32);
	__type(value, struct nx_clock_slot);
} nx_clock SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct nx_clock_ring);
} nx_clock_ring SEC(".maps");

/* Membership of addresses in the well-known sets, left and right.  Two plain
 * maps, and the generation's low bit to choose: a map of maps would cost a
 * lookup, and the kernel lets it have no BTF to be read by.
 */
struct nx_net_trie {
	__uint(type, BPF_MAP_TYPE_LPM_TRIE);
	__uint(max_entries, NX_MAX_PREFIXES);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, struct nx_prefix);
	__type(value, struct nx_net);
} nx_net_left SEC(".maps"), nx_net_right SEC(".maps");

/* Floating IPs, left and right. */
struct nx_fip_hash {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, NX_MAX_FIP);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, struct nx_fip_key);
	__type(value, struct nx_fip);
} nx_fip_left SEC(".maps"), nx_fip_right SEC(".maps");

/* Subnets by number, left and right. */
struct nx_subnet_hash {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, NX_MAX_SUBNETS);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, __u32);
	__type(value, struct nx_subnet);
} nx_subnet_left SEC(".maps"), nx_subnet_right SEC(".maps");

/* NAT policies, left and right. */
struct nx_policy_trie {
	__uint(type, BPF_MAP_TYPE_LPM_TRIE);
	__uint(max_entries, NX_MAX_POLICY_ENTRIES);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, struct nx_policy_key);
	__type(value, struct nx_policy);
} nx_policy_left SEC(".maps"), nx_policy_right SEC(".maps");

/* Sets of ports, left and right. */
struct nx_ports_hash {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, NX_MAX_PORTS);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, struct nx_port_key);
	__type(value, struct nx_port_member);
} nx_ports_left SEC(".maps"), nx_ports_right SEC(".maps");

/* Who reaches itself through IPVS, left and right. */
struct nx_loop_hash {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, NX_MAX_LOOPS);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, struct nx_loop_key);
	__type(value, struct nx_loop);
} nx_loop_left SEC(".maps"), nx_loop_right SEC(".maps");

/* Who may call load balancers' IPs that IPVS serves, left and right. */
struct nx_range_trie {
	__uint(type, BPF_MAP_TYPE_LPM_TRIE);
	__uint(max_entries, NX_MAX_RANGES);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, struct nx_range_key);
	__type(value, struct nx_range);
} nx_range_left SEC(".maps"), nx_range_right SEC(".maps");

/* Addresses that Services are called at, left and right. */
struct nx_service_hash {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, NX_MAX_SERVICES);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, struct nx_service_key);
	__type(value, struct nx_service);
} nx_service_left SEC(".maps"), nx_service_right SEC(".maps");

/* Endpoints of Services, left and right. */
struct nx_backend_hash {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, NX_MAX_BACKEND_BLOCKS);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, struct nx_backend_key);
	__type(value, struct nx_backend_block);
} nx_backend_left SEC(".maps"), nx_backend_right SEC(".maps");

/* Which endpoint a flow's hash asks for, left and right. */
struct nx_table_hash {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries,
	       NX_MAX_TABLES *(NX_TABLE_SLOTS / NX_TABLE_BLOCK + 1));
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, struct nx_table_key);
	__type(value, struct nx_table);
} nx_table_left SEC(".maps"), nx_table_right SEC(".maps");

/* Who may call a load balancer's address, left and right. */
struct nx_source_trie {
	__uint(type, BPF_MAP_TYPE_LPM_TRIE);
	__uint(max_entries, NX_MAX_SOURCE_RANGES);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, struct nx_source_key);
	__type(value, struct nx_source);
} nx_source_left SEC(".maps"), nx_source_right SEC(".maps");

/* Names of Service ports, for looking. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, NX_MAX_SERVICE_PORTS);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, __u32);
	__type(value, struct nx_service_name);
} nx_service_name SEC(".maps");

/* Which endpoint a client of a Service with affinity has. */
struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 65536);
	__type(key, struct nx_affinity_key);
	__type(value, struct nx_affinity);
} nx_affinity SEC(".maps");

/* Sockets that connected to a Service. */
struct {
	__uint(type, BPF_MAP_TYPE_SK_STORAGE);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, int);
	__type(value, struct nx_peer);
} nx_peer SEC(".maps");

/* Datagrams that sockets send to Services. */
struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, NX_MAX_SOCKETS);
	__type(key, struct nx_socket_key);
	__type(value, struct nx_socket);
} nx_socket SEC(".maps");

/* Traffic of subnets through the node: number * 2 + enum nx_direction. */
struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 2 * NX_MAX_SUBNETS);
	__type(key, __u32);
	__type(value, struct nx_gateway);
} nx_gateway SEC(".maps");

/* The named sets, for looking. */
struct {
	__uint(type, BPF_MAP_TYPE_LPM_TRIE);
	__uint(max_entries, NX_MAX_SET_MEMBERS);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, struct nx_set_key);
	__type(value, struct nx_set_member);
} nx_set SEC(".maps");

/* Managed devices by ifindex. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 4096);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, __u32);
	__type(value, struct nx_device);
} nx_device SEC(".maps");

/* The node's own addresses. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 16384);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, struct nx_addr);
	__type(value, struct nx_local);
} nx_local SEC(".maps");

/* Source ports never given to a flow. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, NX_PORT_WORDS);
	__type(key, __u32);
	__type(value, struct nx_port_word);
} nx_port SEC(".maps");

/* Probes that a proxy takes over. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, NX_MAX_PROBES);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, struct nx_probe_key);
	__type(value, struct nx_probe);
} nx_probe SEC(".maps");

/* Packets and bytes per reason. */
struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, NX_R_COUNT);
	__type(key, __u32);
	__type(value, struct nx_count);
} nx_count SEC(".maps");

/* Packets that took no short cut, and why. */
struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, NX_DETOUR_COUNT);
	__type(key, __u32);
	__type(value, struct nx_detours);
} nx_detour SEC(".maps");

/* Whether short cuts are still right. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct nx_epoch);
} nx_epoch SEC(".maps");

/* Scalars of the configuration, left and right. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 2);
	__type(key, __u32);
	__type(value, struct nx_config);
} nx_config SEC(".maps");

/* Which side is in force. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct nx_generation);
} nx_generation SEC(".maps");
