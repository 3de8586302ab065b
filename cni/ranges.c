// SPDX-License-Identifier: GPL-3.0-or-later
/*
 * cni/ranges.c - which addresses may be given out, and which were asked for
 */
#include "cni/ranges.h"

#include "common/util.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

bool bh_range_holds(const struct bh_range *r, const struct bh_addr *a)
{
	return a->family == r->lo.family && bh_addr_cmp(&r->lo, a) <= 0 &&
	       bh_addr_cmp(a, &r->hi) <= 0;
}

static enum bh_cni_code add_exclude(struct bh_ranges *r, const struct bh_prefix *p,
				    struct bh_cni_error *e)
{
	struct bh_prefix *v;

	if (r->n_exclude >= BH_EXCLUDE_MAX)
		return bh_cni_fail(e, BH_CNI_CONFIG, "more than %u excluded prefixes",
				   BH_EXCLUDE_MAX);
	v = realloc(r->exclude, (r->n_exclude + 1) * sizeof(*v));
	if (!v)
		return bh_cni_fail(e, BH_CNI_SYSTEM, "out of memory");
	r->exclude = v;
	v[r->n_exclude++] = *p;
	return BH_CNI_OK;
}

/* "10.0.0.1" counts as 10.0.0.1/32. */
static bool parse_prefix(const char *s, struct bh_prefix *ret)
{
	if (strchr(s, '/'))
		return bh_prefix_parse(s, ret) == 0;
	if (bh_addr_parse(s, &ret->addr) < 0)
		return false;
	ret->len = (uint8_t)(bh_addr_size(&ret->addr) * 8);
	return true;
}

/* The addresses of @subnet that a container may have. */
static enum bh_cni_code usable(const struct bh_prefix *subnet, struct bh_range *ret,
			       struct bh_cni_error *e)
{
	char text[BH_PREFIX_STRLEN];

	ret->subnet = *subnet;
	bh_prefix_range(subnet, &ret->lo, &ret->hi);
	if (subnet->addr.family == 4 && subnet->len <= 30 &&
	    (!bh_addr_next(&ret->lo, &ret->lo) || !bh_addr_prev(&ret->hi, &ret->hi)))
		return bh_cni_fail(e, BH_CNI_CONFIG, "range %s holds no usable address",
				   bh_prefix_format(subnet, text));
	if (subnet->addr.family == 6 && subnet->len <= 126)
		(void)bh_addr_next(&ret->lo, &ret->lo);
	return BH_CNI_OK;
}

static const char *member(const json_t *o, const char *key, bool *ret_bad)
{
	const char *k;
	json_t *v;

	json_object_foreach((json_t *)(uintptr_t)o, k, v) {
		if (strcasecmp(k, key) != 0 || json_is_null(v))
			continue;
		if (json_is_string(v) && json_string_value(v)[0])
			return json_string_value(v);
		*ret_bad |= !json_is_string(v);
	}
	return NULL;
}

/* rangeStart, rangeEnd and gateway of the object form. */
static enum bh_cni_code narrow(const json_t *o, struct bh_range *ret, struct bh_ranges *r,
			       struct bh_cni_error *e)
{
	bool bad = false;
	const char *start = member(o, "rangeStart", &bad);
	const char *end = member(o, "rangeEnd", &bad);
	const char *gw = member(o, "gateway", &bad);
	struct bh_prefix p;
	struct bh_addr a;

	if (bad)
		return bh_cni_fail(e, BH_CNI_CONFIG,
				   "ranges: rangeStart, rangeEnd and gateway must be strings");
	if (start) {
		if (bh_addr_parse(start, &a) < 0 || !bh_range_holds(ret, &a))
			return bh_cni_fail(e, BH_CNI_CONFIG,
					   "rangeStart '%.64s' is no usable address of its subnet",
					   start);
		ret->lo = a;
	}
	if (end) {
		if (bh_addr_parse(end, &a) < 0 || !bh_range_holds(ret, &a))
			return bh_cni_fail(
			    e, BH_CNI_CONFIG,
			    "rangeEnd '%.64s' is no usable address of its subnet from rangeStart on",
			    end);
		ret->hi = a;
	}
	if (!gw)
		return BH_CNI_OK;
	if (strchr(gw, '/') || !parse_prefix(gw, &p))
		return bh_cni_fail(e, BH_CNI_CONFIG, "gateway '%.64s' is no address", gw);
	return add_exclude(r, &p, e);
}

static enum bh_cni_code parse_range(json_t *v, struct bh_range *ret, struct bh_ranges *r,
				    struct bh_cni_error *e)
{
	const char *text;
	enum bh_cni_code code;
	struct bh_prefix subnet;
	bool bad = false;

	if (!json_is_string(v) && !json_is_object(v))
		return bh_cni_fail(
		    e, BH_CNI_CONFIG,
		    "a range must be a subnet (\"10.88.0.0/16\") or an object with one");
	text = json_is_string(v) ? json_string_value(v) : member(v, "subnet", &bad);
	if (!text || !strchr(text, '/') || bh_prefix_parse(text, &subnet) < 0)
		return bh_cni_fail(e, BH_CNI_CONFIG,
				   "range '%.64s' is not a subnet like 10.88.0.0/16",
				   text ? text : "");
	code = usable(&subnet, ret, e);
	if (!code && json_is_object(v))
		code = narrow(v, ret, r, e);
	return code;
}

