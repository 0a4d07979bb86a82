/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * tls from the inside: what its parts share.
 *
 * The options are read into struct tls_options (options.c) and name files. A struct files holds what
 * stands in them (files.c); a struct store is what is made of that, an SSL_CTX for each host
 * (store.c, with context.c, certificates.c and ocsp.c). The process that may read the files makes a
 * new store when they change, and hands their contents to the workers through shared memory
 * (bundle.c), where each makes its own. Connections are transport.c and write.c, with wire.c below
 * OpenSSL and seal.c beside it; what is said to their requests is http.c.
 */
#ifndef TLS_TLS_H
#define TLS_TLS_H

#include <openssl/ssl.h>
#include <stdbool.h>
#include <stdint.h>

#include <lophttpd/lophttpd.h>

#include "names.h"

#define ERROR_SIZE 512
/* Plaintext is read and gathered before it is encrypted: as many full records as one call sends, a
 * response's head in front of them, and behind them the little that a head has pushed out of the
 * last. The page beyond lets a file's bytes lie as they do in the file (see place()). */
#define RECORD_MAX ((size_t)16384)
#define BATCH_MAX (16 * RECORD_MAX)
#define HEAD_MAX ((size_t)4096)
#define PAGE ((size_t)4096)
#define BUFFER_SIZE (HEAD_MAX + PAGE + BATCH_MAX + HEAD_MAX)

enum file_kind {
	FILE_CERTIFICATE,
	FILE_KEY,
	FILE_STAPLE, /* an OCSP response */
	FILE_CLIENT_CA,
	FILE_DH,
};

/* A file that an option names. */
struct file_option {
	enum file_kind kind;
	size_t host; /* index, for those that belong to one */
	char *path;
};

enum verify {
	VERIFY_NONE,
	VERIFY_OPTIONAL,
	VERIFY_REQUIRED,
};

struct tls_options {
	char **hosts; /* names as given first; "" is the default host, "*.…" a wildcard */
	size_t host_count;
	int default_host; /* of those that no name fits: the one without, else the first */
	size_t *sorted; /* indices of the hosts by name */
	struct file_option *files;
	size_t file_count;
	int min_version;  /* TLS1_2_VERSION or TLS1_3_VERSION */
	char *ciphers;    /* of TLS 1.2, NULL: the default */
	char *suites;     /* of TLS 1.3 */
	char *groups;
	bool has_dh_file;
	enum verify verify;
	bool verify_given;
	char *hsts;         /* the field's value, NULL: none */
	int redirect;       /* port, -1: none */
	bool no_kernel;
};

struct files;
struct store;
struct bundle;
struct tickets;

/* The module's state. */
struct tls {
	struct lop_core *core;
	struct lop_worker *worker; /* from WORKER on */
	struct tls_options options;
	struct files *files;     /* what the store was made of; not kept by workers */
	struct store *store;
	struct bundle *bundle;   /* shared with the workers */
	struct tickets *tickets; /* the same */
	BIO_METHOD *wire;        /* wire.c */
	unsigned char *buffer;   /* BUFFER_SIZE; holds nothing between calls */
	unsigned char *out;      /* WIRE_OUT, behind it; the same for records */
	size_t kept;             /* bytes of memory that wait for sockets (wire.c) */
	uint32_t short_only;     /* connections since one had an answer of more than a record */
	unsigned char *protocols; /* ALPN, in the form of RFC 7301 */
	size_t protocols_length;
	uint64_t root_device;    /* "/" as it was when the files were read */
	uint64_t root_inode;
	uint16_t port;           /* of the first listener with tls */
	int staples_index;       /* of a context's data: struct staple, freed with it */
	bool kernel;             /* the kernel may encrypt (kTLS) */
	bool served;             /* privileges are gone: the bundle is only read */
};

extern const struct lop_transport tls_transport;
extern const struct lop_hook tls_hooks[];
extern const struct lop_option tls_option_table[];

/* options.c */
/* After all options are set: what they need of each other. 0, or -EINVAL after a message. */
int options_check(struct tls *tls);
void options_free(struct tls_options *options);
/* The host that serves a name; -1: none was configured for it. */
int options_find_host(const struct tls_options *options, const char *name);

/* OpenSSL's reason for the last failure, and forgets it. Never empty. */
const char *tls_reason(void);

#endif
