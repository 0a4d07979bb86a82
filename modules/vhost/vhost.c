/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * vhost: a root for each host name. `Host: name[:port]` is served from the folder vhost<name>[:port]
 * of the web root, so that a new host is a new folder, and no configuration.
 *
 *   lhttpd -H -R /srv/www      with /srv/www/vhostexample.org/, /srv/www/vhost[::1]:8080/
 *
 * The name is lower-cased, loses a dot at its end, and the port when it is the scheme's own; an
 * IPv6 literal is written in its shortest form; an internationalised name is what the client sends,
 * punycode. A folder that was found is believed for a second, and one that was not too: after that
 * it is looked for again, so that hosts come and go without a restart.
 *
 * Hosts that exist are kept in a table without bound of its own: there are no more of them than
 * folders. Names without a folder, of which a client can make up any number, share a table of fixed
 * size and push each other out.
 */
#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include <lophttpd/lophttpd.h>

#include "host.h"

#define BUCKETS 1024u /* a power of two */
#define CHECK_NS INT64_C(1000000000)

struct host {
	struct host *next;
	struct lop_root *root;
	uint64_t hash;
	int64_t checked;
	char folder[]; /* vhost<name>[:port] */
};

/* A name that had no folder when it was looked for; only its hash is kept. */
struct unknown {
	uint64_t hash; /* 0: none */
	int64_t checked;
};

struct vhost {
	bool strict;
	uint64_t seed;
	struct host *hosts[BUCKETS];
	struct unknown unknown[BUCKETS];
};

/* Looking for it */

static uint64_t hash_of(const struct vhost *vhost, const char *text, size_t length)
{
	uint64_t hash = vhost->seed ^ UINT64_C(0xcbf29ce484222325);

	for (size_t i = 0; i < length; i++)
		hash = (hash ^ (unsigned char)text[i]) * UINT64_C(0x100000001b3);
	hash ^= hash >> 32;
	return hash != 0 ? hash : 1;
}

static bool same_folder(const struct lop_root *one, const struct lop_root *other)
{
	struct stat a, b;

	return fstat(lop_root_descriptor(one), &a) == 0 &&
	       fstat(lop_root_descriptor(other), &b) == 0 && a.st_dev == b.st_dev &&
	       a.st_ino == b.st_ino;
}

static void host_free(struct host *host)
{
	lop_root_release(&host->root);
	free(host);
}

/* Looks again at a host that is known. Returns 0, or the errno with which it is gone. */
static int recheck(struct host *host, struct lop_root *top)
{
	struct lop_root *root;
	int result = lop_root_descend(top, host->folder, &root);

	if (result < 0)
		return result;
	/* The same folder keeps its root: what is cached below it stays. */
	if (same_folder(host->root, root)) {
		lop_root_release(&root);
	} else {
		lop_root_release(&host->root);
		host->root = root;
	}
	return 0;
}

static struct host *host_new(const char *folder, size_t length, struct lop_root *root)
{
	struct host *host = malloc(sizeof(*host) + length + 1);

	if (host == NULL)
		return NULL;
	host->root = root;
	memcpy(host->folder, folder, length + 1);
	return host;
}

static bool is_missing(int error)
{
	return error == -ENOENT || error == -ENOTDIR || error == -ENAMETOOLONG ||
	       error == -EXDEV || error == -ELOOP;
}

