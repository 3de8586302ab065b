/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * cni/error.h - what a verb answers when it cannot do what it was asked
 *
 * Two layers: mechanisms (netlink, files, sockets) return negative errnos with a struct bh_err, as
 * everywhere in the project; verbs and what reads their input return a code of the CNI specification,
 * because the runtime acts on it (11: try again, 3: no DEL needed, ...).
 *
 * Thread-safety: no state.
 */
#ifndef BH_CNI_ERROR_H
#define BH_CNI_ERROR_H

#include "common/err.h"

enum bh_cni_code {
	BH_CNI_OK = 0,
	BH_CNI_VERSION = 1,      /* this version of the specification is not supported */
	BH_CNI_FIELD = 2,        /* a field of the configuration is not supported */
	BH_CNI_ENV = 4,          /* an environment variable is missing or wrong */
	BH_CNI_IO = 5,           /* standard input or output */
	BH_CNI_DECODE = 6,       /* standard input is not the JSON it should be */
	BH_CNI_CONFIG = 7,       /* the network configuration is wrong */
	BH_CNI_OWN_NETNS = 8,    /* CNI_NETNS is the namespace the plugin runs in */
	BH_CNI_TRY_AGAIN = 11,   /* no agent, no free address: later it may work */
	BH_CNI_UNAVAILABLE = 50, /* STATUS: ADD would fail now */
	BH_CNI_SYSTEM = 100,     /* the kernel or the file system refused something */
	BH_CNI_EXISTS = 101,     /* this attachment exists already */
	BH_CNI_CHANGED = 102,    /* CHECK: something is not as ADD left it */
	BH_CNI_REFUSED = 103,    /* the agent refused the endpoint */
};

struct bh_cni_error {
	char msg[BH_ERR_MSG_SIZE];
	char details[BH_ERR_MSG_SIZE]; /* "" if there are none */
};

/* Fills @e (not NULL). Return: @code */
enum bh_cni_code bh_cni_fail(struct bh_cni_error *e, enum bh_cni_code code, const char *fmt, ...)
    bh_printf(3, 4);
/* The same with the words of a mechanism behind ": ". */
enum bh_cni_code bh_cni_fail_err(struct bh_cni_error *e, enum bh_cni_code code,
				 const struct bh_err *err, int r, const char *what);
/* The error object on standard output. @version may be NULL. */
void bh_cni_error_print(const char *version, enum bh_cni_code code, const struct bh_cni_error *e);

#endif
