/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The module's options, and what they need of each other.
 */
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "tls.h"

#define DAY_S INT64_C(86400)

static int replace(char **field, const char *value)
{
	char *copy = strdup(value);

	if (copy == NULL)
		return -ENOMEM;
	free(*field);
	*field = copy;
	return 0;
}

/* Returns the host's index, made when it is new, or -ENOMEM. */
static int host_index(struct tls_options *options, const char *name)
{
	char **hosts;

	for (size_t i = 0; i < options->host_count; i++)
		if (strcmp(options->hosts[i], name) == 0)
			return (int)i;
	hosts = realloc(options->hosts, (options->host_count + 1) * sizeof(*hosts));
	if (hosts == NULL)
		return -ENOMEM;
	options->hosts = hosts;
	hosts[options->host_count] = strdup(name);
	if (hosts[options->host_count] == NULL)
		return -ENOMEM;
	return (int)options->host_count++;
}

/* The background's current folder is another. NULL: memory is out. */
static char *absolute(const char *path)
{
	char folder[PATH_MAX];
	char *out;
	size_t size;

	if (path[0] == '/' || getcwd(folder, sizeof(folder)) == NULL)
		return strdup(path);
	size = strlen(folder) + strlen(path) + 2;
	out = malloc(size);
	if (out != NULL)
		snprintf(out, size, "%s/%s", folder, path);
	return out;
}

static int add_file(struct tls_options *options, enum file_kind kind, size_t host,
                    const char *path)
{
	struct file_option *files =
		realloc(options->files, (options->file_count + 1) * sizeof(*files));
	char *copy = absolute(path);

	if (files != NULL)
		options->files = files;
	if (files == NULL || copy == NULL) {
		free(copy);
		return -ENOMEM;
	}
	files[options->file_count++] =
		(struct file_option){ .kind = kind, .host = host, .path = copy };
	return 0;
}

static int add_of_host(void *state, enum file_kind kind, const char *value, char *error,
                       size_t size)
{
	struct tls *tls = state;
	char name[NAME_SIZE];
	const char *path = name_split(value, name);
	int host;

	if (path == NULL || path[0] == '\0') {
		snprintf(error, size,
		         "'%s' is not [HOST:]FILE; HOST is a name like example.org or *.example.org",
		         value);
		return -EINVAL;
	}
	host = host_index(&tls->options, name);
	return host < 0 ? host : add_file(&tls->options, kind, (size_t)host, path);
}

static int set_certificate(void *state, const char *value, char *error, size_t size)
{
	return add_of_host(state, FILE_CERTIFICATE, value, error, size);
}

static int set_key(void *state, const char *value, char *error, size_t size)
{
	return add_of_host(state, FILE_KEY, value, error, size);
}

static int set_staple(void *state, const char *value, char *error, size_t size)
{
	return add_of_host(state, FILE_STAPLE, value, error, size);
}

static int set_client_ca(void *state, const char *value, char *error, size_t size)
{
	struct tls *tls = state;

	(void)error;
	(void)size;
	return add_file(&tls->options, FILE_CLIENT_CA, 0, value);
}

static int set_verify(void *state, const char *value, char *error, size_t size)
{
	struct tls *tls = state;

	if (strcmp(value, "optional") == 0)
		tls->options.verify = VERIFY_OPTIONAL;
	else if (strcmp(value, "required") == 0)
		tls->options.verify = VERIFY_REQUIRED;
	else {
		snprintf(error, size, "'%s' is neither optional nor required", value);
		return -EINVAL;
	}
	tls->options.verify_given = true;
	return 0;
}

static int set_min(void *state, const char *value, char *error, size_t size)
{
	struct tls *tls = state;

	if (strcmp(value, "1.2") == 0)
		tls->options.min_version = TLS1_2_VERSION;
	else if (strcmp(value, "1.3") == 0)
		tls->options.min_version = TLS1_3_VERSION;
	else {
		snprintf(error, size, "'%s' is neither 1.2 nor 1.3; older versions are not safe",
		         value);
		return -EINVAL;
	}
	return 0;
}

static int append_name(char **list, const char *name, size_t length)
{
	const size_t before = *list != NULL ? strlen(*list) : 0;
	char *grown = realloc(*list, before + length + 2);

	if (grown == NULL)
		return -ENOMEM;
	*list = grown;
	if (before > 0)
		grown[before] = ':';
	memcpy(grown + before + (before > 0), name, length);
	grown[before + (before > 0) + length] = '\0';
	return 0;
}