static enum bh_cni_code parse_set(json_t *v, struct bh_range_set *set, struct bh_ranges *r,
				  struct bh_cni_error *e)
{
	enum bh_cni_code code = BH_CNI_OK;
	json_t *item;
	size_t i;

	if (!json_is_array(v) || json_array_size(v) == 0)
		return bh_cni_fail(
		    e, BH_CNI_CONFIG,
		    "ranges must be a list of lists of subnets: [[\"10.88.0.0/16\"]]");
	if (json_array_size(v) > BH_RANGES_MAX)
		return bh_cni_fail(e, BH_CNI_CONFIG, "more than %u ranges in one set",
				   BH_RANGES_MAX);
	json_array_foreach(v, i, item) {
		code = parse_range(item, &set->r[set->n], r, e);
		if (code)
			return code;
		if (set->r[set->n].lo.family != set->r[0].lo.family)
			return bh_cni_fail(
			    e, BH_CNI_CONFIG,
			    "IPv4 and IPv6 ranges stand in one set: each family needs a "
			    "set of its own");
		set->n++;
	}
	return BH_CNI_OK;
}

/* Two sets that share an address would give one container the same address twice. */
static enum bh_cni_code check_overlap(const struct bh_ranges *r, const struct bh_range_set *set,
				      struct bh_cni_error *e)
{
	char text[BH_ADDR_STRLEN];

	for (const struct bh_range_set *o = r->sets; o < set; o++)
		for (size_t i = 0; i < o->n; i++)
			for (size_t j = 0; j < set->n; j++)
				if (bh_range_holds(&o->r[i], &set->r[j].lo) ||
				    bh_range_holds(&set->r[j], &o->r[i].lo))
					return bh_cni_fail(e, BH_CNI_CONFIG,
							   "two sets of ranges overlap at %s",
							   bh_addr_format(&set->r[j].lo, text));
	return BH_CNI_OK;
}

enum bh_cni_code bh_ranges_parse(json_t *v, struct bh_ranges *r, struct bh_cni_error *e)
{
	enum bh_cni_code code;
	json_t *item;
	size_t i;

	if (!json_is_array(v))
		return bh_cni_fail(
		    e, BH_CNI_CONFIG,
		    "ranges must be a list of lists of subnets: [[\"10.88.0.0/16\"]]");
	if (json_array_size(v) > BH_RANGE_SETS_MAX)
		return bh_cni_fail(e, BH_CNI_CONFIG, "more than %u sets of ranges",
				   BH_RANGE_SETS_MAX);
	free(r->sets);
	r->n = 0;
	r->sets = calloc(BH_RANGE_SETS_MAX, sizeof(*r->sets));
	if (!r->sets)
		return bh_cni_fail(e, BH_CNI_SYSTEM, "out of memory");
	json_array_foreach(v, i, item) {
		code = parse_set(item, &r->sets[r->n], r, e);
		if (!code)
			code = check_overlap(r, &r->sets[r->n], e);
		if (code)
			return code;
		r->n++;
	}
	return BH_CNI_OK;
}

enum bh_cni_code bh_ranges_exclude(json_t *v, struct bh_ranges *r, struct bh_cni_error *e)
{
	enum bh_cni_code code;
	struct bh_prefix p;
	json_t *item;
	size_t i;

	if (!json_is_array(v))
		return bh_cni_fail(e, BH_CNI_CONFIG,
				   "exclude must be a list of addresses and subnets");
	json_array_foreach(v, i, item) {
		const char *s = json_string_value(item);

		if (!s || !parse_prefix(s, &p))
			return bh_cni_fail(e, BH_CNI_CONFIG,
					   "exclude: '%.64s' is neither an address nor a subnet",
					   s ? s : "");
		code = add_exclude(r, &p, e);
		if (code)
			return code;
	}
	return BH_CNI_OK;
}

enum bh_cni_code bh_ranges_want(const char *text, struct bh_ranges *r, struct bh_cni_error *e)
{
	char buf[BH_PREFIX_STRLEN];
	struct bh_addr a;
	char *slash;

	(void)snprintf(buf, sizeof(buf), "%s", strlen(text) < sizeof(buf) ? text : "");
	slash = strchr(buf, '/');
	if (slash)
		*slash = '\0';
	if (bh_addr_parse(buf, &a) < 0)
		return bh_cni_fail(e, BH_CNI_CONFIG, "requested address '%.64s' is no address",
				   text);
	for (size_t i = 0; i < r->n; i++) {
		struct bh_range_set *set = &r->sets[i];

		for (size_t j = 0; j < set->n; j++) {
			if (!bh_range_holds(&set->r[j], &a))
				continue;
			if (set->want.family && !bh_addr_eq(&set->want, &a))
				return bh_cni_fail(
				    e, BH_CNI_CONFIG,
				    "two addresses of one set of ranges are requested");
			set->want = a;
			return BH_CNI_OK;
		}
	}
	return bh_cni_fail(e, BH_CNI_CONFIG,
			   "requested address %.64s lies in no range of this network", buf);
}

void bh_ranges_done(struct bh_ranges *r)
{
	free(r->sets);
	free(r->exclude);
	*r = (struct bh_ranges){ .sets = NULL };
}
