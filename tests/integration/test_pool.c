// SPDX-License-Identifier: GPL-3.0-or-later
/*
 * tests/integration/test_pool.c - workers that are started, killed, hung, orphaned and taken over
 *
 * Real processes, real queues, in a network namespace of this program's own (root). The workers' engine does
 * what a packet's last byte says (tests/lib/fake_engine.c). Datagrams to 127.0.0.1 port 9 go to queue 7, those
 * to port 10 to queue 8.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <arpa/inet.h>
#include <fcntl.h>
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

#include "common/file.h"
#include "common/util.h"
#include "dataplane/worker/pool.h"
#include "tests/lib/slow.h"

#define QUEUE 7

struct scene {
	char dir[64], worker[512];
	struct bh_loop *loop;
	struct bh_pool *pool;
	struct bh_addrtable *addrs;
	int tx, rx[2];
	unsigned findings, restarts;
	uint32_t last_pkts; /* counts what one worker found */
	bool order_broken;
	bh_msec_t gap;
	int status;
	uint64_t lost;
};

static struct scene scene;

static void on_finding(void *arg, unsigned worker, int64_t wall_us, const struct bh_finding *f)
{
	struct scene *s = arg;

	s->findings++;
	if (f->pkts != s->last_pkts + 1)
		s->order_broken = true;
	s->last_pkts = f->pkts;
	assert_true(wall_us > 0);
}

static void on_lost(void *arg, unsigned worker, const char *cause, uint64_t n)
{
	struct scene *s = arg;

	s->lost += n;
}

static void on_restarted(void *arg, unsigned worker, int status, bh_msec_t gap_ms)
{
	struct scene *s = arg;

	s->restarts++;
	s->status = status;
	s->gap = gap_ms;
}

static const struct bh_pool_ops ops = { on_finding, on_lost, on_restarted };

static int open_pool(struct scene *s, uint16_t n, uint32_t flows, struct bh_err *err)
{
	const struct bh_pool_config cfg = { .run_dir = s->dir,
					    .worker_bin = s->worker,
					    .queue_base = QUEUE,
					    .n = n,
					    .engine = { .flows = flows, .contexts = 64 } };
	int r;

	assert_int_equal(bh_loop_new(&s->loop, NULL), 0);
	r = bh_pool_new(s->loop, &cfg, &ops, s, &s->pool, err);
	if (r == 0)
		r = bh_pool_start(s->pool, err);
	return r;
}

static void close_pool(struct scene *s)
{
	s->pool = bh_pool_free(s->pool);
	s->loop = bh_loop_free(s->loop);
}

static int publish(struct scene *s, uint64_t revision, struct bh_err *err)
{
	bh_cleanup(bh_ruleset_freep) struct bh_ruleset *rs = NULL;
	uint64_t any = 1;

	/* The fake rule set is its number; the workers refuse 666. */
	assert_int_equal(bh_ruleset_map(&any, sizeof(any), &rs, NULL), 0);
	memcpy(rs, &revision, sizeof(revision));
	return bh_pool_publish(s->pool, rs, s->addrs, err);
}

static void start(struct scene *s, uint16_t n)
{
	struct bh_err err = { 0 };

	if (open_pool(s, n, 64, &err) < 0 || publish(s, 1, &err) < 0)
		fail_msg("%s", err.msg);
}

static struct bh_pool_worker worker(struct scene *s, unsigned i)
{
	struct bh_pool_worker w;

	bh_pool_get(s->pool, i, &w);
	return w;
}

/* The loop for @ms (more where it is slow), or until the counter has reached @n. */
static void turn(struct scene *s, const unsigned *counter, unsigned n, int ms)
{
	bh_msec_t end = bh_clock_now() + slow(ms);

	while ((!counter || *counter < n) && bh_clock_now() < end)
		if (s->loop)
			assert_int_equal(bh_loop_once(s->loop, 5), 0);
		else
			(void)poll(NULL, 0, 5);
}

