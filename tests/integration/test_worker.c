// SPDX-License-Identifier: GPL-3.0-or-later
/*
 * tests/integration/test_worker.c - bulkhead-worker as it is shipped: its engine, its sandbox, a real queue
 *
 * In a network namespace of this program's own (root). Datagrams to 127.0.0.2 and fd00::2, port 9, are queued; what
 * comes back as DNS passes, as the product's rules would have it, the rest does not.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <arpa/inet.h>
#include <net/if.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/wait.h>

#include "common/util.h"
#include "dataplane/worker/pool.h"
#include "policy/compile.h"
#include "policy/load.h"
#include "tests/lib/slow.h"

static const char manifests[] = "apiVersion: bulkhead.network/v1alpha1\n"
				"kind: Endpoint\n"
				"metadata: {name: server, namespace: lab}\n"
				"spec: {addresses: [127.0.0.2, 'fd00::2']}\n"
				"---\n"
				"apiVersion: bulkhead.network/v1alpha1\n"
				"kind: TrafficPolicy\n"
				"metadata: {name: names, namespace: lab}\n"
				"spec:\n"
				"  podSelector: {}\n"
				"  isolate: ingress\n"
				"  ingress:\n"
				"  - ports: [9/udp]\n"
				"    protocols: [dns]\n";

/* A query for the address of "a." */
static const char query[] = "\x12\x34\x01\x00\x00\x01\x00\x00\x00\x00\x00\x00\x01"
			    "a\x00\x00\x01\x00\x01";
/* What a BitTorrent client asks its peers. */
static const char torrent[] = "d1:ad2:id20:abcdefghij0123456789e1:q4:ping1:t2:aa1:y1:qe";

static struct scene {
	char dir[32];
	struct bh_loop *loop;
	struct bh_pool *pool;
	struct bh_policy_set *set;
	struct bh_compiler *compiler;
	struct bh_compiled compiled;
	struct bh_addrtable *addrs;
	int rx[2]; /* IPv4, IPv6 */
	unsigned findings, restarts;
	struct bh_finding found;
	bh_msec_t gap;
} scene;

static void on_finding(void *arg, unsigned worker, int64_t wall_us, const struct bh_finding *f)
{
	scene.findings++;
	scene.found = *f;
}

static void on_lost(void *arg, unsigned worker, const char *cause, uint64_t n)
{
	fail_msg("%llu lost: %s", (unsigned long long)n, cause);
}

static void on_restarted(void *arg, unsigned worker, int status, bh_msec_t gap_ms)
{
	scene.restarts++;
	scene.gap = gap_ms;
}

static void turn(const unsigned *counter, unsigned n, int ms)
{
	bh_msec_t end = bh_clock_now() + slow(ms);

	while (*counter < n && bh_clock_now() < end)
		assert_int_equal(bh_loop_once(scene.loop, 5), 0);
}

