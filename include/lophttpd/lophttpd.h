/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Everything that a module may use, for those who do not want to choose.
 */
#ifndef LOPHTTPD_LOPHTTPD_H
#define LOPHTTPD_LOPHTTPD_H

#include <lophttpd/base.h>
#include <lophttpd/connection.h>
#include <lophttpd/file.h>
#include <lophttpd/hook.h>
#include <lophttpd/log.h>
#include <lophttpd/loop.h>
#include <lophttpd/message.h>
#include <lophttpd/module.h>
#include <lophttpd/protocol.h>
#include <lophttpd/request.h>
#include <lophttpd/response.h>
#include <lophttpd/sandbox.h>
#include <lophttpd/share.h>
#include <lophttpd/transport.h>

#endif