/* Returns 0 and the root (borrowed; NULL: there is no such host), or a negative errno. */
static int find_root(struct vhost *vhost, struct lop_worker *worker, const char *folder,
                     size_t length, struct lop_root **root)
{
	const int64_t now = lop_worker_now(worker);
	const uint64_t hash = hash_of(vhost, folder, length);
	struct unknown *unknown = &vhost->unknown[hash & (BUCKETS - 1)];
	struct host **link = &vhost->hosts[hash & (BUCKETS - 1)], *host;
	int result = 0;

	*root = NULL;
	while ((host = *link) != NULL &&
	       (host->hash != hash || strcmp(host->folder, folder) != 0))
		link = &host->next;
	if (host != NULL && now - host->checked >= CHECK_NS) {
		result = recheck(host, lop_worker_root(worker));
		if (is_missing(result)) {
			*link = host->next;
			host_free(host);
			return 0;
		}
		host->checked = now;
	} else if (host == NULL) {
		if (unknown->hash == hash && now - unknown->checked < CHECK_NS)
			return 0;
		result = lop_root_descend(lop_worker_root(worker), folder, root);
		if (is_missing(result)) {
			*unknown = (struct unknown){ .hash = hash, .checked = now };
			return 0;
		}
		if (result < 0)
			return result;
		host = host_new(folder, length, *root);
		if (host == NULL) {
			lop_root_release(root);
			return -ENOMEM;
		}
		host->hash = hash;
		host->checked = now;
		host->next = *link;
		*link = host;
	}
	*root = host->root;
	return result;
}

static int choose_root(void *state, struct lop_request *request)
{
	struct vhost *vhost = state;
	struct lop_str host = lop_request_host(request);
	struct lop_root *root = NULL;
	char folder[HOST_FOLDER_SIZE];
	size_t length = host_folder(host, lop_request_scheme(request), folder);
	int result;

	if (length > 0) {
		result = find_root(vhost, lop_request_worker(request), folder, length, &root);
		/* It may be there: another host's files would be the wrong answer. */
		if (result < 0)
			return 503;
	}
	if (root != NULL)
		lop_request_set_root(request, root);
	else if (vhost->strict)
		return host.length > 0 ? 421 : 404;
	return LOP_DECLINED;
}

static const struct lop_hook hooks[] = {
	LOP_HOOK(LOP_PHASE_ROUTE, LOP_PRIORITY_FIRST, "vhost", choose_root),
	LOP_HOOK_END,
};

/* Options and life */

static int set_flag(void *state, const char *value, char *error, size_t error_size)
{
	(void)state; /* that the module is loaded is all it says */
	(void)value;
	(void)error;
	(void)error_size;
	return 0;
}

static int set_strict(void *state, const char *value, char *error, size_t error_size)
{
	struct vhost *vhost = state;

	(void)value;
	(void)error;
	(void)error_size;
	vhost->strict = true;
	return 0;
}

static const struct lop_option options[] = {
	LOP_OPTION('H', "vhost", NULL, "serve each host from the folder vhost<name>[:port]",
	           set_flag),
	LOP_OPTION(0, "vhost-strict", NULL,
	           "refuse hosts without a folder (421, or 404 without a name)", set_strict),
	LOP_OPTION_END,
};

static void forget_hosts(struct vhost *vhost)
{
	for (size_t i = 0; i < BUCKETS; i++) {
		while (vhost->hosts[i] != NULL) {
			struct host *host = vhost->hosts[i];

			vhost->hosts[i] = host->next;
			host_free(host);
		}
		vhost->unknown[i].hash = 0;
	}
}

static int vhost_init(struct lop_core *core, void **state)
{
	struct vhost *vhost = calloc(1, sizeof(*vhost));

	(void)core;
	if (vhost == NULL)
		return -ENOMEM;
	*state = vhost;
	return 0;
}

static int vhost_stage(void *state, enum lop_stage stage, struct lop_worker *worker)
{
	struct vhost *vhost = state;

	switch (stage) {
	case LOP_STAGE_WORKER:
		/* Differs from start to start: nobody outside can aim at one bucket. */
		vhost->seed = (uint64_t)lop_worker_wall(worker) ^ (uint64_t)(uintptr_t)vhost;
		return lop_root_hide(lop_worker_root(worker), HOST_PREFIX);
	case LOP_STAGE_REFRESH:
	case LOP_STAGE_EXIT:
		forget_hosts(vhost);
		return 0;
	default:
		return 0;
	}
}

static void vhost_fini(void *state)
{
	free(state);
}

LOP_EXPORT_MODULE = {
	LOP_MODULE_HEADER("vhost", "1.0", "a root for each host name", LOP_NEEDS_READ_FILES),
	.options = options,
	.init = vhost_init,
	.stage = vhost_stage,
	.fini = vhost_fini,
	.hooks = hooks,
};