/* One datagram in a flow of its own. Return: it arrived. */
static bool passes(unsigned six, const char *data, size_t len, int ms)
{
	const struct sockaddr_in to4 = { .sin_family = AF_INET,
					 .sin_port = htons(9),
					 .sin_addr.s_addr = htonl(0x7f000002) };
	const struct sockaddr_in6 to6 = { .sin6_family = AF_INET6,
					  .sin6_port = htons(9),
					  .sin6_addr = { { { 0xfd, [15] = 2 } } } };
	/* From another address than the server's: whoever talks to itself is not asked. */
	const struct sockaddr_in6 from6 = { .sin6_family = AF_INET6,
					    .sin6_addr = IN6ADDR_LOOPBACK_INIT };
	struct pollfd p = { .fd = scene.rx[six], .events = POLLIN };
	bh_autoclose int tx = socket(six ? AF_INET6 : AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	bool came = false;
	char buf[512];

	assert_true(tx >= 0);
	if (six)
		assert_int_equal(bind(tx, (const struct sockaddr *)&from6, sizeof(from6)), 0);
	if (six)
		(void)!sendto(tx, data, len, 0, (const struct sockaddr *)&to6, sizeof(to6));
	else
		(void)!sendto(tx, data, len, 0, (const struct sockaddr *)&to4, sizeof(to4));
	while (poll(&p, 1, came ? 0 : ms) > 0) {
		ssize_t n = recv(scene.rx[six], buf, sizeof(buf), MSG_DONTWAIT);

		came |= n == (ssize_t)len && memcmp(buf, data, len) == 0;
	}
	return came;
}

static void judges_by_what_is_spoken(void **state)
{
	for (unsigned six = 0; six < 2; six++) {
		unsigned before = scene.findings;

		assert_true(passes(six, query, sizeof(query) - 1, slow(1000)));
		assert_false(passes(six, torrent, sizeof(torrent) - 1, 50));
		turn(&scene.findings, before + 1, 2000);
		assert_int_equal(scene.findings, before + 1);
		assert_int_equal(scene.found.refused, 1);
		assert_int_equal(scene.found.dport, 9);
		assert_int_equal(scene.found.dst.family, six ? 6 : 4);
		/* Named by nDPI, inside of the sandbox. */
		assert_int_equal(scene.found.by, BH_BY_NDPI);
		assert_string_equal(bh_proto_name(scene.found.proto), "bittorrent");
		assert_int_equal(scene.found.revision, 1);
	}
}

static void a_thousand_flows(void **state)
{
	struct bh_pool_worker w;

	for (int i = 0; i < 1000; i++)
		assert_true(passes(i & 1, query, sizeof(query) - 1, slow(1000)));
	bh_pool_get(scene.pool, 0, &w);
	assert_int_equal(w.stats.verdict_errors, 0);
	assert_int_equal(w.restarts, 0);
}

static void killed_and_serving_again(void **state)
{
	bh_msec_t sum = 0, worst = 0;

	for (unsigned i = 1; i <= 4; i++) {
		struct bh_pool_worker w;
		bh_msec_t begin;
		bool came = false;

		bh_pool_get(scene.pool, 0, &w);
		assert_int_equal(kill(w.pid, SIGKILL), 0);
		begin = bh_clock_now();
		while (!came && bh_clock_now() < begin + slow(10000)) {
			(void)bh_loop_once(scene.loop, 0);
			came = passes(0, query, sizeof(query) - 1, 2);
		}
		assert_true(came);
		sum += bh_clock_now() - begin;
		worst = BH_MAX(worst, bh_clock_now() - begin);
		turn(&scene.restarts, i, 2000);
		assert_int_equal(scene.restarts, i);
	}
	print_message("# gap after SIGKILL, with nDPI: mean %lld ms, worst %lld ms\n",
		      (long long)sum / 4, (long long)worst);
	assert_true(worst < slow(1000));
	assert_false(passes(0, torrent, sizeof(torrent) - 1, 50));
}

/* ---- the scene ---- */

static int check(const char *command)
{
	int r = system(command); /* NOLINT: a fixed text */

	if (r != 0)
		print_message("# failed: %s\n", command);
	return r;
}

/* Not at output: there the node is one end, and isolation never stands between it and a container. */
static int rules(const char *iptables)
{
	static const char *const lines[] = {
		"-t mangle -A PREROUTING -p udp --dport 9 -m mark --mark 0x7f150000/0xffff0000 -j ACCEPT",
		"-t mangle -A PREROUTING -p udp --dport 9 -m mark --mark 0x7f000000/0xff000000 -j DROP",
		"-t mangle -A PREROUTING -p udp --dport 9 -j MARK --set-mark 0x3e020000",
		"-t mangle -A PREROUTING -p udp --dport 9 -j NFQUEUE --queue-num 7",
	};

	for (size_t i = 0; i < BH_ARRAY_SIZE(lines); i++) {
		char command[256];

		(void)snprintf(command, sizeof(command), "%s %s", iptables, lines[i]);
		if (check(command))
			return -1;
	}
	return 0;
}

static int sockets(void)
{
	struct ifreq ifr = { .ifr_name = "lo", .ifr_flags = IFF_UP };
	struct sockaddr_in me4 = { .sin_family = AF_INET, .sin_port = htons(9) };
	struct sockaddr_in6 me6 = { .sin6_family = AF_INET6, .sin6_port = htons(9) };
	const int one = 1;

	scene.rx[0] = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	scene.rx[1] = socket(AF_INET6, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (ioctl(scene.rx[0], SIOCSIFFLAGS, &ifr) < 0 ||
	    setsockopt(scene.rx[1], IPPROTO_IPV6, IPV6_V6ONLY, &one, sizeof(one)) < 0 ||
	    bind(scene.rx[0], (struct sockaddr *)&me4, sizeof(me4)) < 0 ||
	    bind(scene.rx[1], (struct sockaddr *)&me6, sizeof(me6)) < 0)
		return -1;
	return 0;
}

static int compile(struct bh_err *err)
{
	struct bh_diags d = BH_DIAGS_INIT;
	int r;

	scene.set = bh_policy_set_new();
	if (!scene.set ||
	    bh_load_text(scene.set, "test", manifests, sizeof(manifests) - 1, &d) < 0 ||
	    bh_load_finish(scene.set, &d) < 0)
		return bh_err_set(err, -EINVAL, "%s", d.n ? d.items[0].message : "no set");
	bh_diags_done(&d);
	scene.set->endpoints[0]->local = true;
	r = bh_compiler_new(&scene.compiler);
	if (r == 0)
		r = bh_compile(scene.compiler,
			       &(struct bh_compile_input){
				   .set = scene.set,
				   .eps = (const struct bh_endpoint *const *)scene.set->endpoints,
				   .n_eps = scene.set->n_endpoints,
				   .revision = 1,
			       },
			       &scene.compiled, err);
	if (r == 0)
		r = bh_addrtable_new(16, &scene.addrs, err);
	for (size_t i = 0; r == 0 && i < scene.compiled.n_addrs; i++)
		r = bh_addrtable_set(scene.addrs, &scene.compiled.addrs[i].addr,
				     scene.compiled.addrs[i].cls, true);
	return r;
}

static int build_scene(void **state)
{
	static const struct bh_pool_ops ops = { on_finding, on_lost, on_restarted };
	const char *root = getenv("BH_BUILD_ROOT");
	struct bh_pool_config cfg = {
		.run_dir = scene.dir, .queue_base = 7, .n = 1, .engine = BH_ENGINE_CONFIG_DEFAULT
	};
	struct bh_err err = { 0 };
	char program[512];
	int r;

	if (unshare(CLONE_NEWNET) < 0 || sockets() < 0 ||
	    check("ip -6 addr add fd00::2/128 dev lo nodad") || rules("iptables") < 0 ||
	    rules("ip6tables") < 0) {
		print_message("# no scene: %s\n", strerror(errno));
		return -1;
	}
	(void)snprintf(scene.dir, sizeof(scene.dir), "/tmp/bh-worker-XXXXXX");
	if (!mkdtemp(scene.dir))
		return -1;
	(void)snprintf(program, sizeof(program), "%s/dataplane/worker/bulkhead-worker",
		       root ? root : ".");
	cfg.worker_bin = program;
	r = compile(&err);
	if (r == 0)
		r = bh_loop_new(&scene.loop, &err);
	if (r == 0)
		r = bh_pool_new(scene.loop, &cfg, &ops, NULL, &scene.pool, &err);
	if (r == 0)
		r = bh_pool_start(scene.pool, &err);
	if (r == 0)
		r = bh_pool_publish(scene.pool, scene.compiled.rules, scene.addrs, &err);
	if (r < 0)
		print_message("# %s\n", bh_err_text(&err, r));
	return r;
}

static int clear_scene(void **state)
{
	bh_pool_stop_workers(scene.pool);
	bh_pool_free(scene.pool);
	bh_loop_free(scene.loop);
	bh_addrtable_free(scene.addrs);
	bh_compiled_done(&scene.compiled);
	bh_compiler_free(scene.compiler);
	bh_policy_set_free(scene.set);
	return rmdir(scene.dir);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(judges_by_what_is_spoken),
		cmocka_unit_test(a_thousand_flows),
		cmocka_unit_test(killed_and_serving_again),
	};

	return cmocka_run_group_tests(tests, build_scene, clear_scene);
}
