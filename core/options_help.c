/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The options for people: --help.
 */
#include "config.h"

#include <string.h>

#include "core.h"
#include "options.h"
#include "program.h"

#define WIDTH 79
#define INDENT 31 /* where the explanations begin */

/* What core and modules know of an option. */
struct shown {
	int letter;
	const char *name;
	const char *argument;
	const char *help;
	const char *preset;
};

/* Prints text wrapped between INDENT and WIDTH; the cursor stands at column. */
static void print_wrapped(const char *text, size_t column, FILE *out)
{
	size_t used = WIDTH; /* the first word begins at INDENT, on a line of its own if need be */

	if (column < INDENT) {
		fprintf(out, "%*s", (int)(INDENT - column), "");
		used = INDENT;
	}
	while (*text != '\0') {
		size_t word = strcspn(text, " ");

		if (used + word + (used > INDENT) > WIDTH && used != INDENT) {
			fprintf(out, "\n%*s", INDENT, "");
			used = INDENT;
		} else if (used > INDENT) {
			fputc(' ', out);
			used++;
		}
		fprintf(out, "%.*s", (int)word, text);
		used += word;
		text += word + strspn(text + word, " ");
	}
	fputc('\n', out);
}

static void print_option(const struct shown *option, FILE *out)
{
	char text[512];
	int column;

	if (option->letter != 0)
		column = fprintf(out, "  -%c, --%s", option->letter, option->name);
	else
		column = fprintf(out, "      --%s", option->name);
	if (option->argument != NULL)
		column += fprintf(out, " %s", option->argument);
	if (option->preset != NULL)
		snprintf(text, sizeof(text), "%s; default %s", option->help, option->preset);
	else
		snprintf(text, sizeof(text), "%s", option->help);
	print_wrapped(text, (size_t)column + 1 > INDENT ? WIDTH : (size_t)column, out);
}

static void print_group(const struct option_group *group, FILE *out)
{
	fprintf(out, "\n%s:\n", group->title);
	for (const struct option *option = group->options; option->name != NULL; option++)
		print_option(&(struct shown){ option->letter, option->name, option->argument,
		                              option->help, option->preset },
		             out);
}

static void print_module(const struct lop_module *module, FILE *out)
{
	const struct lop_option *option = module->options;

	if (option == NULL || option->size == 0)
		return;
	fprintf(out, "\nModule %s:\n", module->name);
	for (; option->size != 0; option++)
		print_option(&(struct shown){ option->letter, option->name, option->argument,
		                              option->help, NULL },
		             out);
}

void options_print_help(const struct lop_core *core, FILE *out)
{
	const struct program *program = core->program;

	fprintf(out, "usage: %s %s\n\n%s", program->name, program->synopsis, program->summary);
	for (const struct option_group *group = option_groups; group->title != NULL; group++)
		print_group(group, out);
	for (size_t i = 0; i < core->modules.count; i++)
		print_module(core->modules.items[i].module, out);
}
