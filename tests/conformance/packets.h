/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * tests/conformance/packets.h - what the parts of the program that sends a table's packets know of each other
 *
 * Thread-safety: one thread.
 */
#ifndef BH_TESTS_CONFORMANCE_PACKETS_H
#define BH_TESTS_CONFORMANCE_PACKETS_H

#include <netinet/in.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>

enum l4 { L4_TCP, L4_UDP, L4_SCTP, L4_COUNT };

/* How far an attempt came, at best. */
enum outcome {
	SILENT,
	REFUSED,   /* a reset, an ICMP error */
	CONNECTED, /* the other end answered the first packet */
	REACHED,   /* it has the payload */
	ANSWERED,  /* its answer to the payload came back */
};

/* An address of a namespace, in each family. */
struct end {
	int ns;
	struct sockaddr_storage addr[2]; /* of IPv4, IPv6; port 0 */
	socklen_t len[2];                /* 0: none */
	int raw[2];                      /* of SCTP; -1: not open */
};

struct probe {
	uint32_t from, to; /* of the ends */
	enum l4 l4;
	uint8_t v6;
	uint16_t port; /* host byte order */
	bool wanted, control;
	enum outcome outcome;
	struct sock *udp; /* all attempts are of one socket: NULL before the first */
};

/*
 * The payload, and with @answer set what comes back: it names the probe, so that no answer can be taken for that of
 * another one or of an earlier step.
 */
struct token {
	uint32_t magic, step, round, probe, answer;
};

/* Who waits for events; freed at the end of a step. */
struct sock {
	struct sock *next;
	int fd; /* -1: closed */
	void (*ready)(struct sock *s, uint32_t events);
	uint32_t probe; /* of a client */
	uint32_t to;    /* of a server: its end */
	uint8_t l4, v6; /* of a server */
	uint16_t port;  /* of a server */
	bool connected; /* of a TCP client */
	size_t got;     /* of @token: a stream may deliver it in parts */
	struct token token;
};

/* ---- packets.c ---- */

extern struct end *ends;
extern struct probe *probes;
extern size_t n_ends, n_probes;

/* The runner hears why, and the program ends. */
void die(const char *fmt, ...) __attribute__((__format__(__printf__, 1, 2), __noreturn__));
/* A socket of an end's namespace, non-blocking; ends the program if there is none. */
int socket_in(const struct end *e, int family, int type, int protocol);
/* Takes @fd. The socket is closed at the end of the step, if not earlier. */
struct sock *watch(int fd, uint32_t events, void (*ready)(struct sock *s, uint32_t events));
void unwatch(struct sock *s);
/* Is a server for this there? */
bool served(uint32_t to, enum l4 l4, bool v6, uint16_t port);

struct token token_of(uint32_t probe);
/* A probe came this far. */
void came(uint32_t probe, enum outcome outcome);
/* A server got a payload: false: it is not one of this step for this server. Makes the answer of it. */
bool token_received(struct token *t, uint32_t to, enum l4 l4, bool v6, uint16_t port);
/* A client got an answer. */
void token_returned(const struct token *t, uint32_t probe);

/* ---- packets_ip.c: sockets of the kernel; packets_sctp.c: SCTP where it has none ---- */

void ip_serve(uint32_t to, enum l4 l4, bool v6, uint16_t port);
void stream_try(uint32_t probe);
void udp_try(uint32_t probe);
void sctp_open(uint32_t end, bool v6);
void sctp_try(uint32_t probe);
void sctp_step_ends(void);

#endif
