// SPDX-License-Identifier: GPL-3.0-or-later
/*
 * agent/proxy.c - userland proxies of published ports
 *
 * A look costs two system calls for each process of the host, and the loop waits for it: so it takes place seldom, has a
 * limit of time, and goes on where it ended. Only a process whose name fits is looked at closer.
 */
#include "agent/proxy.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/parse.h"
#include "common/util.h"
#include "policy/model.h"

#include "common/banned.h"

#define CMDLINE_MAX 4096U
#define LEAST_MS    2000
#define MOST_MS     30000
#define AGAIN_MS    3000

struct bh_proxies {
	char *proc;
	dev_t netns_dev;
	ino_t netns;
	DIR *dir; /* a look that is not finished; NULL: none is */
	struct bh_port_proxy *found, *next;
	size_t n, n_next;
	bool looked;
	bh_msec_t started, due; /* of the last look; of the next */
	bool asked;
};

/* ---- a command line ---- */

static const char *base_name(const char *path)
{
	const char *slash = strrchr(path, '/');

	return slash ? slash + 1 : path;
}

static const char *const programs[] = { "docker-proxy", "rootlesskit-docker-proxy" };

static bool is_proxy(const char *name)
{
	for (size_t i = 0; i < BH_ARRAY_SIZE(programs); i++)
		if (bh_streq(name, programs[i]))
			return true;
	return false;
}

/* As in the kernel's comm, of which 15 bytes are kept. */
static bool may_be_proxy(const char *comm)
{
	for (size_t i = 0; i < BH_ARRAY_SIZE(programs); i++)
		if (strncmp(comm, programs[i], 15) == 0)
			return true;
	return false;
}

static int take_port(const char *v, uint16_t *ret)
{
	uint64_t n;

	if (bh_parse_u64(v, UINT16_MAX, &n) < 0 || n == 0)
		return -EINVAL;
	*ret = (uint16_t)n;
	return 0;
}

static int take_proto(const char *v, uint8_t *ret)
{
	*ret = bh_streq(v, "tcp")    ? BH_L4_TCP
	       : bh_streq(v, "udp")  ? BH_L4_UDP
	       : bh_streq(v, "sctp") ? BH_L4_SCTP
				     : 0;
	return *ret ? 0 : -EINVAL;
}

/* A flag of Go's: "-name value", "--name=value". Others are left out. */
static int take_flag(struct bh_port_proxy *p, const char *name, size_t len, const char *value)
{
	const struct {
		const char *name;
		struct bh_addr *addr;
		uint16_t *port;
	} flags[] = {
		{ "host-ip", &p->host, NULL },
		{ "host-port", NULL, &p->host_port },
		{ "container-ip", &p->cont, NULL },
		{ "container-port", NULL, &p->cont_port },
		{ "proto", NULL, NULL },
	};

	for (size_t i = 0; i < BH_ARRAY_SIZE(flags); i++) {
		if (strlen(flags[i].name) != len || memcmp(flags[i].name, name, len) != 0)
			continue;
		if (flags[i].addr)
			return bh_addr_parse(value, flags[i].addr) < 0 ? -EINVAL : 1;
		if (flags[i].port)
			return take_port(value, flags[i].port) < 0 ? -EINVAL : 1;
		return take_proto(value, &p->l4) < 0 ? -EINVAL : 1;
	}
	return 0;
}

/* The word behind @w, NULL at the end. */
static const char *next_word(const char *w, const char *end)
{
	w += strlen(w) + 1;
	return w < end ? w : NULL;
}

int bh_proxy_parse(const char *cmdline, size_t size, struct bh_port_proxy *ret)
{
	struct bh_port_proxy p = { .l4 = BH_L4_TCP };
	char text[CMDLINE_MAX + 1];
	const char *w = text, *end;

	/* What does not end in NUL was cut. */
	size = BH_MIN(size, CMDLINE_MAX);
	if (size == 0)
		return -ENOENT;
	memcpy(text, cmdline, size);
	text[size] = '\0';
	end = text + size;
	if (!is_proxy(base_name(text)))
		return -ENOENT;
	(void)snprintf(p.program, sizeof(p.program), "%.31s", base_name(text));
	while ((w = next_word(w, end))) {
		const char *name = w + strspn(w, "-"), *value;
		size_t len = strcspn(name, "=");
		int r;

		if (*w != '-')
			continue;
		value = name[len] == '=' ? name + len + 1 : next_word(w, end);
		r = value ? take_flag(&p, name, len, value) : 0;
		if (r < 0)
			return r;
		/* Of an unknown flag nobody knows whether the next word is its value. */
		if (r > 0 && name[len] != '=')
			w = value;
	}
	if (p.cont.family == 0 || p.cont_port == 0)
		return -EINVAL;
	*ret = p;
	return 0;
}

