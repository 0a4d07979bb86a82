/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * From what a client calls this server to the folder of that host.
 */
#ifndef VHOST_HOST_H
#define VHOST_HOST_H

#include <stddef.h>

#include <lophttpd/base.h>

#define HOST_PREFIX "vhost"
#define HOST_PREFIX_LENGTH (sizeof(HOST_PREFIX) - 1)
#define HOST_NAME_MAX_LENGTH 253 /* RFC 1035 2.3.4 */
#define HOST_FOLDER_SIZE (HOST_PREFIX_LENGTH + HOST_NAME_MAX_LENGTH + sizeof(":65535"))

/* Writes vhost<name>[:port], NUL-terminated: one name, never with a slash. Returns its length, 0
 * when there can be no such folder. */
size_t host_folder(struct lop_str host, const char *scheme, char out[HOST_FOLDER_SIZE]);

#endif
