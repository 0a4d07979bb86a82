/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * tls: encryption, with a certificate for each host.
 *
 *   lhttpd -C cert.pem -K key.pem -C example.org:other.pem -K example.org:other.key
 *
 * Life: BOUND, still privileged, reads the files, refuses what clients would refuse, and makes what
 * all workers share: the files' contents and the secret of the tickets. REOPEN, first in the process
 * that watches over the workers, reads them anew; then each worker takes over what has changed.
 * Connections keep what they began with.
 */
#include <errno.h>
#include <fcntl.h>
#ifdef __GLIBC__
#include <malloc.h>
#endif
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "bundle.h"
#include "compat.h"
#include "files.h"
#include "ocsp.h"
#include "store.h"
#include "tickets.h"
#include "tls.h"
#include "wire.h"

#define KEPT_MEMORY (1024 * 1024)

/* ---- files ---------------------------------------------------------------------------------- */

/* Whether the folder of a path is the folder that is served, or lies below it. */
static bool is_below(const char *path, const struct stat *root)
{
	char *folder = realpath(path, NULL);
	char *slash;
	bool below = false;

	while (folder != NULL && !below && (slash = strrchr(folder, '/')) != NULL) {
		struct stat st;

		slash[slash == folder] = '\0';
		below = stat(folder, &st) == 0 && st.st_dev == root->st_dev &&
		        st.st_ino == root->st_ino;
		if (slash == folder)
			break;
	}
	free(folder);
	return below;
}

/* Whether workers, who give up root, cannot read it. */
static bool is_for_root_only(const char *path)
{
	struct stat st;

	return geteuid() == 0 && stat(path, &st) == 0 && st.st_uid == 0 && (st.st_mode & 077) == 0;
}

/* Whoever is served that folder is served the key. With the whole disk served there is nowhere
 * else to put it: then its rights have to do. */
static int refuse_served_keys(struct tls *tls)
{
	const struct tls_options *options = &tls->options;
	struct stat root, whole;
	bool everything;

	if (fstat(lop_root_descriptor(lop_core_root(tls->core)), &root) < 0)
		return -errno;
	everything = stat("/", &whole) == 0 && root.st_dev == whole.st_dev &&
	             root.st_ino == whole.st_ino;
	for (size_t i = 0; i < options->file_count; i++) {
		if (!files_has_key(&tls->files->items[i]) ||
		    !is_below(options->files[i].path, &root) ||
		    (everything && is_for_root_only(options->files[i].path)))
			continue;
		lop_core_message(tls->core, LOP_LOG_ERROR,
		                 "the key %s lies in the folder that is served, where clients may "
		                 "get it; move it elsewhere",
		                 options->files[i].path);
		return -EPERM;
	}
	return 0;
}

static int read_first(struct tls *tls)
{
	char error[ERROR_SIZE];
	struct stat st;

	if (stat("/", &st) == 0) {
		tls->root_device = (uint64_t)st.st_dev;
		tls->root_inode = (uint64_t)st.st_ino;
	}
	if (files_read(tls, &tls->files, error, sizeof(error)) < 0 ||
	    (tls->store = store_new(tls, tls->files, error, sizeof(error))) == NULL) {
		lop_core_message(tls->core, LOP_LOG_ERROR, "%s", error);
		return -EINVAL;
	}
	return refuse_served_keys(tls);
}

static void keep_old(struct tls *tls, const char *error)
{
	lop_core_message(tls->core, LOP_LOG_ERROR,
	                 "%s; going on with the certificates that were there before", error);
}

/* In the process that may read the files: makes what they say what counts, if that is good. */
static void read_again(struct tls *tls)
{
	char error[ERROR_SIZE];
	struct files *files = NULL;
	struct store *store = NULL;

	if (files_read(tls, &files, error, sizeof(error)) < 0) {
		keep_old(tls, error);
		return;
	}
	if (files_equal(files, tls->files)) {
		files_free(&files);
		return;
	}
	store = store_new(tls, files, error, sizeof(error));
	if (store == NULL) {
		keep_old(tls, error);
		files_free(&files);
		return;
	}
	if (!tls->served && bundle_put(tls->bundle, files) < 0) {
		keep_old(tls, "the certificates have become too many to be handed to the workers; "
		              "restart the server");
		store_free(&store);
		files_free(&files);
		return;
	}
	store_free(&tls->store);
	files_free(&tls->files);
	tls->store = store;
	tls->files = files;
	lop_core_message(tls->core, LOP_LOG_NOTICE, "the certificates were read again");
}

/* In a worker: takes over what the master has read. */
static void take_over(struct tls *tls)
{
	char error[ERROR_SIZE];
	struct files *files = bundle_take(tls->bundle);
	struct store *store;

	if (files == NULL)
		return;
	store = store_new(tls, files, error, sizeof(error));
	files_free(&files);
	if (store == NULL) {
		keep_old(tls, error);
		return;
	}
	store_free(&tls->store);
	tls->store = store;
}

