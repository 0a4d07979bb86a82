/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What of a request decides on its server: the key that is hashed, or the cookie that names one.
 */
#include "config.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include <lophttpd/connection.h>
#include <lophttpd/request.h>

#include "pool_private.h"

/* A valid cookie that names one of our servers: those of other paths may stand beside it. */
static bool take_cookie(struct pool *pool, struct pick *pick, struct lop_str value)
{
	struct sticky_claim claim;

	if (!sticky_read(pool->settings.secret, value, lop_worker_wall(pool->worker), &claim))
		return false;
	for (unsigned i = 0; i < pool->count; i++) {
		if (pool->servers[i]->cookies[claim.key] != claim.server)
			continue;
		pick->bound = pool->servers[i];
		pick->renew = claim.renew;
		return true;
	}
	return false;
}

static bool take_hash(struct pick *pick, struct lop_str key)
{
	pick->hash = hash_bytes(0, key.data, key.length);
	pick->keyed = true;
	return true;
}

/* A client may send several Cookie fields (HTTP/2), and several cookies of one name. */
static void read_cookies(struct pool *pool, struct pick *pick)
{
	const struct balance *balance = &pool->settings.balance;
	const struct lop_str wanted = { balance->field, strlen(balance->field) };
	struct lop_str name, value;

	for (size_t i = 0; lop_request_field_at(pick->request, i, &name, &value); i++) {
		size_t offset = 0;
		struct lop_str cookie;

		if (name.length != 6 || strncasecmp(name.data, "cookie", 6) != 0)
			continue;
		while ((cookie = cookie_next(value, wanted, &offset)).data != NULL) {
			if (balance->method == BALANCE_STICKY ? take_cookie(pool, pick, cookie)
			                                      : take_hash(pick, cookie))
				return;
		}
	}
}

void pick_read(struct pool *pool, struct pick *pick)
{
	const struct balance *balance = &pool->settings.balance;
	struct lop_str key = { NULL, 0 };

	pick->read = true;
	switch (balance->key) {
	case KEY_NONE:
		return;
	case KEY_COOKIE:
		read_cookies(pool, pick);
		return;
	case KEY_FIELD:
		key = lop_request_field(pick->request, balance->field);
		break;
	case KEY_ADDRESS:
		key = lop_connection_remote_address(lop_request_connection(pick->request));
		break;
	case KEY_TARGET:
		key = lop_request_target(pick->request);
		break;
	case KEY_HOST:
		key = lop_request_host(pick->request);
		break;
	}
	/* Requests without the key are spread: one server would get all of them. */
	if (key.data != NULL)
		(void)take_hash(pick, key);
}

long pool_cookie(struct pool *pool, const struct pick *pick, const struct server *server,
                 bool secure, char *out, size_t size)
{
	const struct balance *balance = &pool->settings.balance;
	const char *base = pool->settings.cookie_base != NULL ? pool->settings.cookie_base : "";
	const char *path = pool->settings.cookie_path != NULL ? pool->settings.cookie_path : "";
	char value[STICKY_VALUE_LENGTH];
	int length;

	if (balance->method != BALANCE_STICKY || balance->key != KEY_COOKIE ||
	    pool->settings.secret == NULL || (pick->bound == server && !pick->renew))
		return 0;
	sticky_write(pool->settings.secret, server->cookies[0], lop_worker_wall(pool->worker),
	             value);
	if (*base == '\0' && *path == '\0')
		path = "/";
	length = snprintf(out, size, "%s=%.*s; Path=%s%s; HttpOnly; SameSite=Lax%s", balance->field,
	                  STICKY_VALUE_LENGTH, value, base, path, secure ? "; Secure" : "");
	return length < 0 || (size_t)length >= size ? -ENOBUFS : length;
}
