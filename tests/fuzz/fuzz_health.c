/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The answer to an active check, whole and in pieces; and the option that asks for it.
 */
#include "config.h"

#include <errno.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "../../proxy/health_parse.h"
#include "../../proxy/pool.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void expect(bool holds)
{
	if (!holds)
		abort();
}

static void check_option(const uint8_t *data, size_t size)
{
	struct health_check check;
	char error[256] = "", *text = malloc(size + 1);

	expect(text != NULL);
	if (size > 0)
		memcpy(text, data, size);
	text[size] = '\0';
	if (health_parse(text, &check, error, sizeof error) == 0) {
		expect(check.active && check.path[0] == '/' &&
		       strpbrk(check.path, " \r\n") == NULL);
		expect(check.interval >= check.timeout && check.timeout > 0);
		expect(check.rise > 0 && check.fall > 0 && check.expect_low <= check.expect_high);
		health_clear(&check);
	} else {
		expect(error[0] != '\0');
	}
	free(text);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const char *text = (const char *)data;
	int last = 0;

	check_option(data, size);
	/* What is decided stays so, whatever comes behind it. */
	for (size_t length = 0; length <= size; length++) {
		const int status = health_answer(text, length);

		expect(status == 0 || status == -EBADMSG || (status >= 200 && status <= 599));
		expect(last == 0 || status == last);
		last = status;
	}
	return 0;
}