/* ---- /proc ---- */

/* By one read(2), not more than @size - 1 bytes, with a NUL behind. Return: bytes, -errno */
static ssize_t read_some(int dir, const char *pid, const char *name, char *buf, size_t size)
{
	bh_autoclose int fd = -1;
	char path[64];
	ssize_t n;

	(void)snprintf(path, sizeof(path), "%s/%s", pid, name);
	fd = openat(dir, path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	n = read(fd, buf, size - 1);
	if (n < 0)
		return -errno;
	buf[n] = '\0';
	return n;
}

static bool lives_here(const struct bh_proxies *p, int dir, const char *pid)
{
	char path[64];
	struct stat st;

	(void)snprintf(path, sizeof(path), "%s/ns/net", pid);
	return fstatat(dir, path, &st, 0) == 0 && st.st_ino == p->netns &&
	       st.st_dev == p->netns_dev;
}

static void look_at(struct bh_proxies *p, const char *pid)
{
	int dir = dirfd(p->dir);
	char text[CMDLINE_MAX + 1];
	struct bh_port_proxy found;
	uint64_t number;
	ssize_t n;

	if (p->n_next == BH_PROXIES_MAX || bh_parse_u64(pid, INT32_MAX, &number) < 0)
		return;
	n = read_some(dir, pid, "comm", text, 32);
	if (n <= 0)
		return;
	text[strcspn(text, "\n")] = '\0';
	if (!may_be_proxy(text))
		return;
	n = read_some(dir, pid, "cmdline", text, sizeof(text));
	if (n <= 0 || bh_proxy_parse(text, (size_t)n, &found) < 0 || !lives_here(p, dir, pid))
		return;
	found.pid = (pid_t)number;
	p->next[p->n_next++] = found;
}

static int by_pid(const void *a, const void *b)
{
	const struct bh_port_proxy *x = a, *y = b;

	return x->pid < y->pid ? -1 : x->pid > y->pid;
}

static void finish(struct bh_proxies *p)
{
	struct bh_port_proxy *old = p->found;

	(void)closedir(p->dir);
	p->dir = NULL;
	p->found = p->next;
	p->n = p->n_next;
	p->next = old;
	p->n_next = 0;
	if (p->n > 0)
		qsort(p->found, p->n, sizeof(*p->found), by_pid);
}

static bool begin(struct bh_proxies *p, bh_msec_t now)
{
	if (p->looked && (now - p->started < LEAST_MS || now < p->due))
		return false;
	p->dir = opendir(p->proc);
	p->started = now;
	p->due = now + (p->asked ? AGAIN_MS : MOST_MS);
	p->asked = false;
	p->looked = true;
	p->n_next = 0;
	return p->dir != NULL;
}

bool bh_proxies_look(struct bh_proxies *p, bh_msec_t now, bh_msec_t ms)
{
	bh_msec_t end = bh_clock_now() + ms;
	const struct dirent *e;
	unsigned i = 0;

	if (!p->dir && !begin(p, now))
		return false;
	/* cppcheck-suppress readdirCalled ; one thread, and a stream of its own */
	while ((e = readdir(p->dir))) {
		if (e->d_name[0] >= '1' && e->d_name[0] <= '9')
			look_at(p, e->d_name);
		if (++i % 16 == 0 && bh_clock_now() >= end)
			return false;
	}
	finish(p);
	return true;
}

void bh_proxies_due(struct bh_proxies *p, bool again)
{
	p->asked = p->asked || again;
	p->due = 0;
}

const struct bh_port_proxy *bh_proxies_get(const struct bh_proxies *p, size_t *ret_n)
{
	*ret_n = p->n;
	return p->found;
}

int bh_proxies_new(const char *proc, struct bh_proxies **ret)
{
	struct bh_proxies *p = calloc(1, sizeof(*p));
	char path[256];
	struct stat st;

	if (!p)
		return -ENOMEM;
	p->proc = strdup(proc);
	p->found = calloc(BH_PROXIES_MAX, sizeof(*p->found));
	p->next = calloc(BH_PROXIES_MAX, sizeof(*p->next));
	(void)snprintf(path, sizeof(path), "%s/self/ns/net", proc);
	if (!p->proc || !p->found || !p->next) {
		bh_proxies_free(p);
		return -ENOMEM;
	}
	if (stat(path, &st) < 0) {
		int r = -errno;

		bh_proxies_free(p);
		return r;
	}
	p->netns = st.st_ino;
	p->netns_dev = st.st_dev;
	*ret = p;
	return 0;
}

struct bh_proxies *bh_proxies_free(struct bh_proxies *p)
{
	if (!p)
		return NULL;
	if (p->dir)
		(void)closedir(p->dir);
	free(p->found);
	free(p->next);
	free(p->proc);
	free(p);
	return NULL;
}
