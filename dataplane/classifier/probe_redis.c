// SPDX-License-Identifier: GPL-3.0-or-later
/*
 * dataplane/classifier/probe_redis.c - Redis (and what speaks like it)
 *
 * Sources: "Redis serialization protocol specification" (redis.io/docs/reference/protocol-spec): requests
 * are arrays of bulk strings, the first of which is the command, or inline commands, words on one line; the
 * server never begins, and each type of reply has its own first byte (RESP2 and RESP3). Names of commands:
 * redis.io/commands.
 *
 * An array is certain with the name of its command. An inline command is certain with the end of its line,
 * if the line begins with a command that Redis has: Redis executes it then. Lines whose last word looks like
 * NAME/1.2 are requests of HTTP, RTSP or SIP, all of which share words with Redis. Other protocols share
 * words too (QUIT, AUTH, GET), so a name is given to inline commands only with the reply's first byte.
 */
#include "dataplane/classifier/bytes.h"

#include "common/banned.h"

#define ARRAY_MAX       (1024U * 1024) /* elements; the limit of Redis */
#define COMMAND_MAX     64U
#define EMPTY_LINES_MAX 8U

static const char *const commands[] = {
	"acl",
	"append",
	"asking",
	"auth",
	"bgrewriteaof",
	"bgsave",
	"bitcount",
	"bitfield",
	"bitfield_ro",
	"bitop",
	"bitpos",
	"blmove",
	"blmpop",
	"blpop",
	"brpop",
	"brpoplpush",
	"bzmpop",
	"bzpopmax",
	"bzpopmin",
	"client",
	"cluster",
	"command",
	"config",
	"copy",
	"dbsize",
	"debug",
	"decr",
	"decrby",
	"del",
	"discard",
	"dump",
	"echo",
	"eval",
	"eval_ro",
	"evalsha",
	"evalsha_ro",
	"exec",
	"exists",
	"expire",
	"expireat",
	"expiretime",
	"failover",
	"fcall",
	"fcall_ro",
	"flushall",
	"flushdb",
	"function",
	"geoadd",
	"geodist",
	"geohash",
	"geopos",
	"georadius",
	"georadiusbymember",
	"geosearch",
	"geosearchstore",
	"get",
	"getbit",
	"getdel",
	"getex",
	"getrange",
	"getset",
	"hdel",
	"hello",
	"hexists",
	"hget",
	"hgetall",
	"hincrby",
	"hincrbyfloat",
	"hkeys",
	"hlen",
	"hmget",
	"hmset",
	"hrandfield",
	"hscan",
	"hset",
	"hsetnx",
	"hstrlen",
	"hvals",
	"incr",
	"incrby",
	"incrbyfloat",
	"info",
	"keys",
	"lastsave",
	"latency",
	"lcs",
	"lindex",
	"linsert",
	"llen",
	"lmove",
	"lmpop",
	"lolwut",
	"lpop",
	"lpos",
	"lpush",
	"lpushx",
	"lrange",
	"lrem",
	"lset",
	"ltrim",
	"memory",
	"mget",
	"migrate",
	"module",
	"monitor",
	"move",
	"mset",
	"msetnx",
	"multi",
	"object",
	"persist",
	"pexpire",
	"pexpireat",
	"pexpiretime",
	"pfadd",
	"pfcount",
	"pfdebug",
	"pfmerge",
	"pfselftest",
	"ping",
	"psetex",
	"psubscribe",
	"psync",
	"pttl",
	"publish",
	"pubsub",
	"punsubscribe",
	"quit",
	"randomkey",
	"readonly",
	"readwrite",
	"rename",
	"renamenx",
	"replconf",
	"replicaof",
	"reset",
	"restore",
	"restore-asking",
	"role",
	"rpop",
	"rpoplpush",
	"rpush",
	"rpushx",
	"sadd",
	"save",
	"scan",
	"scard",
	"script",
	"sdiff",
	"sdiffstore",
	"select",
	"set",
	"setbit",
	"setex",
	"setnx",
	"setrange",
	"shutdown",
	"sinter",
	"sintercard",
	"sinterstore",
	"sismember",
	"slaveof",
	"slowlog",
	"smembers",
	"smismember",
	"smove",
	"sort",
	"sort_ro",
	"spop",
	"spublish",
	"srandmember",
	"srem",
	"sscan",
	"ssubscribe",
	"strlen",
	"subscribe",
	"substr",
	"sunion",
	"sunionstore",
	"sunsubscribe",
	"swapdb",
	"sync",
	"time",
	"touch",
	"ttl",
	"type",
	"unlink",
	"unsubscribe",
	"unwatch",
	"wait",
	"waitaof",
	"watch",
	"xack",
	"xadd",
	"xautoclaim",
	"xclaim",
	"xdel",
	"xgroup",
	"xinfo",
	"xlen",
	"xpending",
	"xrange",
	"xread",
	"xreadgroup",
	"xrevrange",
	"xsetid",
	"xtrim",
	"zadd",
	"zcard",
	"zcount",
	"zdiff",
	"zdiffstore",
	"zincrby",
	"zinter",
	"zintercard",
	"zinterstore",
	"zlexcount",
	"zmpop",
	"zmscore",
	"zpopmax",
	"zpopmin",
	"zrandmember",
	"zrange",
	"zrangebylex",
	"zrangebyscore",
	"zrangestore",
	"zrank",
	"zrem",
	"zremrangebylex",
	"zremrangebyrank",
	"zremrangebyscore",
	"zrevrange",
	"zrevrangebylex",
	"zrevrangebyscore",
	"zrevrank",
	"zscan",
	"zscore",
	"zunion",
	"zunionstore",
};

