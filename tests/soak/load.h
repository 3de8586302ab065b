/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * tests/soak/load.h - what clients, servers and the sniffer of the soak have in common
 *
 * Every message carries a tag: who sent it, when, and which one it is. So both ends count the same things, and whoever
 * meets a packet that should not be there can tell when it was sent. Times are of CLOCK_MONOTONIC, which all processes
 * of a machine share, in nanoseconds.
 *
 * Counts stand in a file that each process maps for itself alone; tests/soak/soak.py reads them while it runs and
 * afterwards (struct of row KIND, column of enum column). What must be judged by its time goes to stdout, one line each.
 */
#ifndef BH_TESTS_SOAK_LOAD_H
#define BH_TESTS_SOAK_LOAD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#define KINDS    64
#define TAG_SIZE 38 /* "BHSK", kind (2), time (16), number (16), in hexadecimal */
#define MSG_SIZE 64

enum column {
	C_SENT, /* messages written; of the server and the sniffer: received */
	C_ANSWERED, /* that came back as they were sent; of the server: sent back; of the sniffer: bytes of payload */
	C_OPENED,  /* connections begun */
	C_LOST,    /* connections or questions that failed; of the sniffer: bare resets */
	C_RETRANS, /* segments that were sent again (TCP_INFO) */
	C_WORST,   /* the longest wait for an answer, ns */
	COLUMNS = 8,
};

extern uint64_t (*counts)[COLUMNS]; /* of KINDS rows */

struct tag {
	unsigned kind;
	uint64_t sent, number;
};

enum format { F_RAW, F_HTTP, F_SSH };

uint64_t now_ns(void);
/* A request of @f; @last: the server closes when it has answered. Returns its length, at most 256. */
size_t request_make(char *buf, enum format f, const struct tag *t, bool last);
size_t request_size(enum format f);
/* The answer to the request @req: its tag, behind a header where @f has one. */
size_t answer_make(char *buf, enum format f, const char *req);
size_t answer_size(enum format f);
bool request_is_last(const char *req, enum format f);
/* Finds the first tag; false: there is none. */
bool tag_find(const char *buf, size_t size, struct tag *ret);
void counts_open(const char *path);
_Noreturn void fail(const char *what);
/* True if the other side of standard input has gone or written something: the end. */
bool told_to_stop(void);

int serve(int argc, char **argv);
int sniff(int argc, char **argv);
int client(int argc, char **argv);

#endif