/* What a successor says about its rules can come after packets got through again. */
static void wait_for_revision(struct scene *s, unsigned i, uint64_t revision)
{
	bh_msec_t end = bh_clock_now() + slow(2000);

	while (worker(s, i).revision != revision && bh_clock_now() < end)
		assert_int_equal(bh_loop_once(s->loop, 5), 0);
	assert_int_equal(worker(s, i).revision, revision);
}

static void transmit(struct scene *s, unsigned i, const char *text)
{
	struct sockaddr_in to = { .sin_family = AF_INET,
				  .sin_port = htons((uint16_t)(9 + i)),
				  .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };

	(void)!sendto(s->tx, text, strlen(text), 0, (struct sockaddr *)&to, sizeof(to));
}

static bool arrived(struct scene *s, unsigned i, const char *text, int ms)
{
	struct pollfd p = { .fd = s->rx[i], .events = POLLIN };
	char buf[64];

	while (poll(&p, 1, ms) > 0) {
		ssize_t n = recv(s->rx[i], buf, sizeof(buf), MSG_DONTWAIT);

		if (n == (ssize_t)strlen(text) && memcmp(buf, text, (size_t)n) == 0)
			return true;
	}
	return false;
}

/* One datagram with a text of its own. */
static bool passes(struct scene *s, unsigned i, char how)
{
	static unsigned n;
	char text[32];

	(void)snprintf(text, sizeof(text), "%u %c", ++n, how);
	transmit(s, i, text);
	return arrived(s, i, text, how == 'D' ? 50 : slow(1000));
}

/* Milliseconds until a datagram gets through again. */
static bh_msec_t gap(struct scene *s)
{
	bh_msec_t begin = bh_clock_now();

	while (bh_clock_now() < begin + slow(10000)) {
		static unsigned n;
		char text[32];

		(void)snprintf(text, sizeof(text), "gap %u P", ++n);
		transmit(s, 0, text);
		(void)bh_loop_once(s->loop, 0);
		if (arrived(s, 0, text, 2))
			return bh_clock_now() - begin;
	}
	fail_msg("nothing passes any more");
	return -1;
}

/* Packets that wait for a verdict, -1 if the queue is not bound. */
static int waiting(unsigned queue)
{
	bh_autoclose int fd =
	    open("/proc/thread-self/net/netfilter/nfnetlink_queue", O_RDONLY | O_CLOEXEC);
	bh_autofree char *text = NULL;
	size_t size;

	assert_int_equal(bh_fd_read(fd, 65536, &text, &size), 0);
	for (const char *line = text; *line;) {
		unsigned number, port;
		int total;

		if (sscanf(line, "%u %u %d", &number, &port, &total) == 3 && number == queue)
			return total;
		line += strcspn(line, "\n");
		line += *line == '\n';
	}
	return -1;
}

static bool alive(int pid)
{
	return kill(pid, 0) == 0;
}

/* What a test that tries another program puts aside. */
static char real_worker[sizeof(((struct scene *)0)->worker)];

static int end_scene(void **state)
{
	struct scene *s = &scene;

	if (!s->pool)
		(void)open_pool(s, 2, 64, NULL);
	bh_pool_stop_workers(s->pool);
	close_pool(s);
	if (real_worker[0]) { /* another one was tried */
		(void)unlink(s->worker);
		memcpy(s->worker, real_worker, sizeof(s->worker));
		real_worker[0] = '\0';
	}
	s->findings = s->restarts = s->last_pkts = 0;
	s->lost = 0;
	s->order_broken = false;
	return 0;
}

/* ---- tests ---- */

static void starts_and_judges(void **state)
{
	struct scene *s = &scene;

	start(s, 2);
	assert_int_equal(bh_pool_count(s->pool), 2);
	for (unsigned i = 0; i < 2; i++) {
		assert_true(passes(s, i, 'P'));
		assert_true(passes(s, i, 'R'));
		assert_true(passes(s, i, 'S'));
		assert_false(passes(s, i, 'D'));
		assert_true(worker(s, i).connected);
		assert_int_equal(worker(s, i).revision, 1);
		assert_int_equal(worker(s, i).queue, QUEUE + i);
	}
	assert_true(worker(s, 0).pid != worker(s, 1).pid);
	assert_true(passes(s, 0, 'F'));
	turn(s, &s->findings, 1, 2000);
	assert_int_equal(s->findings, 1);
	assert_int_equal(publish(s, 2, NULL), 0);
	assert_int_equal(worker(s, 1).revision, 2);
	turn(s, NULL, 0, 1500);
	assert_int_equal(worker(s, 0).stats.verdicts, 5);
	assert_int_equal(worker(s, 0).stats.verdict_errors, 0);
}

