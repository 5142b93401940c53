# SPDX-License-Identifier: Apache-2.0
"""tools/bench/pktgen without a kernel that has pktgen: what would be written, and what is refused.

Devices are of a network namespace of the test's own, which ends with it.
"""

import json
import pathlib
import subprocess
import tempfile
import unittest

HERE = pathlib.Path(__file__).resolve().parent
SETUP = """
ip link add card0 numtxqueues 2 numrxqueues 2 type veth peer name peer0
ip link set card0 up; ip link set peer0 up
ip link add down0 type veth peer name peer1
ip link add loose0 type veth peer name peer2; ip link set loose0 up
"""
ENDS4 = ("--source", "10.16.0.10", "--destination", "198.18.0.9")
ENDS6 = ("--source", "fd00:10:16::10", "--destination", "2001:db8::9")
OTHERS = ("--device", "card0", "--mac", "02:00:5e:10:00:01", "--count", "1001", "--dry-run")


class Pktgen(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        # It lives for as long as its standard input is open, and says when its devices are there.
        cls.holder = subprocess.Popen(["unshare", "--net", "bash", "-ec", f"{SETUP}\necho up; cat"],
                                      stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        if cls.holder.stdout.readline() != "up\n":
            raise RuntimeError("no network namespace with veths: is this root?")

    @classmethod
    def tearDownClass(cls):
        cls.holder.communicate()

    def run_script(self, script, *options):
        return subprocess.run(["nsenter", f"--net=/proc/{self.holder.pid}/ns/net", HERE / script,
                               *options], text=True, capture_output=True, check=False)

    def written(self, script, *options):
        """{file below /proc/net/pktgen: lines} of a dry run."""
        done = self.run_script(script, *OTHERS, *options)
        self.assertEqual((done.returncode, done.stderr), (0, ""))
        files = {}
        for line in done.stdout.splitlines():
            text, _, file = line.removeprefix("echo '").partition("' > /proc/net/pktgen/")
            files.setdefault(file, []).append(text)
        return files

    def assert_refused(self, status, sentence, *options, script="single"):
        done = self.run_script(script, *options)
        self.assertEqual((done.returncode, done.stdout), (status, ""), done.stderr)
        self.assertIn(sentence, done.stderr)
        self.assertEqual(len(done.stderr.splitlines()), 1, done.stderr)

    def test_one_thread_sends_what_was_asked_for(self):
        files = self.written("single", *ENDS4, "--cpu", "3", "--queue", "1", "--rate", "5000")
        self.assertEqual(list(files), ["kpktgend_3", "card0@3", "pgctrl"])
        self.assertEqual(files["kpktgend_3"], ["add_device card0@3"])
        for line in ("count 1001", "pkt_size 60", "clone_skb 0", "burst 1", "ratep 5000", "flag UDPCSUM",
                     "dst_mac 02:00:5e:10:00:01", "dst_min 198.18.0.9", "dst_max 198.18.0.9",
                     "src_min 10.16.0.10", "src_max 10.16.0.10", "queue_map_min 1", "queue_map_max 1"):
            self.assertIn(line, files["card0@3"])
        self.assertEqual(files["pgctrl"], ["start"])

    def test_sizes_are_of_frames_with_their_checksum(self):
        self.assertIn("pkt_size 1514", self.written("single", *ENDS4, "--size", "1518")["card0@0"])
        mix = self.written("single", *ENDS4, "--size", "imix")["card0@0"]
        self.assertIn("imix_weights 60,7 566,4 1514,1", mix)
        self.assertFalse([line for line in mix if line.startswith("pkt_size")])

    def test_ipv6_has_addresses_of_its_own_and_no_frame_without_room_for_its_headers(self):
        done = self.run_script("single", *OTHERS, *ENDS6, "--size", "imix")
        self.assertIn("82 bytes", done.stderr)
        for text in ("dst6 2001:db8::9", "src6 fd00:10:16::10", "imix_weights 78,7 566,4 1514,1"):
            self.assertIn(f"echo '{text}' > /proc/net/pktgen/card0@0\n", done.stdout)
        self.assertNotIn("'dst_min", done.stdout)

    def test_threads_share_packets_rate_and_source_ports_and_have_queues_of_their_own(self):
        files = self.written("multi", *ENDS4, "--cpus", "2,5", "--rate", "101", "--source-ports",
                             "1000-1100")
        for name, lines in {
                "card0@2": ("count 501", "ratep 51", "udp_src_min 1000", "udp_src_max 1050",
                            "queue_map_min 0", "queue_map_max 0"),
                "card0@5": ("count 500", "ratep 50", "udp_src_min 1050", "udp_src_max 1101",
                            "queue_map_min 1", "queue_map_max 1")}.items():
            for line in lines:
                self.assertIn(line, files[name])

    def test_ranges_are_taken_in_turn_or_at_random(self):
        ranges = ("--source", "10.16.0.10-10.16.0.20", "--destination", "198.18.0.1-198.18.0.99")
        lines = self.written("single", *ranges, "--flows", "50", "--flow-length", "8")["card0@0"]
        for line in ("src_max 10.16.0.20", "dst_max 198.18.0.99", "flows 50", "flowlen 8", "flag FLOW_SEQ"):
            self.assertIn(line, lines)
        self.assertFalse([line for line in lines if line.endswith("_RND")])
        lines = self.written("single", *ranges, "--random")["card0@0"]
        for flag in ("UDPSRC_RND", "UDPDST_RND", "IPSRC_RND", "IPDST_RND"):
            self.assertIn(f"flag {flag}", lines)

    def test_copies_of_a_packet(self):
        lines = self.written("single", *ENDS4, "--clone", "7", "--burst", "3", "--rate", "1000")["card0@0"]
        self.assertIn("clone_skb 7", lines)
        self.assertIn("burst 3", lines)
        self.assertIn("ratep 334", lines)  # of bursts: the kernel waits between these

    def test_nothing_is_sent_by_default(self):
        for gone in ("--device", "--mac", "--count", "--source", "--destination"):
            given = [*OTHERS[:-1], *ENDS4]
            at = given.index(gone)
            self.assert_refused(2, f"{gone} is missing", *given[:at], *given[at + 2:], "--dry-run")
        self.assert_refused(2, "--cpus is missing", *OTHERS, *ENDS4, script="multi")

    def test_devices_that_cannot_send_are_refused(self):
        for name, why in {"nowhere0": "no device nowhere0", "down0": "down0 is down", "lo": "not Ethernet",
                          "loose0": "no carrier"}.items():
            self.assert_refused(3, why, *OTHERS, *ENDS4, "--device", name)
        self.assert_refused(3, "has 2 queues", *OTHERS, *ENDS4, "--cpus", "0-2", script="multi")
        self.assert_refused(2, "--queue 2", *OTHERS, *ENDS4, "--queue", "2")

    def test_wrong_values_are_refused_with_the_option_that_has_them(self):
        for option, value, ends in (
                ("--count", "0", ENDS4), ("--count", "1e6", ENDS4), ("--mac", "02:00:5e:10:00", ENDS4),
                ("--source", "10.16.0.256", ENDS4), ("--source", "10.16.0", ENDS4),
                ("--source", "10.16.0.9-10.16.0.1", ENDS4), ("--source", "fd00::1", ENDS4),
                ("--destination", "2001:db8::9::1", ENDS6), ("--destination", "2001:db8:9", ENDS6),
                ("--size", "63", ENDS4), ("--size", "81", ENDS6),
                ("--size", "1519", ENDS4), ("--source-ports", "0", ENDS4),
                ("--source-ports", "9-8", ENDS4), ("--destination-ports", "9-65535", ENDS4),
                ("--rate", "0", ENDS4), ("--burst", "0", ENDS4), ("--clone", "many", ENDS4),
                ("--flows", "5", ENDS4), ("--cpu", "x", ENDS4), ("--cpu", "0-1", ENDS4),
                ("--count", "010", ENDS4), ("--source", "010.16.0.1", ENDS4), ("--receiver-by", "ssh sink", ENDS4)):
            with self.subTest(option=option, value=value):
                self.assert_refused(2, option, *OTHERS, *ends, option, value)
        self.assert_refused(2, "ranges of IPv4", *OTHERS, *ENDS6, "--source", "fd00::1-fd00::9")
        self.assert_refused(2, "--flows: pktgen's flows are of IPv4", *OTHERS, *ENDS6, "--flows", "5",
                            "--flow-length", "5")
        self.assert_refused(2, "one size only", *OTHERS, *ENDS4, "--size", "imix", "--clone", "2")
        self.assert_refused(2, "no option --cpus here", *OTHERS, *ENDS4, "--cpus", "0")
        self.assert_refused(2, "named twice", *OTHERS, *ENDS4, "--cpus", "0,0", script="multi")


RESULT = """Params: count 2000  min_pkt_size: 60  max_pkt_size: 60
     frags: 0  delay: 0  clone_skb: 0  ifname: eth1@0
Current:
     pkts-sofar: {sent}  errors: 3
{mix}     started: 1us  stopped: 2us idle: 1us
Result: {result}
"""


class Results(unittest.TestCase):
    def parse(self, mix="", result="OK: 4000(c3999+d1) usec, 2000 (60byte,0frags)\n  500000pps errors: 3",
              sent=2000):
        return subprocess.run(["bash", "-c", f". {HERE}/report; parse_result /dev/stdin 60"], text=True,
                              input=RESULT.format(mix=mix, result=result, sent=sent), capture_output=True,
                              check=False)

    def test_packets_time_errors_and_bytes(self):
        self.assertEqual(self.parse().stdout, "2000 4000 3 120000\n")

    def test_runs_of_hours(self):
        done = self.parse(result="OK: 7200000000(c1+d1) usec, 80000000000 (60byte,0frags)", sent=80000000000)
        self.assertEqual(done.stdout, "80000000000 7200000000 3 4800000000000\n")

    def test_bytes_of_a_mix_are_those_of_its_sizes(self):
        done = self.parse(mix="     imix_size_counts: 60,1000 566,600 1514,400 \n")
        self.assertEqual(done.stdout, f"2000 4000 3 {60 * 1000 + 566 * 600 + 1514 * 400}\n")

    def test_a_thread_that_never_ran_has_no_result(self):
        self.assertEqual(self.parse(result="Idle").returncode, 1)

    def test_json_and_the_line_for_people_say_the_same(self):
        script = f"""
        . {HERE}/report
        PG=$1 device=eth1 family=4 size=imix frames="60,7 566,4 1514,1" threads=2 count=4000 json=-
        cpu_list=(0 3) queue_list=(0 1) receiver=eth9 node=""
        name_of() {{ echo "eth1@${{cpu_list[$1]}}"; }}
        sender_before="tx_packets 1" sender_after="tx_packets 4001"
        receiver_before=$'rx_packets 5\nrx_dropped 0' receiver_after=$'rx_packets 3996\nrx_dropped 9'
        report"""
        with tempfile.TemporaryDirectory() as folder:
            for cpu, took in ((0, 4000), (3, 8000)):
                text = RESULT.format(sent=2000, mix="     imix_size_counts: 60,1000 566,600 1514,400 \n",
                                     result=f"OK: {took}(c1+d1) usec, 2000 (1514byte,0frags)")
                (pathlib.Path(folder) / f"eth1@{cpu}").write_text(text)
            done = subprocess.run(["bash", "-euc", script, "report", folder], text=True,
                                  capture_output=True, check=False)
        self.assertEqual((done.returncode, done.stderr), (0, ""))
        *lines, last = done.stdout.splitlines()
        found = json.loads(last)
        bits = 2 * (60 * 1000 + 566 * 600 + 1514 * 400) * 8  # of both threads, without checksums
        self.assertEqual((found["sent"], found["asked"], found["errors"], found["delivered"]),
                         (4000, 4000, 6, 3991))
        self.assertEqual((found["microseconds"], found["packetsPerSecond"]), (8000, 500000))
        self.assertAlmostEqual(found["megabitsPerSecond"], (bits + 4000 * 4 * 8) / 8000, places=2)
        self.assertAlmostEqual(found["lineMegabitsPerSecond"], (bits + 4000 * 24 * 8) / 8000, places=2)
        self.assertEqual([thread["packetsPerSecond"] for thread in found["threads"]], [500000, 250000])
        self.assertEqual(found["counters"], {"sender": {"tx_packets": 4000},
                                             "receiver": {"rx_packets": 3991, "rx_dropped": 9}})
        self.assertIn("sent 4000 of 4000 in 0.008 s, 500000 packets/s", "\n".join(lines))
        self.assertIn("  delivered to eth9: 3991 of 4000 (99.78 %)", lines)
        self.assertIn("  counted at the receiver meanwhile: rx_dropped 9", lines)

    def test_only_counters_that_changed_are_told(self):
        done = subprocess.run(
            ["bash", "-c", f'. {HERE}/report; moved "$1" "$2"', "moved", "rx_packets 7\nrx_dropped 1",
             "rx_packets 80000000012\nrx_dropped 1"], text=True, capture_output=True, check=False)
        self.assertEqual(done.stdout, "rx_packets 80000000005\n")  # more than awk's integers hold


if __name__ == "__main__":
    unittest.main()
