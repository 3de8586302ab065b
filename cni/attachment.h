/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * cni/attachment.h - one container on one network: its names, its lock, its record on disk
 *
 * (network, container id, ifname) is hashed to 64 bits. The hash names the record
 * RUNDIR/attachments/<hash>.json and the host's end of the veth, so that DEL finds both without being told,
 * and a second ADD collides where it can be seen. The full names stand in the record and in the link's alias.
 *
 * The record is the truth about who exists. Its first form ("adding") is on disk before the first netlink
 * message, so that whatever a killed ADD leaves can be found; it carries the boot id, since /run is not
 * emptied at boot everywhere. It is not synced to the disk: nothing of it holds after a crash of the host.
 *
 * Calls for one attachment are kept apart by RUNDIR/attachments/<hash>.lock.
 *
 * Thread-safety: an attachment belongs to one thread.
 */
#ifndef BH_CNI_ATTACHMENT_H
#define BH_CNI_ATTACHMENT_H

#include "common/addr.h"
#include "common/err.h"
#include "common/json.h"

#include <stdbool.h>
#include <stdint.h>

#define BH_BOOT_ID_SIZE 40
#define BH_HOST_PREFIX  "bhk"

struct bh_attachment {
	const char *network, *id, *ifname; /* borrowed */
	char hash[17];
	char host_name[16];
	char alias[255]; /* of the host link: as much of the full names as the kernel takes */
	char boot[BH_BOOT_ID_SIZE];
	char *folder; /* RUNDIR/attachments */
	char *record_path;
	char *lock_path;
	char *tmp_path;
	int lock_fd;
};
#define BH_ATTACHMENT_INIT    \
	{                     \
		.lock_fd = -1 \
	}

/* Names only: nothing is touched. Release with bh_attachment_done(), which also unlocks. */
int bh_attachment_init(struct bh_attachment *t, const char *run_dir, const char *network,
		       const char *id, const char *ifname, struct bh_err *err) bh_must_check;
void bh_attachment_done(struct bh_attachment *t);

/**
 * bh_attachment_lock() - Keep other calls for the same attachment out
 * @wait_ms:	How long another call may go on; 0: do not wait
 *
 * Makes RUNDIR/attachments if it is missing. Released by bh_attachment_done().
 *
 * Return: 0, -EBUSY another call is at work, or errno of the file system
 */
int bh_attachment_lock(struct bh_attachment *t, int64_t wait_ms, struct bh_err *err) bh_must_check;

/* Written by temporary name and rename. */
int bh_record_write(const struct bh_attachment *t, const json_t *record, struct bh_err *err)
    bh_must_check;
/* -ENOENT: none. -EINVAL: not readable. -EPERM: of another attachment whose hash is the same. */
int bh_record_read(const struct bh_attachment *t, json_t **ret, struct bh_err *err) bh_must_check;
/* 0 also if there is none. */
int bh_record_remove(const struct bh_attachment *t, struct bh_err *err) bh_must_check;
/* Of this boot. */
bool bh_record_fresh(const struct bh_attachment *t, const json_t *record);
/* The addresses of a record. Return: how many were stored, @max at most; what is no address is left out. */
size_t bh_record_ips(const json_t *record, struct bh_addr *ret, size_t max);

/* @buf: BH_BOOT_ID_SIZE bytes. */
int bh_boot_id(char *buf, struct bh_err *err) bh_must_check;

#endif
