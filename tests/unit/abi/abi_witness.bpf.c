// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* Never loaded.  One variable per struct and enum of the contract, so that clang describes each of
 * them in BTF; abi_test.cpp compares that with the reviewed copy.
 */
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

struct nx_addr w_addr;
struct nx_prefix w_prefix;

struct nx_generation w_generation;
struct nx_config w_config;
struct nx_port_word w_port_word;
struct nx_port_span w_port_span;
struct nx_calico w_calico;

struct nx_device w_device;
struct nx_local w_local;

struct nx_tuple w_tuple;
struct nx_flow w_flow;
struct nx_established w_established;
struct nx_way w_way;
struct nx_epoch w_epoch;
struct nx_detours w_detours;
enum nx_detour w_detour;
struct nx_clock_slot w_clock_slot;
struct nx_clock_ring w_clock_ring;
struct nx_frag_key w_frag_key;
struct nx_frag w_frag;

struct nx_count w_count;
enum nx_verdict_kind w_verdict_kind;

struct nx_net w_net;
struct nx_set_key w_set_key;
struct nx_set_member w_set_member;
struct nx_subnet w_subnet;
struct nx_policy_key w_policy_key;
struct nx_policy w_policy;
enum nx_policy_side w_policy_side;
struct nx_gateway w_gateway;
enum nx_direction w_direction;
struct nx_port_key w_port_key;
struct nx_port_member w_port_member;
struct nx_loop_key w_loop_key;
struct nx_loop w_loop;
struct nx_range_key w_range_key;
struct nx_range w_range;

struct nx_fip_key w_fip_key;
struct nx_fip w_fip;

struct nx_service_key w_service_key;
struct nx_service w_service;
enum nx_service_flags w_service_flags;
struct nx_backend_key w_backend_key;
struct nx_backend w_backend;
struct nx_backend_block w_backend_block;
enum nx_backend_list w_backend_list;
struct nx_table_key w_table_key;
struct nx_table w_table;
struct nx_source_key w_source_key;
struct nx_source w_source;
struct nx_service_name w_service_name;
struct nx_affinity_key w_affinity_key;
struct nx_affinity w_affinity;

struct nx_peer w_peer;
struct nx_socket_key w_socket_key;
struct nx_socket w_socket;
struct nx_peer_line w_peer_line;
enum nx_socket_way w_socket_way;
enum nx_sockets w_sockets;

struct nx_probe_key w_probe_key;
struct nx_probe w_probe;
