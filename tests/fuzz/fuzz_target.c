/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The target normaliser. The first byte of the input is the method's: 'O' for OPTIONS, 'C' for
 * CONNECT, any other for GET. The rest is the target.
 */
#include "config.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "target.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void expect(bool holds)
{
	if (!holds)
		abort();
}

/* That a file system may be given the path below a root without another look. */
static void check_path(struct lop_str path)
{
	size_t start = 1;
	expect(path.length > 0 && path.data[0] == '/' && path.data[path.length] == '\0');
	for (size_t i = 1; i <= path.length; i++) {
		unsigned char byte = (unsigned char)path.data[i];
		if (i < path.length)
			expect(byte != 0);
		if (byte != '/' && byte != '\0')
			continue;
		size_t length = i - start;
		const char *name = path.data + start;
		expect(length > 0 || i == path.length); /* only the end may be empty */
		expect(!(length == 1 && name[0] == '.'));
		expect(!(length == 2 && name[0] == '.' && name[1] == '.'));
		start = i + 1;
	}
}

/* What a path is encoded to is a reference to that path, and nothing but a path. */
static void check_encoding(struct lop_str path)
{
	char *encoded = malloc(3 * path.length);
	char *out = malloc(3 * path.length + 2);
	struct target again;

	expect(encoded != NULL && out != NULL);
	size_t length = target_encode(path.data, path.length, encoded);
	expect(length >= path.length && length <= 3 * path.length);
	for (size_t i = 0; i < length; i++)
		expect(encoded[i] > ' ' && strchr("\"'<>\\^`{|}:?#[]", encoded[i]) == NULL);
	expect(length == 1 || encoded[1] != '/');
	expect(target_parse(LOP_METHOD_GET, encoded, length, out, &again) == 0);
	expect(again.path.length == path.length);
	expect(memcmp(again.path.data, path.data, path.length) == 0);
	expect(again.query.data == NULL && again.authority.data == NULL);
	free(encoded);
	free(out);
}

static bool lies_within(struct lop_str part, const char *raw, size_t length)
{
	return part.data == NULL || (part.data >= raw && part.data + part.length <= raw + length);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	enum lop_method method = LOP_METHOD_GET;
	struct target target;

	if (size == 0)
		return 0;
	if (data[0] == 'O')
		method = LOP_METHOD_OPTIONS;
	if (data[0] == 'C')
		method = LOP_METHOD_CONNECT;

	const char *raw = (const char *)data + 1;
	size_t length = size - 1;
	char *out = malloc(length + 2);
	expect(out != NULL);
	int result = target_parse(method, raw, length, out, &target);
	expect(result == 0 || result == -400);
	if (result == 0) {
		expect(target.path.data == out && target.path.length <= length + 1);
		expect(lies_within(target.query, raw, length));
		expect(lies_within(target.authority, raw, length));
		if (target.authority.data != NULL)
			expect(target.authority.length > 0 &&
			       target_check_authority(target.authority.data,
			                              target.authority.length) == 0);
		if (target.path.length == 1 && out[0] == '*') {
			expect(method != LOP_METHOD_GET && out[1] == '\0');
		} else {
			expect(method != LOP_METHOD_CONNECT);
			check_path(target.path);
			check_encoding(target.path);
		}
	}
	free(out);
	result = target_check_authority(raw, length);
	expect(result == 0 || result == -400);
	return 0;
}