static void before_rules_nothing_passes(void **state)
{
	struct scene *s = &scene;

	assert_int_equal(open_pool(s, 1, 64, NULL), 0);
	transmit(s, 0, "x P");
	assert_false(arrived(s, 0, "x P", 100));
	assert_int_equal(publish(s, 1, NULL), 0);
	assert_true(passes(s, 0, 'P'));
}

static void refused_rules_leave_the_old(void **state)
{
	struct scene *s = &scene;
	struct bh_err err = { 0 };

	start(s, 2);
	assert_int_equal(publish(s, 666, &err), -EPROTO);
	assert_non_null(
	    strstr(err.msg, " refuses the rules of revision 666: the number of the beast"));
	assert_int_equal(worker(s, 0).revision, 1);
	assert_true(passes(s, 0, 'P'));
	/* A successor gets what was accepted. */
	assert_int_equal(kill(worker(s, 0).pid, SIGKILL), 0);
	gap(s);
	assert_int_equal(publish(s, 3, &err), 0);
}

static void killed_worker_is_replaced(void **state)
{
	struct scene *s = &scene;
	bh_msec_t sum = 0, worst = 0;

	start(s, 1);
	for (unsigned i = 1; i <= 4; i++) {
		int pid = worker(s, 0).pid;
		bh_msec_t ms;

		assert_true(passes(s, 0, 'P'));
		assert_int_equal(kill(pid, SIGKILL), 0);
		ms = gap(s);
		sum += ms;
		worst = BH_MAX(worst, ms);
		turn(s, &s->restarts, i, 1000);
		assert_int_equal(s->restarts, i);
		assert_true(WIFSIGNALED(s->status) && WTERMSIG(s->status) == SIGKILL);
		assert_true(worker(s, 0).pid != pid);
		assert_int_equal(worker(s, 0).restarts, i);
		wait_for_revision(s, 0, 1);
	}
	print_message("# gap after SIGKILL: mean %lld ms, worst %lld ms\n", (long long)sum / 4,
		      (long long)worst);
	assert_true(worst < slow(1000));
}

static void packets_of_the_dead_are_dropped(void **state)
{
	struct scene *s = &scene;

	start(s, 1);
	for (int i = 0; i < 5; i++)
		transmit(s, 0, "!H");
	assert_true(passes(s, 0, 'P'));
	assert_int_equal(waiting(QUEUE), 5);
	assert_int_equal(kill(worker(s, 0).pid, SIGKILL), 0);
	assert_int_equal(waiting(QUEUE), 5);
	gap(s);
	assert_int_equal(waiting(QUEUE), 0);
	assert_false(arrived(s, 0, "!H", 10));
}

static void a_crashing_packet_does_not_stop_the_queue(void **state)
{
	struct scene *s = &scene;
	bh_msec_t begin;

	start(s, 1);
	for (unsigned i = 1; i <= 5; i++) {
		transmit(s, 0, "!A");
		turn(s, &s->restarts, i, 3000);
		assert_int_equal(s->restarts, i);
		assert_true(WIFSIGNALED(s->status) && WTERMSIG(s->status) == SIGABRT);
	}
	/* From now on not more than one start a second; but a start. */
	begin = bh_clock_now();
	transmit(s, 0, "!A");
	turn(s, &s->restarts, 6, 5000);
	assert_int_equal(s->restarts, 6);
	assert_true(bh_clock_now() - begin >= 900);
	assert_true(passes(s, 0, 'P'));
}

