/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * common/limits.h - every limit on what somebody else can make us allocate or do
 *
 * One comment each: what, unit, why that number. Tested at the limit and one past it.
 *
 * Thread-safety: constants.
 */
#ifndef BH_COMMON_LIMITS_H
#define BH_COMMON_LIMITS_H

/* A policy file, bytes. The API server refuses objects above 1.5 MiB; a file may hold several. */
#define BH_YAML_FILE_MAX (16U * 1024 * 1024)
/* Nesting of a document. NetworkPolicy needs 9 levels, a CRD schema some 30. */
#define BH_YAML_DEPTH_MAX 64U
/* Nodes of one file after aliases are expanded: stops "billion laughs"; 10,000 policies need ~1 M. */
#define BH_YAML_NODES_MAX 4000000U
/* Errors reported in one run; beyond that a count. */
#define BH_DIAG_MAX 200U
/* A scalar, bytes: label values are at most 63, names 253, CIDRs 49. */
#define BH_YAML_SCALAR_MAX 65536U
/* Anchors ("&name") of one document: each is remembered until the document ends. */
#define BH_YAML_ANCHORS_MAX 10000U
/* Syntax errors of one file after which the rest of it is not looked at. */
#define BH_YAML_RESTARTS_MAX 100U
/* Folders below a policy folder: more is a loop of mounts, or no policy folder. */
#define BH_FOLDER_DEPTH_MAX 16U
/* Names, paths, types ... in one list of a rule: names of egress rules are the longest that people write. */
#define BH_DETAIL_VALUES_MAX 1000
/* Entries of `http` in one rule: each is asked for every request. */
#define BH_DETAIL_CLAUSES_MAX 100
/* Addresses of one endpoint or node: hosts have a few, with every VLAN some dozens. */
#define BH_ADDRESSES_MAX 256
/* Labels of one object: Kubernetes sets no limit, but all metadata must fit in 256 KiB; people have some dozens. */
#define BH_LABELS_MAX 1000U
/* Steps (comparisons of two strings or numbers) of one part of lint: a second or two. */
#define BH_LINT_STEPS_MAX 100000000U
/* Policies loaded at a time ("extreme" of the scale model is 75,000). */
#define BH_POLICIES_MAX 100000U

/* A file of the time zone database, bytes: the largest of Debian's have 4 KiB. Lies on the stack. */
#define BH_ZONE_FILE_MAX 16384U
/* The name of a time zone, bytes: the longest of the database has 32. */
#define BH_ZONE_NAME_MAX 64U

/* One request on cni.sock, bytes: pod annotations reach 256 KiB. */
#define BH_CNI_MSG_MAX (1024U * 1024)
/* Standard input of the CNI plugin, bytes: a network configuration with prevResult. */
#define BH_CNI_STDIN_MAX (4U * 1024 * 1024)
/* Body of one API request, bytes: a policy file. */
#define BH_API_BODY_MAX BH_YAML_FILE_MAX

/* Workers (and queue pairs). Measured: one queue carries ~300 kpps; the hash spreads over a few. */
#define BH_WORKERS_MAX 16U
/* The second queue of a pair, which lets pass what it cannot hold, has a number so much higher than the first. */
#define BH_QUEUE_OPEN BH_WORKERS_MAX
/* One queued packet, bytes: the copy range; a GSO super-packet is at most this long. */
#define BH_QUEUE_COPY_MAX 65535U

/* Nodes of the decision diagrams of `matrix` and `diff`: 20 bytes each, and four times as much for what is known. */
#define BH_MEANING_NODES_MAX 1000000U
/* Predicates that one of them asks one after another: the recursion stays within a stack of 8 MiB. */
#define BH_MEANING_DEPTH_MAX 4096U
/* Pairs of parties that `matrix` and `diff` look at: some 2,000 parties; 40 bytes each while they are shown. */
#define BH_REACH_PAIRS_MAX 4000000U
/* Pieces of port ranges kept for all pairs that differ: 32 bytes each. */
#define BH_REACH_PIECES_MAX 4000000U

#endif
