// SPDX-License-Identifier: Apache-2.0
#include "maps/config_maps.h"

#include <utility>

#include "maps/opener.h"

namespace natrix::maps {

Result<ConfigMaps> ConfigMaps::Open(const FdOf& fd_of) {
  Opener open(fd_of);
  auto generation = open.Open<ArrayMapView<nx_generation>>("nx_generation");
  auto config = open.Open<ArrayMapView<nx_config>>("nx_config");
  auto net_left = open.Open<LpmMapView<nx_prefix, nx_net>>("nx_net_left");
  auto net_right = open.Open<LpmMapView<nx_prefix, nx_net>>("nx_net_right");
  auto fip_left = open.Open<HashMapView<nx_fip_key, nx_fip>>("nx_fip_left");
  auto fip_right = open.Open<HashMapView<nx_fip_key, nx_fip>>("nx_fip_right");
  auto subnet_left = open.Open<HashMapView<std::uint32_t, nx_subnet>>("nx_subnet_left");
  auto subnet_right = open.Open<HashMapView<std::uint32_t, nx_subnet>>("nx_subnet_right");
  auto policy_left = open.Open<LpmMapView<nx_policy_key, nx_policy>>("nx_policy_left");
  auto policy_right = open.Open<LpmMapView<nx_policy_key, nx_policy>>("nx_policy_right");
  auto ports_left = open.Open<HashMapView<nx_port_key, nx_port_member>>("nx_ports_left");
  auto ports_right = open.Open<HashMapView<nx_port_key, nx_port_member>>("nx_ports_right");
  auto loop_left = open.Open<HashMapView<nx_loop_key, nx_loop>>("nx_loop_left");
  auto loop_right = open.Open<HashMapView<nx_loop_key, nx_loop>>("nx_loop_right");
  auto range_left = open.Open<LpmMapView<nx_range_key, nx_range>>("nx_range_left");
  auto range_right = open.Open<LpmMapView<nx_range_key, nx_range>>("nx_range_right");
  auto service_left = open.Open<HashMapView<nx_service_key, nx_service>>("nx_service_left");
  auto service_right = open.Open<HashMapView<nx_service_key, nx_service>>("nx_service_right");
  auto backend_left = open.Open<HashMapView<nx_backend_key, nx_backend_block>>("nx_backend_left");
  auto backend_right = open.Open<HashMapView<nx_backend_key, nx_backend_block>>("nx_backend_right");
  auto table_left = open.Open<HashMapView<nx_table_key, nx_table>>("nx_table_left");
  auto table_right = open.Open<HashMapView<nx_table_key, nx_table>>("nx_table_right");
  auto source_left = open.Open<LpmMapView<nx_source_key, nx_source>>("nx_source_left");
  auto source_right = open.Open<LpmMapView<nx_source_key, nx_source>>("nx_source_right");
  auto service_name = open.Open<HashMapView<std::uint32_t, nx_service_name>>("nx_service_name");
  auto set = open.Open<LpmMapView<nx_set_key, nx_set_member>>("nx_set");
  auto probe = open.Open<HashMapView<nx_probe_key, nx_probe>>("nx_probe");
  auto device = open.Open<HashMapView<std::uint32_t, nx_device>>("nx_device");
  auto local = open.Open<HashMapView<nx_addr, nx_local>>("nx_local");
  auto port = open.Open<ArrayMapView<nx_port_word>>("nx_port");
  auto gateway = open.Open<PerCpuArrayView<nx_gateway>>("nx_gateway");
  if (!open.done()) return std::unexpected(std::move(open.done()).error());
  return ConfigMaps{.generation = *generation,
                    .config = *config,
                    .net = {*net_left, *net_right},
                    .fip = {*fip_left, *fip_right},
                    .subnet = {*subnet_left, *subnet_right},
                    .policy = {*policy_left, *policy_right},
                    .ports = {*ports_left, *ports_right},
                    .loop = {*loop_left, *loop_right},
                    .range = {*range_left, *range_right},
                    .service = {*service_left, *service_right},
                    .backend = {*backend_left, *backend_right},
                    .table = {*table_left, *table_right},
                    .source = {*source_left, *source_right},
                    .service_name = *service_name,
                    .set = *set,
                    .probe = *probe,
                    .device = *device,
                    .local = *local,
                    .port = *port,
                    .gateway = *gateway};
}

}  // namespace natrix::maps
