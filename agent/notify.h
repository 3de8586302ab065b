/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * agent/notify.h - what the service manager is told: ready, reloading, stopping, alive
 *
 * One datagram to $NOTIFY_SOCKET; without that variable nothing happens. Source: sd_notify(3).
 *
 * Thread-safety: the main thread.
 */
#ifndef BH_AGENT_NOTIFY_H
#define BH_AGENT_NOTIFY_H

#include "common/clock.h"

/* @state: lines as sd_notify(3) has them, e.g. "READY=1\nSTATUS=...". 1: sent, 0: nobody listens, -errno. */
int bh_notify(const char *state);
/* How often WATCHDOG=1 is to be sent, half of $WATCHDOG_USEC; 0: never. */
bh_msec_t bh_notify_watchdog_ms(void);

#endif
