/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Reading the command line and the config file: once leniently, to learn which modules to load, and
 * then, with their options known, strictly and from the start.
 */
#include "config.h"

#include "options.h"

#include <errno.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "config_file.h"
#include "core.h"
#include "options_suggest.h"
#include "program.h"

/* Letters that load their module, so that the plain line works. The letter is then the module's
 * own. This table is the one place in the core that names modules. */
struct shorthand {
	char letter;
	bool argument;
	const char *module;
};

static const struct shorthand shorthands[] = {
	{ 'i', false, "autoindex" }, { 'B', true, "autoindex" }, { 'H', false, "vhost" },
	{ 'U', true, "upload" },     { 'r', false, "upload" },   { 'Q', false, "upload" },
	{ 'C', true, "tls" },        { 'K', true, "tls" },
};
#define SHORTHANDS (sizeof(shorthands) / sizeof(shorthands[0]))

/* -L NAME loads log_NAME, by default this one. */
#define LOG_PREFIX "log_"
#define LOG_DEFAULT "log_file"
/* Loaded where it is installed, unless --no-sandbox. */
#define SANDBOX_DEFAULT "sandbox"

struct reading {
	struct lop_core *core;
	int argc;
	char **argv;
	bool strict;
	bool in_file;
	const char *operand;          /* the last that was seen, where there may be one */
	bool given[OPTION_COUNT_MAX]; /* on the command line */
	const struct shorthand *letters[SHORTHANDS]; /* that were seen, in order */
	size_t letter_count;
	char *error;
	size_t error_size;
};

/* An option as typed, and what it turned out to be: one of the core's, one of a loaded module's, or
 * a letter whose module is not loaded or has no such option. */
struct typed {
	const char *name; /* long form, not NUL-terminated, or NULL */
	size_t length;
	const char *directive; /* what stands for it in the config file, or NULL */
	char letter;
	const char *value;
	const struct option *core;
	const struct shorthand *shorthand;
	const struct lop_option *option;
	void *state; /* of the option's module */
};

static int fail(struct reading *reading, int result, const char *format, ...) LOP_PRINTF(3, 4);

static int fail(struct reading *reading, int result, const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	vsnprintf(reading->error, reading->error_size, format, arguments);
	va_end(arguments);
	return result;
}

/* ---- what an option is ---------------------------------------------------------------------- */

static bool matches(const struct lop_option *option, const struct typed *typed)
{
	if (typed->name == NULL)
		return option->letter == typed->letter;
	return strlen(option->name) == typed->length &&
	       memcmp(option->name, typed->name, typed->length) == 0;
}

static void find_module_option(const struct modules *modules, struct typed *typed)
{
	for (size_t i = 0; i < modules->count; i++) {
		const struct loaded_module *loaded = &modules->items[i];
		const struct lop_option *option = loaded->module->options;

		if (typed->shorthand != NULL &&
		    strcmp(typed->shorthand->module, loaded->module->name) != 0)
			continue;
		for (; option != NULL && option->size != 0; option++) {
			if (!matches(option, typed))
				continue;
			typed->option = option;
			typed->state = loaded->state;
			return;
		}
	}
}

static bool find(const struct lop_core *core, struct typed *typed)
{
	if (typed->name != NULL)
		typed->core = option_by_name(typed->name, typed->length);
	else
		typed->core = option_by_letter(typed->letter);
	if (typed->core != NULL)
		return true;
	for (size_t i = 0; typed->name == NULL && i < SHORTHANDS; i++)
		if (shorthands[i].letter == typed->letter)
			typed->shorthand = &shorthands[i];
	find_module_option(&core->modules, typed);
	return typed->shorthand != NULL || typed->option != NULL;
}

/* What the option's value is called, NULL when it takes none. */
static const char *argument_of(const struct typed *typed)
{
	if (typed->core != NULL)
		return typed->core->argument;
	if (typed->option != NULL)
		return typed->option->argument;
	return typed->shorthand->argument ? "VALUE" : NULL;
}

/* The option as the user wrote it, for messages. */
struct spelling {
	char text[80];
};

static struct spelling spell(const struct reading *reading, const struct typed *typed)
{
	struct spelling out;

	if (typed->directive != NULL)
		snprintf(out.text, sizeof(out.text), "%.64s", typed->directive);
	else if (typed->name == NULL)
		snprintf(out.text, sizeof(out.text), "-%c", typed->letter);
	else
		snprintf(out.text, sizeof(out.text), "%s%.*s", reading->in_file ? "" : "--",
		         (int)(typed->length < 64 ? typed->length : 64), typed->name);
	return out;
}

