/* SPDX-License-Identifier: BSD-2-Clause */
#include "config.h"

#include "hooks.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char *const phase_names[HOOKS_PHASES] = {
	[LOP_PHASE_ROUTE] = "ROUTE",
	[LOP_PHASE_ACCESS] = "ACCESS",
	[LOP_PHASE_CONTENT] = "CONTENT",
	[LOP_PHASE_RESPONSE] = "RESPONSE",
	[LOP_PHASE_DONE] = "DONE",
};

static int count_hooks(struct hooks *hooks, const struct lop_hook *array)
{
	for (; array != NULL && array->size != 0; array++) {
		if (array->phase < LOP_PHASE_ROUTE || array->phase > LOP_PHASE_DONE)
			return -EINVAL;
		hooks->count[array->phase]++;
	}
	return 0;
}

/* Puts each hook behind those of the same or a lower priority: stable, and lists are short. */
static void insert_hooks(struct hooks *hooks, const struct lop_hook *array, void *state,
                         const char *module)
{
	for (; array != NULL && array->size != 0; array++) {
		struct hook *items = hooks->items[array->phase];
		size_t at = hooks->count[array->phase]++;

		for (; at > 0 && items[at - 1].priority > array->priority; at--)
			items[at] = items[at - 1];
		items[at] = (struct hook){
			.run = array->run,
			.state = state,
			.priority = array->priority,
			.name = array->name,
			.module = module,
		};
	}
}

static void reverse(struct hook *items, size_t count)
{
	for (size_t i = 0; i < count / 2; i++) {
		struct hook other = items[i];

		items[i] = items[count - 1 - i];
		items[count - 1 - i] = other;
	}
}

int hooks_build(struct hooks *hooks, const struct modules *modules,
                const struct lop_hook *core_hooks, void *core_state)
{
	int result;

	memset(hooks, 0, sizeof(*hooks));
	result = count_hooks(hooks, core_hooks);
	for (size_t i = 0; result == 0 && i < modules->count; i++)
		result = count_hooks(hooks, modules->items[i].module->hooks);
	if (result < 0)
		return result;
	for (int phase = LOP_PHASE_ROUTE; phase < HOOKS_PHASES; phase++) {
		if (hooks->count[phase] == 0)
			continue;
		hooks->items[phase] = calloc(hooks->count[phase], sizeof(struct hook));
		if (hooks->items[phase] == NULL) {
			hooks_free(hooks);
			return -ENOMEM;
		}
		hooks->count[phase] = 0;
	}
	insert_hooks(hooks, core_hooks, core_state, "core");
	for (size_t i = 0; i < modules->count; i++)
		insert_hooks(hooks, modules->items[i].module->hooks, modules->items[i].state,
		             modules->items[i].module->name);
	reverse(hooks->items[LOP_PHASE_DONE], hooks->count[LOP_PHASE_DONE]);
	return 0;
}

void hooks_free(struct hooks *hooks)
{
	for (int phase = 0; phase < HOOKS_PHASES; phase++)
		free(hooks->items[phase]);
	memset(hooks, 0, sizeof(*hooks));
}

void hooks_print(const struct hooks *hooks)
{
	for (int phase = LOP_PHASE_ROUTE; phase < HOOKS_PHASES; phase++)
		for (size_t i = 0; i < hooks->count[phase]; i++) {
			const struct hook *hook = &hooks->items[phase][i];

			printf("%-8s %5d  %-24s %s\n", phase_names[phase], hook->priority,
			       hook->name, hook->module);
		}
}