/* OpenSSL keeps the two versions' ciphers apart, users need not. */
static int set_ciphers(void *state, const char *value, char *error, size_t size)
{
	struct tls *tls = state;
	char **lists[] = { &tls->options.ciphers, &tls->options.suites };
	int result = 0;

	(void)error;
	(void)size;
	for (size_t i = 0; i < 2; i++) {
		free(*lists[i]);
		*lists[i] = NULL;
	}
	while (*value != '\0' && result == 0) {
		const size_t length = strcspn(value, ":");
		const bool suite = strncmp(value, "TLS_", 4) == 0;

		if (length > 0)
			result = append_name(lists[suite], value, length);
		value += length + (value[length] == ':');
	}
	return result;
}

static int set_groups(void *state, const char *value, char *error, size_t size)
{
	(void)error;
	(void)size;
	return replace(&((struct tls *)state)->options.groups, value);
}

static int set_dh(void *state, const char *value, char *error, size_t size)
{
	struct tls *tls = state;

	(void)error;
	(void)size;
	if (strcmp(value, "auto") == 0)
		return 0;
	tls->options.has_dh_file = true;
	return add_file(&tls->options, FILE_DH, 0, value);
}

static int set_redirect(void *state, const char *value, char *error, size_t size)
{
	struct tls *tls = state;
	char *end;
	const long port = strtol(value, &end, 10);

	if (value[0] < '0' || value[0] > '9' || *end != '\0' || port > 65535) {
		snprintf(error, size, "'%s' is not a port from 0 to 65535, such as 80", value);
		return -EINVAL;
	}
	tls->options.redirect = (int)port;
	return 0;
}

/* "180d", "63072000": in seconds, or -1. */
static int64_t parse_age(const char *text, size_t length)
{
	int64_t value = 0, unit = 1;
	size_t digits = 0;

	for (; digits < length && digits < 10 && text[digits] >= '0' && text[digits] <= '9';
	     digits++)
		value = value * 10 + (text[digits] - '0');
	if (digits == 0 || digits + 1 < length)
		return -1;
	if (digits < length) {
		switch (text[digits]) {
		case 's':
			break;
		case 'h':
			unit = 3600;
			break;
		case 'd':
			unit = DAY_S;
			break;
		case 'y':
			unit = 365 * DAY_S;
			break;
		default:
			return -1;
		}
	}
	return value * unit;
}

static int set_hsts(void *state, const char *value, char *error, size_t size)
{
	struct tls *tls = state;
	const size_t length = strcspn(value, ",");
	const int64_t age = parse_age(value, length);
	const char *rest = value + length;
	bool subdomains = false, preload = false;
	char text[96];

	while (rest[0] == ',') {
		const char *word = rest + 1;
		const size_t word_length = strcspn(word, ",");

		if (word_length == 10 && strncmp(word, "subdomains", 10) == 0)
			subdomains = true;
		else if (word_length == 7 && strncmp(word, "preload", 7) == 0)
			preload = true;
		else
			break;
		rest = word + word_length;
	}
	if (age < 0 || rest[0] != '\0') {
		snprintf(error, size, "'%s' is not TIME[,subdomains][,preload], such as 180d", value);
		return -EINVAL;
	}
	snprintf(text, sizeof(text), "max-age=%lld%s%s", (long long)age,
	         subdomains ? "; includeSubDomains" : "", preload ? "; preload" : "");
	return replace(&tls->options.hsts, text);
}

static int set_no_kernel(void *state, const char *value, char *error, size_t size)
{
	(void)value;
	(void)error;
	(void)size;
	((struct tls *)state)->options.no_kernel = true;
	return 0;
}