static void a_hung_worker_is_ended(void **state)
{
	struct scene *s = &scene;

	start(s, 1);
	transmit(s, 0, "!L");
	turn(s, &s->restarts, 1, 15000);
	assert_int_equal(s->restarts, 1);
	assert_true(passes(s, 0, 'P'));
}

static void a_worker_that_starts_slowly_is_waited_for(void **state)
{
	struct scene *s = &scene;
	char script[800], path[sizeof(s->worker)];
	int pid;

	/* Longer than one that hangs may be silent. */
	(void)snprintf(path, sizeof(path), "%.63s/slow", s->dir);
	(void)snprintf(script, sizeof(script), "#!/bin/sh\nsleep 7\nexec %.511s \"$@\"\n",
		       s->worker);
	assert_int_equal(bh_file_write(path, script, strlen(script), 0700, NULL), 0);
	memcpy(real_worker, s->worker, sizeof(s->worker));
	memcpy(s->worker, path, sizeof(path));
	start(s, 1);
	pid = worker(s, 0).pid;
	assert_int_equal(kill(pid, SIGKILL), 0);
	turn(s, &s->restarts, 1, 20000);
	wait_for_revision(s, 0, 1);
	assert_int_equal(s->restarts, 1);
	assert_true(passes(s, 0, 'P'));
}

static void rules_reach_a_worker_that_dies_meanwhile(void **state)
{
	struct scene *s = &scene;

	start(s, 2);
	assert_int_equal(kill(worker(s, 1).pid, SIGKILL), 0);
	assert_int_equal(publish(s, 5, NULL), 0);
	assert_int_equal(worker(s, 0).revision, 5);
	assert_int_equal(worker(s, 1).revision, 5);
	assert_true(passes(s, 1, 'P'));
}

static void findings_wait_for_an_answer_to_publish(void **state)
{
	struct scene *s = &scene;

	start(s, 1);
	for (int i = 0; i < 100; i++)
		assert_true(passes(s, 0, 'F'));
	assert_int_equal(publish(s, 2, NULL), 0);
	/* They came before the answer, but nothing is told inside the call. */
	assert_int_equal(s->findings, 0);
	turn(s, &s->findings, 100, 2000);
	assert_int_equal(s->findings, 100);
	assert_false(s->order_broken);
}

/* An agent in a process of its own. Return: its pid. */
static pid_t agent(struct scene *s)
{
	int ready[2];
	pid_t pid;
	char c;

	assert_int_equal(pipe2(ready, O_CLOEXEC), 0);
	pid = fork();
	assert_true(pid >= 0);
	if (pid == 0) {
		if (open_pool(s, 1, 64, NULL) < 0 || publish(s, 9, NULL) < 0 ||
		    write(ready[1], "x", 1) != 1)
			_exit(1);
		for (;;)
			(void)pause(); /* hears nothing: what is found waits */
	}
	(void)close(ready[1]);
	assert_int_equal(read(ready[0], &c, 1), 1);
	(void)close(ready[0]);
	return pid;
}

static void workers_outlive_the_agent(void **state)
{
	struct scene *s = &scene;
	pid_t first = agent(s);
	int pid;

	assert_int_equal(kill(first, SIGKILL), 0);
	assert_int_equal(waitpid(first, NULL, 0), first);
	assert_true(passes(s, 0, 'P'));
	assert_false(passes(s, 0, 'D'));
	for (int i = 0; i < 3000; i++)
		assert_true(passes(s, 0, 'F'));

	/* The next one takes over the process, its queue, and every finding. */
	assert_int_equal(open_pool(s, 1, 64, NULL), 0);
	pid = worker(s, 0).pid;
	assert_true(alive(pid));
	assert_int_equal(worker(s, 0).revision, 9);
	assert_int_equal(worker(s, 0).restarts, 0);
	turn(s, &s->findings, 3000, 5000);
	assert_int_equal(s->findings, 3000);
	assert_false(s->order_broken);
	assert_int_equal(s->lost, 0);
	assert_true(passes(s, 0, 'P'));
	assert_int_equal(publish(s, 10, NULL), 0);

	/* It is not our child, and its successor is started all the same. */
	assert_int_equal(kill(pid, SIGKILL), 0);
	gap(s);
	turn(s, &s->restarts, 1, 1000);
	assert_int_equal(s->restarts, 1);
	assert_int_equal(s->status, -1);
	assert_int_equal(worker(s, 0).revision, 10);

	/* An agent that ends in peace leaves it running, and nothing is told twice. */
	pid = worker(s, 0).pid;
	s->findings = 0;
	turn(s, NULL, 0, 50);
	close_pool(s);
	assert_true(passes(s, 0, 'P'));
	assert_int_equal(open_pool(s, 1, 64, NULL), 0);
	assert_int_equal(worker(s, 0).pid, pid);
	turn(s, NULL, 0, 50);
	assert_int_equal(s->findings, 0);
}

