/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The config file: its form, and the values of the core's options. The input is the file.
 */
#include "config.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "config_file.h"
#include "options.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void expect(bool holds)
{
	if (!holds)
		abort();
}

static int take(void *context, const char *name, char *const *values, size_t count, char *error,
                size_t error_size)
{
	const struct option *option = option_by_name(name, strlen(name));
	const char *value = count > 0 ? values[0] : NULL;
	int result;

	expect(count <= CONFIG_VALUES_MAX);
	expect(*name != '\0' && strpbrk(name, " \t\r\n#\"'=") == NULL);
	if (option == NULL || option->typed_only || (option->argument == NULL) != (value == NULL)) {
		snprintf(error, error_size, "%s", name);
		return -EINVAL;
	}
	result = option_apply(option, context, value, error, error_size);
	expect(result == 0 || *error != '\0');
	return result;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const char file[] = "fuzzed";
	struct settings settings;
	char error[512] = "";
	int result;

	expect(options_preset(&settings) == 0);
	result =
		config_parse((const char *)data, size, file, take, &settings, error, sizeof(error));
	expect(result == 0 || strncmp(error, "fuzzed:", strlen("fuzzed:")) == 0);
	expect(result != 0 || *error == '\0');
	expect(settings.port >= -1 && settings.port <= 65535 && settings.cache_check >= 0);
	options_free(&settings);
	return 0;
}
