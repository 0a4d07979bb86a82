/* SPDX-License-Identifier: BSD-2-Clause */
#include "config.h"

#include "conditional.h"

#include <string.h>

#include "date.h"

enum comparison { WEAK, STRONG }; /* RFC 9110 8.8.3.2 */

static const char *skip_blank(const char *at, const char *end)
{
	while (at < end && (*at == ' ' || *at == '\t'))
		at++;
	return at;
}

/* entity-tag, RFC 9110 8.8.3. Returns its end, NULL when there is none; opaque gets the quoted
 * part. */
static const char *read_etag(const char *at, const char *end, bool *weak, struct lop_str *opaque)
{
	*weak = end - at >= 2 && at[0] == 'W' && at[1] == '/';
	if (*weak)
		at += 2;
	if (at == end || *at != '"')
		return NULL;
	opaque->data = at++;
	while (at < end && *at != '"') {
		if ((unsigned char)*at <= ' ' || *at == 0x7f)
			return NULL;
		at++;
	}
	if (at == end)
		return NULL;
	at++;
	opaque->length = (size_t)(at - opaque->data);
	return at;
}

static bool same_etag(struct lop_str opaque, bool weak, struct lop_str current,
                      enum comparison comparison)
{
	if (current.data == NULL || (weak && comparison == STRONG))
		return false;
	return opaque.length == current.length &&
	       memcmp(opaque.data, current.data, current.length) == 0;
}

/* "*" or a list of entity tags against the current representation. */
static bool matches(struct lop_str list, const struct validators *validators,
                    enum comparison comparison)
{
	const char *at = list.data;
	const char *end = at + list.length;

	if (list.length == 1 && *at == '*')
		return validators->exists;
	while (validators->exists && at < end) {
		struct lop_str opaque;
		bool weak;
		if (*at == ' ' || *at == '\t' || *at == ',') {
			at++;
			continue;
		}
		at = read_etag(at, end, &weak, &opaque);
		if (at == NULL)
			return false;
		at = skip_blank(at, end);
		if (at < end && *at != ',')
			return false;
		if (same_etag(opaque, weak, validators->etag, comparison))
			return true;
	}
	return false;
}

/* -1 when the date or Last-Modified is of no use, 1 when the representation was modified after the
 * date, else 0. */
static int modified_since(struct lop_str date, const struct validators *validators, int64_t now)
{
	int64_t seconds;
	if (!validators->exists || validators->modified == INT64_MIN)
		return -1;
	if (date_parse(date, now, &seconds) != 0)
		return -1;
	return validators->modified > seconds;
}

int conditional_check(const struct conditions *conditions, const struct validators *validators,
                      bool safe, int64_t now)
{
	if (conditions->if_match.data != NULL) {
		if (!matches(conditions->if_match, validators, STRONG))
			return 412;
	} else if (conditions->if_unmodified_since.data != NULL) {
		if (modified_since(conditions->if_unmodified_since, validators, now) == 1)
			return 412;
	}
	if (conditions->if_none_match.data != NULL) {
		if (matches(conditions->if_none_match, validators, WEAK))
			return safe ? 304 : 412;
	} else if (safe && conditions->if_modified_since.data != NULL) {
		if (modified_since(conditions->if_modified_since, validators, now) == 0)
			return 304;
	}
	return 0;
}

bool conditional_range(const struct conditions *conditions, const struct validators *validators,
                       int64_t now)
{
	struct lop_str value = conditions->if_range;
	struct lop_str opaque;
	bool weak;
	int64_t seconds;

	if (value.data == NULL)
		return true;
	if (!validators->exists)
		return false;
	const char *end = value.data + value.length;
	if (read_etag(value.data, end, &weak, &opaque) == end)
		return same_etag(opaque, weak, validators->etag, STRONG);
	return validators->modified != INT64_MIN && validators->modified_strong &&
	       date_parse(value, now, &seconds) == 0 && seconds == validators->modified;
}