/* ---- what is done with it ------------------------------------------------------------------- */

static int unknown(struct reading *reading, const struct typed *typed)
{
	const char *near = NULL;

	if (!reading->strict)
		return 0;
	if (typed->name != NULL)
		near = options_suggest(&reading->core->modules,
		                       reading->in_file ? reading->core->program->directives : NULL,
		                       typed->name, typed->length);
	if (near != NULL)
		return fail(reading, -EINVAL, "unknown option %s; did you mean %s%s?",
		            spell(reading, typed).text, reading->in_file ? "" : "--", near);
	return fail(reading, -EINVAL,
	            "unknown option %s; --help lists them, a module's with its -M",
	            spell(reading, typed).text);
}

static void note_letter(struct reading *reading, const struct shorthand *letter)
{
	for (size_t i = 0; i < reading->letter_count; i++)
		if (reading->letters[i] == letter)
			return;
	reading->letters[reading->letter_count++] = letter;
}

static int set_core(struct reading *reading, const struct typed *typed, char *error, size_t size)
{
	size_t index = option_index(typed->core);

	if (reading->in_file && reading->given[index] && !typed->core->joins)
		return 0;
	if (!reading->in_file)
		reading->given[index] = true;
	return option_apply(typed->core, &reading->core->settings, typed->value, error, size);
}

static int set_module(const struct typed *typed, char *error, size_t size)
{
	int result;

	if (typed->option == NULL) {
		/* The letter had its module loaded, which was all that was asked for. */
		if (!typed->shorthand->argument)
			return 0;
		snprintf(error, size, "the loaded module %s has no such option",
		         typed->shorthand->module);
		return -EINVAL;
	}
	result = typed->option->set(typed->state, typed->value, error, size);
	if (result < 0 && error[0] == '\0')
		snprintf(error, size, "%s", strerror(-result));
	return result;
}

/* A value where one belongs, and none where not. */
static int check_value(const struct typed *typed, char *error, size_t size)
{
	const char *argument = argument_of(typed);

	if (argument != NULL && typed->value == NULL)
		snprintf(error, size, "a value is needed: %s", argument);
	else if (argument == NULL && typed->value != NULL)
		snprintf(error, size, "this option takes no value");
	else
		return 0;
	return -EINVAL;
}

static int take(struct reading *reading, const struct typed *typed)
{
	char inner[512] = "";
	int result = check_value(typed, inner, sizeof(inner));

	if (result == 0 && typed->core != NULL)
		result = set_core(reading, typed, inner, sizeof(inner));
	else if (result == 0 && reading->strict)
		result = set_module(typed, inner, sizeof(inner));
	else if (result == 0 && typed->shorthand != NULL)
		note_letter(reading, typed->shorthand);
	if (result >= 0 || !reading->strict)
		return 0;
	return fail(reading, result == -ENOMEM ? result : -EINVAL, "%s: %s",
	            spell(reading, typed).text, inner);
}

/* ---- the command line ----------------------------------------------------------------------- */

/* --name, --name=value, --name value. Returns how many arguments were used up, or an error. */
static int read_long(struct reading *reading, const char *text, const char *next)
{
	const char *equals = strchr(text, '=');
	struct typed typed = { .name = text };
	int used = 1, result;

	typed.length = equals != NULL ? (size_t)(equals - text) : strlen(text);
	if (!find(reading->core, &typed)) {
		result = unknown(reading, &typed);
		return result < 0 ? result : used;
	}
	if (equals != NULL) {
		typed.value = equals + 1;
	} else if (argument_of(&typed) != NULL && next != NULL) {
		typed.value = next;
		used = 2;
	}
	result = take(reading, &typed);
	return result < 0 ? result : used;
}

/* -a, -abc, -pVALUE, -p VALUE. The same results. */
static int read_letters(struct reading *reading, const char *text, const char *next)
{
	for (int used = 1, result; *text != '\0'; text++) {
		struct typed typed = { .letter = *text };

		if (!find(reading->core, &typed)) {
			/* Whether the rest is its value is not known yet. */
			result = unknown(reading, &typed);
			return result < 0 ? result : used;
		}
		if (argument_of(&typed) != NULL) {
			typed.value = text[1] != '\0' ? text + 1 : next;
			used = typed.value == next && next != NULL ? 2 : 1;
		}
		result = take(reading, &typed);
		if (result < 0)
			return result;
		if (argument_of(&typed) != NULL)
			return used;
	}
	return 1;
}

/* An argument that is no option: the config file, where the program reads one so. Which are
 * arguments of options is known in the end only, so the last one counts, and then there must have
 * been that one alone. */
