/* SPDX-License-Identifier: BSD-2-Clause */
#include "store.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "context.h"
#include "ocsp.h"
#include "tls.h"

/* Adds what lives as long as the context: its end frees it (module.c). */
static int add_staples(struct tls *tls, const struct files *files, size_t host, SSL_CTX *context,
                       char *error, size_t error_size)
{
	struct staple *staples;
	int result = ocsp_read(tls, files, host, &staples, error, error_size);

	if (result < 0 || staples == NULL)
		return result;
	if (SSL_CTX_set_ex_data(context, tls->staples_index, staples) != 1) {
		ocsp_free(&staples);
		snprintf(error, error_size, "%s", strerror(ENOMEM));
		return -ENOMEM;
	}
	ocsp_prepare(context, staples);
	return 0;
}

struct store *store_new(struct tls *tls, const struct files *files, char *error,
                        size_t error_size)
{
	const size_t count = tls->options.host_count;
	struct store *store = calloc(1, sizeof(*store) + count * sizeof(store->contexts[0]));

	if (store == NULL) {
		snprintf(error, error_size, "%s", strerror(ENOMEM));
		return NULL;
	}
	store->count = count;
	for (size_t i = 0; i < count; i++) {
		store->contexts[i] = context_new(tls, files, i, error, error_size);
		if (store->contexts[i] == NULL ||
		    add_staples(tls, files, i, store->contexts[i], error, error_size) < 0) {
			store_free(&store);
			return NULL;
		}
	}
	return store;
}

void store_free(struct store **pointer)
{
	struct store *store = *pointer;

	*pointer = NULL;
	if (store == NULL)
		return;
	for (size_t i = 0; i < store->count; i++)
		SSL_CTX_free(store->contexts[i]);
	free(store);
}
