/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * policy/when.h - what holds at a moment: time windows, ends, promotion of modes
 *
 * The moment is always given: nothing here looks at a clock. Time zones are read from the system's database
 * (common/timezone.h).
 *
 * Thread-safety: no state.
 */
#ifndef BH_POLICY_WHEN_H
#define BH_POLICY_WHEN_H

#include "policy/model.h"

/*
 * UNIX seconds of an RFC 3339 time ("2031-03-01T18:00:00Z", with an offset, with a fraction, which is dropped). Returns
 * NULL, or what is wrong with it, as the end of a sentence ("month 13"): a constant, or in @buf of BH_TIME_WHY bytes;
 * then *ret is as it was.
 */
#define BH_TIME_WHY 64
const char *bh_time_read(const char *s, int64_t *ret, char *buf, size_t size) bh_must_check;
/* The same for those who do not say why: 0 or -EINVAL, also for NULL. */
int bh_time_parse(const char *s, int64_t *ret) bh_must_check;
/* "2031-03-01T18:00:00Z". @buf: 32 bytes. Return: @buf */
const char *bh_time_format(int64_t t, char *buf);

/* The zone exists. */
bool bh_zone_known(const char *zone);

/* Open at that moment. A window without a zone is always open; one whose zone cannot be read never is. */
bool bh_when_open(const struct bh_when *w, int64_t now);
/* The next moment after @now at which it opens or closes; INT64_MAX: never. */
int64_t bh_when_next(const struct bh_when *w, int64_t now);

/* The mode in force: as written, or as promoted; INVALID once the policy has expired. */
enum bh_mode bh_policy_mode_at(const struct bh_policy *p, int64_t now);
/* Neither expired nor outside of its window; where the zone of that cannot be read, a rule holds if it refuses. */
bool bh_rule_holds_at(const struct bh_rule *r, int64_t now);
/* The next moment after @now at which either of them or one of its rules changes; INT64_MAX: never. */
int64_t bh_policy_next(const struct bh_policy *p, int64_t now);

#endif
