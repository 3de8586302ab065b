/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * common/banned.h - functions that do not build here
 *
 * Included last by our own .c files: after the system's headers, which may name these. What to use instead:
 * common/buf.h or snprintf() for text, common/parse.h for numbers, common/addr.h for addresses.
 *
 * Thread-safety: no code.
 */
#ifndef BH_COMMON_BANNED_H
#define BH_COMMON_BANNED_H

#pragma GCC poison strcpy strcat sprintf vsprintf strtok atoi atol gets inet_addr inet_ntoa

#endif
