/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * systemd's two protocols, without its library: listening sockets that it hands over
 * (sd_listen_fds), and telling it how the server is (sd_notify). Nothing happens where it is not
 * there.
 */
#ifndef SYSTEMD_H
#define SYSTEMD_H

#include <lophttpd/base.h>

struct lop_core;

/* Takes the sockets of LISTEN_FDS and connects to NOTIFY_SOCKET, while its path is in reach.
 * Returns 0, or a negative errno after a message. */
int systemd_start(struct lop_core *core);

/* Lines such as "READY=1". */
void systemd_notify(struct lop_core *core, const char *format, ...)
        LOP_PRINTF(2, 3);
void systemd_ready(struct lop_core *core);
void systemd_reloading(struct lop_core *core);
/* With an upgrade under way, names its process as the one to look after. */
void systemd_stopping(struct lop_core *core);

#endif
