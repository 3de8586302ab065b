/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * cni/ipam.h - giving out addresses: one file for each, RUNDIR/addresses/<network>/<address>
 *
 * A file appears whole (written under another name, then linked), so whatever moment a call is killed at,
 * an address is either free or names its owner. Files of an earlier boot count as free. The folder is locked
 * while addresses are taken or given back. The search goes on behind the address that was given out last,
 * so that an address rests as long as possible before its next owner gets it.
 *
 * Thread-safety: no state; calls of several processes are kept apart by the lock.
 */
#ifndef BH_CNI_IPAM_H
#define BH_CNI_IPAM_H

#include "cni/attachment.h"
#include "cni/ranges.h"

/**
 * bh_ipam_take() - One address of each set of ranges
 * @ret:	@ranges->n of them, at most BH_RANGE_SETS_MAX
 *
 * An address that this attachment holds already (from a call that was killed) is taken over.
 *
 * Return: 0, -ENOSPC a range is full, -EADDRINUSE a requested address is taken, errno of the file system.
 * After a failure nothing is taken.
 */
int bh_ipam_take(const char *run_dir, const struct bh_attachment *t, const struct bh_ranges *ranges,
		 struct bh_addr *ret, struct bh_err *err) bh_must_check;

/**
 * bh_ipam_release() - Give addresses back
 * @ips:	What is not this attachment's is left alone; NULL: look for whatever it holds
 */
int bh_ipam_release(const char *run_dir, const struct bh_attachment *t, const struct bh_addr *ips,
		    size_t n_ips, struct bh_err *err) bh_must_check;

/* 0: @ip is held by @t. -ENOENT: it is free or somebody else's. */
int bh_ipam_held(const char *run_dir, const struct bh_attachment *t, const struct bh_addr *ip,
		 struct bh_err *err) bh_must_check;

/* -ENOSPC: some set of ranges has no free address. Takes nothing. */
int bh_ipam_free_left(const char *run_dir, const struct bh_attachment *t,
		      const struct bh_ranges *ranges, struct bh_err *err) bh_must_check;

#endif
