// SPDX-License-Identifier: GPL-3.0-or-later
/*
 * agent/agent_loss.c - refused packets that were only counted: like others, or while no agent listened
 *
 * The kernel goes on refusing when the agent is gone, and its packet log has no listener then. Its counters go on, too.
 * So their sum is noted in the run folder once a second, and the next agent records the difference as a loss. An agent
 * that was killed has recorded some of the last second already: the loss is said too large then, never too small.
 *
 * The file also tells that there was an agent, and until when: nobody owns its tables once it is gone, so that others
 * can remove them. The next one finds none then, and has to say for how long at most nothing was enforced.
 */
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "agent/agent.h"
#include "common/file.h"
#include "common/log.h"
#include "common/parse.h"

#include "common/banned.h"

static void on_told(void *arg, const struct bh_refused *p, uint64_t n)
{
	struct bh_agent *a = arg;

	bh_records_repeated(a->records, bh_clock_wall_us(), p, n);
}

void bh_agent_take_told(struct bh_agent *a)
{
	static struct bh_log_limit limit = BH_LOG_LIMIT_INIT;
	struct bh_err err = { 0 };
	int r;

	if (!a->heard)
		return;
	a->heard = false;
	r = bh_kernel_take_told(a->kernel, on_told, a, &err);
	if (r == 0)
		return;
	a->heard = true;
	bh_log_limited(&limit, BH_LOG_WARNING, "counts of refused packets cannot be read: %s",
		       bh_err_text(&err, r));
	/* They were taken, but there was no room for all of the answer. */
	if (r == -ENOBUFS)
		bh_vlog_loss(a->log, "told_overrun", 1);
}

static char *counted_path(const struct bh_agent *a)
{
	char *path;

	return asprintf(&path, "%s/refused", a->cfg.run_dir) < 0 ? NULL : path;
}

/* Rules may say that it is enough to count them; but nobody should have to ask. */
static void say_unjudged(struct bh_agent *a, uint64_t now)
{
	static struct bh_log_limit limit = BH_LOG_LIMIT_INIT;

	if (a->noted && now > a->noted_unjudged)
		bh_log_limited(&limit, BH_LOG_WARNING,
			       "%llu connections passed unjudged, as the fail modes of rules say",
			       (unsigned long long)(now - a->noted_unjudged));
	a->noted_unjudged = now;
}

/*
 * What the kernel reports, packet by packet or, where it passed unjudged, by the connection; quarantine is left out:
 * nobody's policy is violated there.
 */
static int count(struct bh_agent *a, uint64_t *ret)
{
	struct bh_kernel_counters c;
	int r = bh_kernel_counters(a->kernel, &c, NULL);

	if (r == 0)
		*ret = c.refused + c.spoofed + c.spoofed_mac + c.spoofed_arp + c.spoofed_nd +
		       c.rogue_router + c.rogue_dhcp + c.foreign_frame + c.unjudged + c.midstream;
	if (r == 0)
		say_unjudged(a, c.unjudged + c.midstream);
	return r;
}

void bh_agent_note_refused(struct bh_agent *a)
{
	bh_autofree char *path = counted_path(a);
	bh_autoclose int fd = -1;
	struct bh_vlog_stats log;
	uint64_t sum;
	char text[24];
	int n;

	if (!path || count(a, &sum) < 0)
		return;
	/* Repeats whose number is in no record yet would be gone with us. */
	bh_vlog_stats_get(a->log, &log);
	sum -= log.counted < sum ? log.counted : sum;
	if (a->noted && sum == a->noted_refused) {
		(void)utimensat(AT_FDCWD, path, NULL, AT_SYMLINK_NOFOLLOW);
		return;
	}
	fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (fd < 0)
		return;
	/* Always as long as before, by one write: whenever we are killed, a number stands there. */
	n = snprintf(text, sizeof(text), "%020llu\n", (unsigned long long)sum);
	if (pwrite(fd, text, (size_t)n, 0) == n) {
		a->noted = true;
		a->noted_refused = sum;
	}
}

int64_t bh_agent_last_seen(const struct bh_agent *a)
{
	bh_autofree char *path = counted_path(a);
	struct timespec up;
	struct stat st;
	int64_t at;

	if (!path || lstat(path, &st) < 0 || clock_gettime(CLOCK_BOOTTIME, &up) < 0)
		return 0;
	at = (int64_t)st.st_mtim.tv_sec * 1000000 + st.st_mtim.tv_nsec / 1000;
	/* A run folder that outlives a boot: tables do not. */
	return bh_clock_wall_us() - at < (int64_t)up.tv_sec * 1000000 ? at : 0;
}

void bh_agent_forget_refused(const struct bh_agent *a)
{
	bh_autofree char *path = counted_path(a);

	if (path)
		(void)unlink(path);
}

static void forget(void *arg, const struct bh_refused *r, uint64_t n)
{
}

static void find_unheard(struct bh_agent *a)
{
	bh_autofree char *path = counted_path(a), *text = NULL;
	uint64_t before, now;
	size_t size;

	/* What was counted for an agent that is gone: nobody knows its reasons, but it stands in the sum, too. */
	if (a->adopted && bh_kernel_take_told(a->kernel, forget, NULL, NULL) < 0)
		bh_warning("counts of refused packets cannot be read");
	if (!a->adopted || !path || bh_file_read(path, 64, &text, &size, NULL) < 0)
		return;
	text[strcspn(text, "\n")] = '\0';
	if (bh_parse_u64(text, UINT64_MAX / 2, &before) < 0 || count(a, &now) < 0 || now <= before)
		return;
	bh_notice("%llu packets were refused while no agent ran",
		  (unsigned long long)(now - before));
	bh_vlog_loss(a->log, "agent_down", now - before);
}

void bh_agent_find_unheard(struct bh_agent *a)
{
	find_unheard(a);
	/* First on record, then forgotten: an agent that is killed right now leaves it to the next one. */
	bh_vlog_tick(a->log, bh_clock_now());
	bh_agent_note_refused(a);
}
