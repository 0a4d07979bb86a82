/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The transport of a listener that names none.
 */
#ifndef TRANSPORT_PLAIN_H
#define TRANSPORT_PLAIN_H

#include <lophttpd/transport.h>

extern const struct lop_transport transport_plain;

#endif
