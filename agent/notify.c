// SPDX-License-Identifier: GPL-3.0-or-later
/*
 * agent/notify.c - what the service manager is told
 */
#include "agent/notify.h"

#include "common/cleanup.h"
#include "common/parse.h"

#include <stddef.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "common/banned.h"

int bh_notify(const char *state)
{
	const char *path = getenv("NOTIFY_SOCKET");
	struct sockaddr_un sun = { .sun_family = AF_UNIX };
	bh_autoclose int fd = -1;
	size_t len;

	if (!path || !*path)
		return 0;
	len = strlen(path);
	if ((path[0] != '/' && path[0] != '@') || len >= sizeof(sun.sun_path))
		return -EINVAL;
	memcpy(sun.sun_path, path, len);
	if (path[0] == '@')
		sun.sun_path[0] = '\0';
	fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return -errno;
	len += offsetof(struct sockaddr_un, sun_path);
	if (sendto(fd, state, strlen(state), MSG_NOSIGNAL | MSG_DONTWAIT, (struct sockaddr *)&sun,
		   (socklen_t)len) < 0)
		return -errno;
	return 1;
}

bh_msec_t bh_notify_watchdog_ms(void)
{
	const char *usec = getenv("WATCHDOG_USEC"), *pid = getenv("WATCHDOG_PID");
	uint64_t v;

	if (pid && (bh_parse_u64(pid, INT32_MAX, &v) < 0 || (pid_t)v != getpid()))
		return 0;
	if (!usec || bh_parse_u64(usec, INT64_MAX / 2, &v) < 0)
		return 0;
	return (bh_msec_t)(v / 2000);
}