static int read_operand(struct reading *reading, const char *text)
{
	const struct program *program = reading->core->program;

	if (program->wants_file != NULL) {
		if (!reading->strict)
			reading->operand = text;
		else if (text != reading->operand)
			return fail(reading, -EINVAL,
			            "'%s' is not an option, and %s is the file that is read; put "
			            "the file last",
			            text, reading->operand);
		return 0;
	}
	if (reading->strict)
		return fail(reading, -EINVAL,
		            "'%s' is not an option; the folder to serve is given with -R DIR",
		            text);
	return 0;
}

static int read_arguments(struct reading *reading)
{
	bool options = true;
	int used = 1;

	for (int i = 1; i < reading->argc; i += used) {
		const char *text = reading->argv[i], *next = reading->argv[i + 1];

		used = 1;
		if (!options || text[0] != '-' || text[1] == '\0') {
			int result = read_operand(reading, text);
			if (result < 0)
				return result;
		} else if (strcmp(text, "--") == 0) {
			options = false;
		} else if (text[1] == '-') {
			used = read_long(reading, text + 2, next);
		} else {
			used = read_letters(reading, text + 1, next);
		}
		if (used < 0)
			return used;
	}
	return 0;
}

/* ---- the config file ------------------------------------------------------------------------ */

/* The option that a line's name stands for in this program's files. */
static const struct directive *find_directive(const struct program *program, const char *name)
{
	const struct directive *directive = program->directives;

	for (; directive != NULL && directive->name != NULL; directive++)
		if (strcmp(directive->name, name) == 0)
			return directive;
	return NULL;
}

/* "A=B,C" of A, B and C, to be freed. */
static char *join_values(char *const *values, size_t count)
{
	char *text = NULL;
	size_t size;
	FILE *out = open_memstream(&text, &size);

	if (out == NULL)
		return NULL;
	for (const char *at = values[0]; *at != '\0'; at++)
		if (*at == '=')
			fputs("%3D", out);
		else
			fputc(*at, out);
	for (size_t i = 1; i < count; i++)
		fprintf(out, "%c%s", i == 1 ? '=' : ',', values[i]);
	if (fclose(out) == 0)
		return text;
	free(text);
	return NULL;
}

static int take_line(struct reading *reading, struct typed *typed)
{
	if (!find(reading->core, typed))
		return unknown(reading, typed);
	if (typed->core == NULL || !typed->core->typed_only)
		return take(reading, typed);
	return fail(reading, -EINVAL, "%s belongs on the command line", typed->name);
}

static int read_line(void *context, const char *name, char *const *values, size_t count,
                     char *error, size_t error_size)
{
	struct reading *reading = context;
	const struct directive *directive = find_directive(reading->core->program, name);
	struct typed typed = { .name = name, .value = count > 0 ? values[0] : NULL };
	char *joined = NULL;
	int result;

	/* The line's message is put behind its file and number. */
	reading->error = error;
	reading->error_size = error_size;
	if (directive != NULL) {
		typed.name = directive->option;
		typed.directive = name;
	}
	if (count > 1 && (directive == NULL || !directive->joined))
		return fail(reading, -EINVAL,
		            "one value is expected; put quotes around it when it has blanks");
	if (count > 1) {
		typed.value = joined = join_values(values, count);
		if (joined == NULL)
			return -ENOMEM;
	}
	typed.length = strlen(typed.name);
	result = take_line(reading, &typed);
	free(joined);
	return result;
}

static int read_file(struct reading *reading, const char *text, size_t length, const char *name)
{
	char *error = reading->error;
	size_t error_size = reading->error_size;
	int result;

	reading->in_file = true;
	result = config_parse(text, length, name, read_line, reading, error, error_size);
	reading->in_file = false;
	reading->error = error;
	reading->error_size = error_size;
	return result;
}

/* Settings from the start: the presets, the file if there is one, the command line. */
static int read_all(struct reading *reading, const char *text, size_t length, const char *name)
{
	struct settings *settings = &reading->core->settings;
	int result;

	options_free(settings);
	result = options_preset(settings);
	if (result == 0 && text != NULL)
		result = read_file(reading, text, length, name);
	if (result == 0)
		result = read_arguments(reading);
	return result;
}

/* ---- modules -------------------------------------------------------------------------------- */

static bool is_loaded(const struct modules *modules, const char *name)
{
	for (size_t i = 0; i < modules->count; i++)
		if (strcmp(modules->items[i].module->name, name) == 0)
			return true;
	return false;
}