static void other_settings_mean_another_worker(void **state)
{
	struct scene *s = &scene;
	int pid, second;

	start(s, 2);
	pid = worker(s, 0).pid;
	second = worker(s, 1).pid;
	close_pool(s);
	assert_int_equal(open_pool(s, 1, 128, NULL), 0);
	assert_true(worker(s, 0).pid != pid);
	assert_int_equal(waitpid(pid, NULL, WNOHANG), -1); /* reaped */
	assert_int_equal(publish(s, 1, NULL), 0);
	assert_true(passes(s, 0, 'P'));
	/* One that the smaller pool has no place for is gone, and its queue with it. */
	assert_false(alive(second));
	assert_int_equal(waiting(QUEUE + 1), -1);
	assert_int_equal(waiting(QUEUE), 0);
}

static void a_worker_without_its_name_is_found_by_number(void **state)
{
	struct scene *s = &scene;
	char path[1024];
	int pid;

	start(s, 1);
	pid = worker(s, 0).pid;
	close_pool(s);
	(void)snprintf(path, sizeof(path), "%s/worker-0.sock", s->dir);
	assert_int_equal(unlink(path), 0);
	start(s, 1);
	assert_true(worker(s, 0).pid != pid);
	assert_true(passes(s, 0, 'P'));
}

static void the_worker_has_given_up_what_it_can(void **state)
{
	struct scene *s = &scene;
	bh_autofree char *text = NULL;
	bh_autoclose int fd = -1;
	char path[64];
	size_t size;
	int pid;

	start(s, 1);
	pid = worker(s, 0).pid;
	assert_int_equal(getsid(pid), pid);
	(void)snprintf(path, sizeof(path), "/proc/%d/status", pid);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	assert_int_equal(bh_fd_read(fd, 65536, &text, &size), 0);
	assert_non_null(strstr(text, "CapEff:\t0000000000001000\n"));
	assert_non_null(strstr(text, "CapPrm:\t0000000000001000\n"));
	assert_non_null(strstr(text, "CapBnd:\t0000000000000000\n"));
	assert_non_null(strstr(text, "CapInh:\t0000000000000000\n"));
	assert_non_null(strstr(text, "CapAmb:\t0000000000000000\n"));
	assert_non_null(strstr(text, "NoNewPrivs:\t1\n"));
	assert_non_null(strstr(text, "Seccomp:\t2\n"));
	/* Nothing, nothing, the log, the listening socket, the queue, epoll, the agent. */
	for (int i = 0; i < 10; i++) {
		char link[64];
		ssize_t n;

		(void)snprintf(path, sizeof(path), "/proc/%d/fd/%d", pid, i);
		n = readlink(path, link, sizeof(link) - 1);
		assert_true(i > 6 ? n < 0 : n > 0);
		link[n < 0 ? 0 : n] = '\0';
		if (i < 2)
			assert_string_equal(link, "/dev/null");
	}
}

