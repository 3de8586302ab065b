/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * policy/model/risk.c - names and numbers of risks
 */
#include "policy/risk.h"

#include "common/util.h"

#include "common/banned.h"

static const struct {
	unsigned number;
	const char *name;
} risks[] = {
#define X(number, name) { number, name },
	BH_RISKS(X)
#undef X
};

const char *bh_risk_name(unsigned number)
{
	for (size_t i = 0; i < BH_ARRAY_SIZE(risks); i++)
		if (risks[i].number == number)
			return risks[i].name;
	return NULL;
}

unsigned bh_risk_by_name(const char *name)
{
	for (size_t i = 0; i < BH_ARRAY_SIZE(risks); i++)
		if (bh_streq(risks[i].name, name))
			return risks[i].number;
	return 0;
}

const char *bh_risk_nth(size_t i)
{
	return i < BH_ARRAY_SIZE(risks) ? risks[i].name : NULL;
}