const struct lop_option tls_option_table[] = {
	LOP_OPTION('C', "cert", "[HOST:]FILE",
	           "certificate and its chain, PEM; with HOST for that name only (*.NAME: below it)",
	           set_certificate),
	LOP_OPTION('K', "key", "[HOST:]FILE", "its private key, unless -C's file has that too",
	           set_key),
	LOP_OPTION(0, "tls-min", "VERSION", "oldest version spoken: 1.2 (the default) or 1.3", set_min),
	LOP_OPTION(0, "tls-ciphers", "LIST", "ciphers of TLS 1.2 and 1.3, separated by colons",
	           set_ciphers),
	LOP_OPTION(0, "tls-groups", "LIST", "groups for the key exchange, separated by colons",
	           set_groups),
	LOP_OPTION(0, "tls-dhparam", "FILE", "parameters for DHE in TLS 1.2; auto: those of RFC 7919",
	           set_dh),
	LOP_OPTION(0, "tls-ocsp", "[HOST:]FILE", "OCSP response to staple, DER", set_staple),
	LOP_OPTION(0, "tls-client-ca", "FILE", "who may issue clients' certificates, PEM",
	           set_client_ca),
	LOP_OPTION(0, "tls-verify", "HOW", "clients' certificates: required (the default with "
	           "--tls-client-ca) or optional", set_verify),
	LOP_OPTION(0, "tls-redirect", "PORT", "listen there too, and send clients to https",
	           set_redirect),
	LOP_OPTION(0, "tls-hsts", "TIME",
	           "have browsers use https only, for so long; TIME,subdomains,preload say more",
	           set_hsts),
	LOP_OPTION(0, "tls-no-kernel", NULL, "never leave the encryption to the kernel (kTLS)",
	           set_no_kernel),
	LOP_OPTION_END,
};

/* ---- what they need of each other ----------------------------------------------------------- */

struct by_name {
	const char *name;
	size_t index;
};

static int compare(const void *a, const void *b)
{
	return strcmp(((const struct by_name *)a)->name, ((const struct by_name *)b)->name);
}

static int sort_hosts(struct tls_options *options)
{
	struct by_name *list = calloc(options->host_count + 1, sizeof(*list));

	options->sorted = calloc(options->host_count + 1, sizeof(*options->sorted));
	if (list == NULL || options->sorted == NULL) {
		free(list);
		return -ENOMEM;
	}
	for (size_t i = 0; i < options->host_count; i++)
		list[i] = (struct by_name){ .name = options->hosts[i], .index = i };
	for (size_t i = options->host_count; i-- > 0;)
		if (options->hosts[i][0] == '\0')
			options->default_host = (int)i;
	qsort(list, options->host_count, sizeof(*list), compare);
	for (size_t i = 0; i < options->host_count; i++)
		options->sorted[i] = list[i].index;
	free(list);
	return 0;
}

static int search(const struct tls_options *options, const char *name)
{
	size_t low = 0, high = options->host_count;

	while (low < high) {
		const size_t middle = (low + high) / 2;
		const int order = strcmp(name, options->hosts[options->sorted[middle]]);

		if (order == 0)
			return (int)options->sorted[middle];
		if (order < 0)
			high = middle;
		else
			low = middle + 1;
	}
	return -1;
}

int options_find_host(const struct tls_options *options, const char *name)
{
	char wildcard[NAME_SIZE];
	int host = search(options, name);

	if (host < 0 && name_wildcard(name, wildcard))
		host = search(options, wildcard);
	return host;
}

static bool has_file(const struct tls_options *options, enum file_kind kind, size_t host)
{
	for (size_t i = 0; i < options->file_count; i++)
		if (options->files[i].kind == kind && options->files[i].host == host)
			return true;
	return false;
}

static int complain(struct tls *tls, const char *what)
{
	lop_core_message(tls->core, LOP_LOG_ERROR, "%s", what);
	return -EINVAL;
}

int options_check(struct tls *tls)
{
	struct tls_options *options = &tls->options;

	if (!has_file(options, FILE_CERTIFICATE, 0) && options->host_count == 0)
		return complain(tls, "tls needs a certificate; name one with -C FILE and its key "
		                     "with -K FILE");
	for (size_t i = 0; i < options->host_count; i++) {
		if (has_file(options, FILE_CERTIFICATE, i))
			continue;
		lop_core_message(tls->core, LOP_LOG_ERROR,
		                 "there is a key or an OCSP response%s%s, but no certificate; name "
		                 "it with -C",
		                 options->hosts[i][0] != '\0' ? " for " : "", options->hosts[i]);
		return -EINVAL;
	}
	if (has_file(options, FILE_CLIENT_CA, 0) && !options->verify_given)
		options->verify = VERIFY_REQUIRED;
	if (options->verify != VERIFY_NONE && !has_file(options, FILE_CLIENT_CA, 0))
		return complain(tls, "--tls-verify needs to know who may issue clients' "
		                     "certificates; name the file with --tls-client-ca");
	return sort_hosts(options);
}

void options_free(struct tls_options *options)
{
	while (options->host_count > 0)
		free(options->hosts[--options->host_count]);
	while (options->file_count > 0)
		free(options->files[--options->file_count].path);
	free(options->hosts);
	free(options->sorted);
	free(options->files);
	free(options->ciphers);
	free(options->suites);
	free(options->groups);
	free(options->hsts);
}