/* Loads what an option stands for. */
static int load_for(struct reading *reading, const char *option, const char *module)
{
	if (is_loaded(&reading->core->modules, module))
		return 0;
	if (!modules_installed(module))
		return fail(
			reading, -ENOENT,
			"%s needs the module %s, which is not installed in %s; install it, or load "
			"it with -M /path/%s.so",
			option, module, modules_folder(), module);
	return modules_load(reading->core, module, reading->error, reading->error_size);
}

static bool prints_only(const struct settings *settings)
{
	return settings->help || settings->version || settings->list_modules ||
	       settings->list_hooks || settings->sandbox_show;
}

static int load_log(struct reading *reading)
{
	struct lop_core *core = reading->core;
	const char *provider = core->settings.log_provider;
	char option[80], name[80];
	int result;

	if (provider != NULL) {
		snprintf(option, sizeof(option), "-L %.64s", provider);
		snprintf(name, sizeof(name), LOG_PREFIX "%.64s", provider);
		return load_for(reading, option, name);
	}
	/* A server without any log module still serves: main says that nothing is logged. */
	if (modules_log(&core->modules) != NULL || !modules_installed(LOG_DEFAULT))
		return 0;
	result = modules_load(core, LOG_DEFAULT, reading->error, reading->error_size);
	/* Nobody asked for it: what is only printed, or served without a log, does not fail for it. */
	return core->settings.quiet || prints_only(&core->settings) ? 0 : result;
}

static int load_sandbox(struct reading *reading)
{
	struct lop_core *core = reading->core;

	if (core->settings.no_sandbox || modules_sandbox(&core->modules) != NULL ||
	    !modules_installed(SANDBOX_DEFAULT))
		return 0;
	return modules_load(core, SANDBOX_DEFAULT, reading->error, reading->error_size);
}

/* What the program is made of. Its options are known from the first reading on. */
static int load_own(struct reading *reading)
{
	const char *const *name = reading->core->program->modules;

	for (; name != NULL && *name != NULL; name++) {
		int result;

		if (!modules_installed(*name))
			return fail(reading, -ENOENT,
			            "the module %s, without which this program is nothing, is not "
			            "installed in %s; install it, or set LOPHTTPD_MODULE_PATH",
			            *name, modules_folder());
		result = modules_load(reading->core, *name, reading->error, reading->error_size);
		if (result < 0)
			return result;
	}
	return 0;
}

static int load_modules(struct reading *reading)
{
	const struct string_list *names = &reading->core->settings.modules;
	int result = 0;

	for (size_t i = 0; i < names->count && result == 0; i++)
		result = modules_load(reading->core, names->items[i], reading->error,
		                      reading->error_size);
	for (size_t i = 0; i < reading->letter_count && result == 0; i++) {
		char option[] = { '-', reading->letters[i]->letter, '\0' };

		result = load_for(reading, option, reading->letters[i]->module);
	}
	if (result == 0)
		result = load_log(reading);
	return result < 0 ? result : load_sandbox(reading);
}

int options_read(struct lop_core *core, int argc, char **argv, char *error, size_t error_size)
{
	struct reading reading = {
		.core = core, .argc = argc, .argv = argv, .error = error, .error_size = error_size
	};
	struct config_text *config = &core->config;
	const char *name;
	int result;

	error[0] = '\0';
	free(config->path);
	free(config->text);
	*config = (struct config_text){ .path = NULL };
	result = load_own(&reading);
	if (result == 0)
		result = read_all(&reading, NULL, 0, NULL);
	if (result == 0 && reading.operand != NULL && core->settings.config != NULL)
		result = fail(&reading, -EINVAL, "two config files: %s and, by -c, %s; name one",
		              reading.operand, core->settings.config);
	name = reading.operand != NULL ? reading.operand : core->settings.config;
	if (result == 0 && name == NULL && core->program->wants_file != NULL &&
	    !prints_only(&core->settings))
		result = fail(&reading, -EINVAL, "%s", core->program->wants_file);
	if (result == 0 && name != NULL) {
		config->path = strdup(name);
		result = config->path == NULL ? -ENOMEM
		                              : config_read(name, &config->text, &config->length,
		                                            error, error_size);
		if (result == 0)
			result = read_all(&reading, config->text, config->length, config->path);
	}
	if (result == 0)
		result = load_modules(&reading);
	reading.strict = true;
	if (result == 0)
		result = read_all(&reading, config->text, config->length, config->path);
	if (result < 0 && error[0] == '\0')
		snprintf(error, error_size, "cannot read the options: %s", strerror(-result));
	return result;
}
