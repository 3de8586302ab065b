// SPDX-License-Identifier: GPL-3.0-or-later
/*
 * tests/unit/test_proxy.c - userland proxies of published ports: command lines, and a /proc made by hand
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "agent/proxy.h"
#include "common/file.h"
#include "common/util.h"
#include "policy/model.h"

/* Words of a command line, blanks for the NULs. */
static int parse(const char *words, struct bh_port_proxy *p)
{
	char text[512];
	size_t n = strlen(words);

	(void)snprintf(text, sizeof(text), "%s", words);
	for (size_t i = 0; i < n; i++)
		if (text[i] == ' ')
			text[i] = '\0';
	return bh_proxy_parse(text, n + 1, p);
}

static void is(const char *words, const char *program, uint8_t l4, const char *host, uint16_t port,
	       const char *cont, uint16_t cont_port)
{
	struct bh_port_proxy p;
	char text[BH_ADDR_STRLEN];

	assert_int_equal(parse(words, &p), 0);
	assert_string_equal(p.program, program);
	assert_int_equal(p.l4, l4);
	assert_string_equal(p.host.family ? bh_addr_format(&p.host, text) : "", host);
	assert_int_equal(p.host_port, port);
	assert_string_equal(bh_addr_format(&p.cont, text), cont);
	assert_int_equal(p.cont_port, cont_port);
}

static void test_command_lines(void **state)
{
	(void)state;
	is("/usr/sbin/docker-proxy -proto tcp -host-ip 0.0.0.0 -host-port 8080 -container-ip "
	   "172.17.0.2 -container-port 80",
	   "docker-proxy", BH_L4_TCP, "0.0.0.0", 8080, "172.17.0.2", 80);
	is("docker-proxy -proto udp -host-ip :: -host-port 53 -container-ip fd00::2 -container-port "
	   "5353 -use-listen-fd",
	   "docker-proxy", BH_L4_UDP, "::", 53, "fd00::2", 5353);
	/* Before Docker 1.10 and by hand: other order, other ways to write a flag of Go's. */
	is("docker-proxy --container-port=80 --container-ip=10.0.0.1 --proto=sctp", "docker-proxy",
	   BH_L4_SCTP, "", 0, "10.0.0.1", 80);
	is("/usr/local/bin/rootlesskit-docker-proxy -verbose yes -container-ip 10.0.0.1 "
	   "-container-port 80",
	   "rootlesskit-docker-proxy", BH_L4_TCP, "", 0, "10.0.0.1", 80);
}

static void test_no_proxies(void **state)
{
	static const struct {
		const char *words;
		int r;
	} cases[] = {
		{ "", -ENOENT },
		{ "dockerd -H fd://", -ENOENT },
		{ "docker-proxyd -container-ip 10.0.0.1 -container-port 80", -ENOENT },
		{ "cat docker-proxy -container-ip 10.0.0.1 -container-port 80", -ENOENT },
		{ "docker-proxy", -EINVAL },
		{ "docker-proxy -container-ip 10.0.0.1", -EINVAL },
		{ "docker-proxy -container-ip", -EINVAL },
		{ "docker-proxy -container-ip 10.0.0.1 -container-port", -EINVAL },
		{ "docker-proxy -container-ip 10.0.0.1 -container-port 0", -EINVAL },
		{ "docker-proxy -container-ip 10.0.0.1 -container-port 65536", -EINVAL },
		{ "docker-proxy -container-ip 10.0.0.1 -container-port 80x", -EINVAL },
		{ "docker-proxy -container-ip nobody -container-port 80", -EINVAL },
		{ "docker-proxy -container-ip= -container-port 80", -EINVAL },
		{ "docker-proxy -proto icmp -container-ip 10.0.0.1 -container-port 80", -EINVAL },
	};
	char long_line[8192];
	struct bh_port_proxy p;

	(void)state;
	for (size_t i = 0; i < BH_ARRAY_SIZE(cases); i++)
		if (parse(cases[i].words, &p) != cases[i].r)
			fail_msg("%s", cases[i].words);
	assert_int_equal(bh_proxy_parse("docker-proxy", 0, &p), -ENOENT);
	/* Without a NUL anywhere, and longer than anybody reads. */
	memset(long_line, 'x', sizeof(long_line));
	assert_int_equal(bh_proxy_parse(long_line, sizeof(long_line), &p), -ENOENT);
	(void)snprintf(long_line, 16, "docker-proxy");
	memset(long_line + 13, '-', sizeof(long_line) - 13);
	assert_int_equal(bh_proxy_parse(long_line, sizeof(long_line), &p), -EINVAL);
}

/* ---- a /proc ---- */

struct proc {
	char dir[64];
};

static void put(const struct proc *p, const char *name, const char *data, size_t size)
{
	char path[256];

	(void)snprintf(path, sizeof(path), "%s/%s", p->dir, name);
	assert_int_equal(bh_file_write(path, data, size, 0600, NULL), 0);
}

static void folder(const struct proc *p, const char *name)
{
	char path[256];

	(void)snprintf(path, sizeof(path), "%s/%s", p->dir, name);
	assert_int_equal(mkdir(path, 0700), 0);
}