static int watch_files(struct tls *tls)
{
	int result = 0;

	for (size_t i = 0; i < tls->options.file_count && result == 0; i++)
		result = lop_core_watch(tls->core, tls->options.files[i].path);
	return result;
}

/* ---- stages --------------------------------------------------------------------------------- */

/* ALPN: each name behind its length. */
static int list_protocols(struct tls *tls)
{
	const char *name;

	for (size_t i = 0; (name = lop_core_protocol(tls->core, i)) != NULL; i++) {
		const size_t length = strlen(name);
		unsigned char *grown;

		if (length == 0 || length > 255)
			continue;
		grown = realloc(tls->protocols, tls->protocols_length + length + 1);
		if (grown == NULL)
			return -ENOMEM;
		tls->protocols = grown;
		grown[tls->protocols_length] = (unsigned char)length;
		memcpy(grown + tls->protocols_length + 1, name, length);
		tls->protocols_length += length + 1;
	}
	return 0;
}

static int configured(struct tls *tls)
{
	int result = options_check(tls);

	if (result == 0)
		result = list_protocols(tls);
	if (result == 0 && tls->options.redirect >= 0)
		result = lop_core_listen(tls->core, (uint16_t)tls->options.redirect, "plain",
		                         tls_transport.name, tls);
	return result;
}

static int bound(struct tls *tls)
{
	int result;

	tls->kernel = !tls->options.no_kernel && compat_kernel_possible();
	tls->port = lop_core_port(tls->core, tls_transport.name);
	tls->tickets = tickets_new((int64_t)time(NULL));
	tls->buffer = aligned_alloc(PAGE, BUFFER_SIZE + WIRE_OUT);
	if (tls->tickets == NULL || tls->buffer == NULL)
		return -ENOMEM;
	tls->out = tls->buffer + BUFFER_SIZE;
	result = read_first(tls);
	if (result < 0)
		return result;
	tls->bundle = bundle_new(tls->files);
	return tls->bundle == NULL ? -ENOMEM : watch_files(tls);
}

/* A handshake takes much memory for a short time: giving that back to the system and asking for it
 * again costs more than the rest of the bookkeeping. */
static void keep_memory(void)
{
#ifdef M_TRIM_THRESHOLD
	(void)mallopt(M_TRIM_THRESHOLD, KEPT_MEMORY);
	(void)mallopt(M_TOP_PAD, KEPT_MEMORY / 4);
#endif
}

static int tls_stage(void *state, enum lop_stage stage, struct lop_worker *worker)
{
	struct tls *tls = state;

	switch (stage) {
	case LOP_STAGE_CONFIGURED:
		return configured(tls);
	case LOP_STAGE_BOUND:
		return bound(tls);
	case LOP_STAGE_UNPRIVILEGED:
		tls->served = true;
		bundle_seal(tls->bundle);
		return 0;
	case LOP_STAGE_WORKER:
		tls->worker = worker;
		keep_memory();
		take_over(tls);
		return 0;
	case LOP_STAGE_REOPEN:
		if (worker == NULL)
			read_again(tls);
		else
			take_over(tls);
		return 0;
	default:
		return 0;
	}
}

/* ---- life ----------------------------------------------------------------------------------- */

/* The end of a context. */
static void free_staples(void *parent, void *data, CRYPTO_EX_DATA *all, int index, long number,
                         void *pointer)
{
	struct staple *staples = data;

	(void)parent;
	(void)all;
	(void)index;
	(void)number;
	(void)pointer;
	ocsp_free(&staples);
}

static void tls_fini(void *state)
{
	struct tls *tls = state;

	store_free(&tls->store);
	files_free(&tls->files);
	bundle_free(&tls->bundle);
	tickets_free(&tls->tickets);
	if (tls->buffer != NULL)
		OPENSSL_cleanse(tls->buffer, BUFFER_SIZE);
	free(tls->buffer);
	free(tls->protocols);
	options_free(&tls->options);
	BIO_meth_free(tls->wire);
	free(tls);
}

static int tls_init(struct lop_core *core, void **state)
{
	struct tls *tls = calloc(1, sizeof(*tls));

	if (tls == NULL)
		return -ENOMEM;
	tls->core = core;
	tls->options.min_version = TLS1_2_VERSION;
	tls->options.redirect = -1;
	tls->wire = wire_method_new();
	tls->staples_index = SSL_CTX_get_ex_new_index(0, NULL, NULL, NULL, free_staples);
	if (tls->wire == NULL || tls->staples_index < 0) {
		tls_fini(tls);
		return -ENOMEM;
	}
	*state = tls;
	return 0;
}

LOP_EXPORT_MODULE = {
	LOP_MODULE_HEADER("tls", "1.0", "encryption, with a certificate for each host",
	                  LOP_NEEDS_READ_FILES | LOP_NEEDS_ENCRYPT),
	.options = tls_option_table,
	.init = tls_init,
	.stage = tls_stage,
	.fini = tls_fini,
	.hooks = tls_hooks,
	.transport = &tls_transport,
};
