/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * policy/schema/schema_tables.h - what the files with tables share (policy/schema/ only)
 */
#ifndef BH_POLICY_SCHEMA_TABLES_H
#define BH_POLICY_SCHEMA_TABLES_H

#include "common/util.h"
#include "policy/schema.h"

#define OBJECT(what, text, table)                                                      \
	{                                                                              \
		.name = what, .help = text, .fields = table, .n = BH_ARRAY_SIZE(table) \
	}
#define ONE_OF(what, text, table)                                                       \
	{                                                                               \
		.name = what, .help = text, .fields = table, .n = BH_ARRAY_SIZE(table), \
		.flags = BH_OBJECT_ONE_OF                                               \
	}
#define ONE_OF_OR_LATER(what, text, table)                                              \
	{                                                                               \
		.name = what, .help = text, .fields = table, .n = BH_ARRAY_SIZE(table), \
		.flags = BH_OBJECT_ONE_OF | BH_OBJECT_LATER                             \
	}
#define FROM_SERVER(field)                                                      \
	{                                                                       \
		.name = field, .type = BH_FIELD_ANY, .flags = BH_FIELD_IGNORED, \
		.help = "set by a server; ignored"                              \
	}
#define LIST_OF(of) .type = BH_FIELD_LIST, .item = of
/* A list of maps with the fields of @table. */
#define LIST_OF_MAPS(table) .type = BH_FIELD_LIST, .item = BH_FIELD_MAP, .object = table
#define MAP_OF(table)       .type = BH_FIELD_MAP, .object = table
#define PORT_NUMBER         .type = BH_FIELD_INT, .format = "port", .min = 1, .max = 65535

#define TOP_FIELDS(spec_type, spec_object, spec_flags, spec_help)     \
	[BH_F_TOP_API] = { .name = "apiVersion",                      \
			   .type = BH_FIELD_STRING,                   \
			   .flags = BH_FIELD_REQUIRED,                \
			   .help = "group and version of the kind" }, \
	[BH_F_TOP_KIND] = { .name = "kind",                           \
			    .type = BH_FIELD_STRING,                  \
			    .flags = BH_FIELD_REQUIRED,               \
			    .help = "what the document is" },         \
	[BH_F_TOP_META] = { .name = "metadata",                       \
			    .type = BH_FIELD_MAP,                     \
			    .flags = BH_FIELD_READ_ANYWAY,            \
			    .object = &bh_object_meta,                \
			    .help = "name, namespace, labels" },      \
	[BH_F_TOP_SPEC] = { .name = "spec",                           \
			    .type = spec_type,                        \
			    .flags = spec_flags,                      \
			    .object = spec_object,                    \
			    .help = spec_help },                      \
	[BH_F_TOP_STATUS] = { .name = "status",                       \
			      .type = BH_FIELD_ANY,                   \
			      .flags = BH_FIELD_IGNORED,              \
			      .not_in = BH_IN_NO_STATUS,              \
			      .help = "set by a server; ignored" }

#endif