/* "123\r\n" at *@at, from 1 to @max. */
static enum bh_answer count(const uint8_t *p, uint32_t n, uint32_t *at, uint32_t max, uint32_t *ret)
{
	uint32_t i = *at, v = 0;

	for (; i < n && bh_is_digit(p[i]); i++) {
		v = v * 10 + p[i] - '0';
		if (v == 0 || v > max)
			return BH_ANSWER_NO;
	}
	if (i == n)
		return BH_ANSWER_MORE;
	if (v == 0 || p[i] != '\r')
		return BH_ANSWER_NO;
	if (i + 1 == n)
		return BH_ANSWER_MORE;
	if (p[i + 1] != '\n')
		return BH_ANSWER_NO;
	*at = i + 2;
	*ret = v;
	return BH_ANSWER_YES;
}

/* "*N\r\n$L\r\nNAME\r\n" */
static enum bh_answer array(const uint8_t *p, uint32_t n)
{
	uint32_t at = 1, v, i;
	enum bh_answer a;

	a = count(p, n, &at, ARRAY_MAX, &v);
	if (a != BH_ANSWER_YES)
		return a;
	if (at == n)
		return BH_ANSWER_MORE;
	if (p[at++] != '$')
		return BH_ANSWER_NO;
	a = count(p, n, &at, COMMAND_MAX, &v);
	if (a != BH_ANSWER_YES)
		return a;
	for (i = 0; i < v; i++, at++) {
		if (at == n)
			return BH_ANSWER_MORE;
		/* Modules bring names of their own: JSON.SET, FT._LIST. */
		if (!bh_is_digit(p[at]) && !(bh_lower(p[at]) >= 'a' && bh_lower(p[at]) <= 'z') &&
		    p[at] != '.' && p[at] != '_' && p[at] != '-' && p[at] != '|')
			return BH_ANSWER_NO;
	}
	return bh_begins(p + at, n - at, "\r\n");
}

/* Can the @n bytes at @p be the beginning of a command (@whole: are they one)? */
static bool is_command(const uint8_t *p, uint32_t n, bool whole)
{
	size_t i;

	for (i = 0; i < sizeof(commands) / sizeof(commands[0]); i++) {
		const char *c = commands[i];
		uint32_t k = 0;

		while (k < n && c[k] && bh_lower(p[k]) == (uint8_t)c[k])
			k++;
		if (k == n && (!whole || !c[k]))
			return true;
	}
	return false;
}

/* Does the line end in a word like HTTP/1.1? */
static bool ends_in_version(const uint8_t *p, uint32_t n)
{
	uint32_t i;

	while (n > 0 && (p[n - 1] == '\r' || p[n - 1] == ' ' || p[n - 1] == '\t'))
		n--;
	if (n < 6 || !bh_is_digit(p[n - 1]) || p[n - 2] != '.' || !bh_is_digit(p[n - 3]) ||
	    p[n - 4] != '/')
		return false;
	for (i = n - 4; i > 0 && bh_lower(p[i - 1]) >= 'a' && bh_lower(p[i - 1]) <= 'z'; i--)
		;
	return i < n - 4 && i > 0 && (p[i - 1] == ' ' || p[i - 1] == '\t');
}

static enum bh_answer inline_command(const uint8_t *p, uint32_t n)
{
	uint32_t word, end, i;

	for (word = 0;
	     word < n && p[word] != ' ' && p[word] != '\t' && p[word] != '\r' && p[word] != '\n';
	     word++)
		;
	if (!is_command(p, word, word < n))
		return BH_ANSWER_NO;
	end = bh_line_end(p, n, word);
	for (i = word; i < end; i++)
		if (p[i] == 0)
			return BH_ANSWER_NO;
	if (end == n)
		return BH_ANSWER_MORE;
	return ends_in_version(p, end) ? BH_ANSWER_NO : BH_ANSWER_YES;
}

static enum bh_answer requests(const uint8_t *p, uint32_t n, bool *ret_inline)
{
	uint32_t i = 0, lines = 0;

	/* Empty lines are inline commands without words. */
	while (i < n && (p[i] == '\r' || p[i] == '\n')) {
		if (++lines > EMPTY_LINES_MAX)
			return BH_ANSWER_NO;
		if (p[i] == '\r' && ++i < n && p[i] != '\n')
			return BH_ANSWER_NO;
		i++;
	}
	*ret_inline = false;
	if (i >= n)
		return BH_ANSWER_MORE;
	if (p[i] == '*')
		return array(p + i, n - i);
	*ret_inline = true;
	return inline_command(p + i, n - i);
}

enum bh_answer bh_probe_redis(const struct bh_view *v)
{
	bool is_inline;
	enum bh_answer a = requests(v->c, v->nc, &is_inline);

	if (v->udp)
		return BH_ANSWER_NO;
	if (a == BH_ANSWER_MORE && v->ns > 0)
		return BH_ANSWER_NO; /* nothing to answer yet */
	if (a == BH_ANSWER_YES && is_inline && v->naming) {
		if (v->ns == 0)
			return BH_ANSWER_MORE;
		return v->s[0] && strchr("+-:$*_#,(!=%~>", v->s[0]) ? BH_ANSWER_YES : BH_ANSWER_NO;
	}
	return a;
}
