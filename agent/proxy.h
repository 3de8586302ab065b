/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * agent/proxy.h - userland proxies of published ports
 *
 * A container engine may serve a published port by a program on the host (docker-proxy). What such a program
 * forwards starts on this host and has this host's address: the policies of the container see the node, not the client.
 * These processes are found in /proc by their command lines, and told in `status`.
 *
 * Rootless engines (rootlessport, slirp4netns, pasta) forward into namespaces of a user, where no endpoint of ours is;
 * their command lines name no container. podman, nerdctl and containerd as root use NAT, which policies see through.
 *
 * Thread-safety: the main thread.
 */
#ifndef BH_AGENT_PROXY_H
#define BH_AGENT_PROXY_H

#include "common/addr.h"
#include "common/clock.h"
#include "common/err.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#define BH_PROXIES_MAX 1024U

struct bh_port_proxy {
	pid_t pid;
	char program[32];
	uint8_t l4;                /* BH_L4_TCP, _UDP, _SCTP */
	struct bh_addr host, cont; /* family 0: not said */
	uint16_t host_port, cont_port;
};

/**
 * bh_proxy_parse() - The command line of a process, as /proc/PID/cmdline has it: words that end in NUL
 *
 * Return: 0; -ENOENT: no proxy; -EINVAL: one, but it does not say where it forwards to
 */
int bh_proxy_parse(const char *cmdline, size_t size, struct bh_port_proxy *ret) bh_must_check;

struct bh_proxies;

/* @proc: "/proc", or what looks like it. -ENOMEM, -errno */
int bh_proxies_new(const char *proc, struct bh_proxies **ret) bh_must_check;
struct bh_proxies *bh_proxies_free(struct bh_proxies *p);

/* Somebody asks: the next look is one, if the last is not too near. @again: endpoints came or went; once more a moment
 * later, for an engine starts containers and proxies side by side. */
void bh_proxies_due(struct bh_proxies *p, bool again);
/*
 * Looks for at most @ms, if it is time: at the first call, when due, each 30 seconds; never more often than each two. What is
 * not finished goes on at the next call. Return: the list is a new one
 */
bool bh_proxies_look(struct bh_proxies *p, bh_msec_t now, bh_msec_t ms);
/* Those that were found last, of this network namespace, sorted by pid; borrowed until the next look. */
const struct bh_port_proxy *bh_proxies_get(const struct bh_proxies *p, size_t *ret_n);

#endif