/* @netns: a name, the same for the same namespace. */
static void process(const struct proc *p, const char *pid, const char *comm, const char *words,
		    const char *netns)
{
	char path[160], target[160], text[512];
	size_t n = strlen(words);

	folder(p, pid);
	(void)snprintf(path, sizeof(path), "%s/ns", pid);
	folder(p, path);
	(void)snprintf(path, sizeof(path), "%s/comm", pid);
	put(p, path, comm, strlen(comm));
	(void)snprintf(text, sizeof(text), "%s", words);
	for (size_t i = 0; i < n; i++)
		if (text[i] == ' ')
			text[i] = '\0';
	(void)snprintf(path, sizeof(path), "%s/cmdline", pid);
	put(p, path, text, n + 1);
	(void)snprintf(target, sizeof(target), "%s/%s", p->dir, netns);
	(void)snprintf(path, sizeof(path), "%s/%s/ns/net", p->dir, pid);
	assert_int_equal(symlink(target, path), 0);
}

#define PROXY "docker-proxy -container-ip 10.0.0.1 -container-port "

static int up(void **state)
{
	struct proc *p = calloc(1, sizeof(*p));

	(void)snprintf(p->dir, sizeof(p->dir), "/tmp/bh-proxy.XXXXXX");
	assert_non_null(mkdtemp(p->dir));
	put(p, "net-ours", "", 0);
	put(p, "net-other", "", 0);
	put(p, "uptime", "1 2\n", 4);
	process(p, "self", "bulkheadd\n", "bulkheadd", "net-ours");
	process(p, "30", "docker-proxy\n", PROXY "80", "net-ours");
	process(p, "4", "docker-proxy\n", PROXY "81", "net-ours");
	process(p, "31", "docker-proxy\n", PROXY "82", "net-other"); /* somebody else's host */
	process(p, "32", "docker-proxy\n", "docker-proxy", "net-ours");
	process(p, "33", "docker-proxy\n", "", "net-ours"); /* a zombie */
	process(p, "34", "sh\n", PROXY "83", "net-ours");
	folder(p, "35"); /* it ended while we looked */
	*state = p;
	return 0;
}

static int down(void **state)
{
	struct proc *p = *state;
	char command[96];

	(void)snprintf(command, sizeof(command), "rm -r %s", p->dir);
	assert_int_equal(system(command), 0);
	free(p);
	return 0;
}

static void test_looking(void **state)
{
	const struct proc *p = *state;
	struct bh_proxies *x = NULL;
	const struct bh_port_proxy *v;
	size_t n;

	assert_int_equal(bh_proxies_new("/nowhere", &x), -ENOENT);
	assert_int_equal(bh_proxies_new(p->dir, &x), 0);
	(void)bh_proxies_get(x, &n);
	assert_int_equal(n, 0);
	assert_true(bh_proxies_look(x, 1000, 1000));
	v = bh_proxies_get(x, &n);
	assert_int_equal(n, 2);
	assert_int_equal(v[0].pid, 4);
	assert_int_equal(v[0].cont_port, 81);
	assert_int_equal(v[1].pid, 30);

	/* Not before two seconds whoever asks, and without that not before thirty. */
	process(p, "40", "docker-proxy\n", PROXY "90", "net-ours");
	bh_proxies_due(x, true);
	assert_false(bh_proxies_look(x, 2000, 1000));
	(void)bh_proxies_get(x, &n);
	assert_int_equal(n, 2);
	assert_true(bh_proxies_look(x, 3000, 1000));
	(void)bh_proxies_get(x, &n);
	assert_int_equal(n, 3);
	/* Who came late is seen by a second look. */
	assert_false(bh_proxies_look(x, 5500, 1000));
	assert_true(bh_proxies_look(x, 6000, 1000));
	assert_false(bh_proxies_look(x, 35000, 1000));
	assert_true(bh_proxies_look(x, 36000, 1000));
	bh_proxies_due(x, false);
	assert_true(bh_proxies_look(x, 38000, 1000));
	assert_false(bh_proxies_look(x, 42000, 1000));
	x = bh_proxies_free(x);
}

/* More processes than there is time for: what was found before stays until all were seen. */
static void test_a_look_in_pieces(void **state)
{
	const struct proc *p = *state;
	struct bh_proxies *x = NULL;
	unsigned looks = 1;
	char pid[16];
	size_t n;

	for (unsigned i = 0; i < 100; i++) {
		(void)snprintf(pid, sizeof(pid), "%u", 1000 + i);
		process(p, pid, "sh\n", "sh", "net-ours");
	}
	assert_int_equal(bh_proxies_new(p->dir, &x), 0);
	for (bh_msec_t now = 1000; !bh_proxies_look(x, now, 0); now++) {
		(void)bh_proxies_get(x, &n);
		assert_int_equal(n, 0);
		looks++;
	}
	assert_true(looks > 3);
	(void)bh_proxies_get(x, &n);
	assert_int_equal(n, 2);
	x = bh_proxies_free(x);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_command_lines),
		cmocka_unit_test(test_no_proxies),
		cmocka_unit_test_setup_teardown(test_looking, up, down),
		cmocka_unit_test_setup_teardown(test_a_look_in_pieces, up, down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