static void failures_say_what_is_wrong(void **state)
{
	struct scene *s = &scene;
	struct bh_err err = { 0 };
	char saved[sizeof(s->worker)];

	memcpy(saved, s->worker, sizeof(saved));
	(void)snprintf(s->worker, sizeof(s->worker), "/nonexistent/bulkhead-worker");
	assert_int_equal(open_pool(s, 1, 64, &err), -ENOENT);
	assert_non_null(strstr(err.msg, "/nonexistent/bulkhead-worker cannot be started"));
	close_pool(s);
	(void)snprintf(s->worker, sizeof(s->worker), "/bin/false");
	assert_int_equal(open_pool(s, 1, 64, &err), -ETIMEDOUT);
	assert_non_null(strstr(err.msg, "/bin/false) ends as soon as it is started"));
	bh_pool_stop_workers(s->pool);
	close_pool(s);
	memcpy(s->worker, saved, sizeof(saved));
}

static int check(const char *command)
{
	int r = system(command); /* NOLINT: a fixed text */

	if (r != 0)
		print_message("# failed: %s\n", command);
	return r;
}

static int build_scene(void **state)
{
	const char *root = getenv("BH_BUILD_ROOT");
	struct ifreq ifr = { .ifr_name = "lo", .ifr_flags = IFF_UP };
	struct scene *s = &scene;

	if (unshare(CLONE_NEWNET) < 0) {
		print_message("# a network namespace could not be made: %s\n", strerror(errno));
		return -1;
	}
	s->tx = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (ioctl(s->tx, SIOCSIFFLAGS, &ifr) < 0)
		return -1;
	for (unsigned i = 0; i < 2; i++) {
		struct sockaddr_in me = { .sin_family = AF_INET,
					  .sin_port = htons((uint16_t)(9 + i)),
					  .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
		char command[200];

		s->rx[i] = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
		if (bind(s->rx[i], (struct sockaddr *)&me, sizeof(me)) < 0)
			return -1;
		/* What comes back with a verdict passes; the rest is marked as the product's rules do, and queued. */
		(void)snprintf(command, sizeof(command),
			       "iptables -t mangle -A OUTPUT -p udp --dport %u -m mark --mark "
			       "0x7f000000/0xff000000 -j ACCEPT",
			       9 + i);
		if (check(command))
			return -1;
		(void)snprintf(
		    command, sizeof(command),
		    "iptables -t mangle -A OUTPUT -p udp --dport %u -j MARK --set-mark 0x3e021234",
		    9 + i);
		if (check(command))
			return -1;
		(void)snprintf(
		    command, sizeof(command),
		    "iptables -t mangle -A OUTPUT -p udp --dport %u -j NFQUEUE --queue-num %u",
		    9 + i, QUEUE + i);
		if (check(command))
			return -1;
	}
	(void)snprintf(s->dir, sizeof(s->dir), "/tmp/bh-pool-XXXXXX");
	if (!mkdtemp(s->dir))
		return -1;
	(void)snprintf(s->worker, sizeof(s->worker), "%s/dataplane/worker/bulkhead-worker-fake",
		       root ? root : ".");
	return bh_addrtable_new(100, &s->addrs, NULL);
}

static int clear_scene(void **state)
{
	bh_addrtable_free(scene.addrs);
	return rmdir(scene.dir);
}

int main(void)
{
#define ENDS(f) cmocka_unit_test_teardown(f, end_scene)
	const struct CMUnitTest tests[] = {
		ENDS(starts_and_judges),
		ENDS(before_rules_nothing_passes),
		ENDS(refused_rules_leave_the_old),
		ENDS(killed_worker_is_replaced),
		ENDS(packets_of_the_dead_are_dropped),
		ENDS(a_crashing_packet_does_not_stop_the_queue),
		ENDS(a_hung_worker_is_ended),
		ENDS(a_worker_that_starts_slowly_is_waited_for),
		ENDS(rules_reach_a_worker_that_dies_meanwhile),
		ENDS(findings_wait_for_an_answer_to_publish),
		ENDS(workers_outlive_the_agent),
		ENDS(other_settings_mean_another_worker),
		ENDS(a_worker_without_its_name_is_found_by_number),
		ENDS(the_worker_has_given_up_what_it_can),
		cmocka_unit_test(failures_say_what_is_wrong),
	};

	return cmocka_run_group_tests(tests, build_scene, clear_scene);
}
