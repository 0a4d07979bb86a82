/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Linux: the kernel ends the process at once for any call that is not open (rules.c). Where files
 * lie is Landlock's business, in the core.
 */
#include "config.h"

#include "door.h"

#include <stdio.h>
#include <string.h>

#include "filter.h"
#include "rules.h"

const char door_name[] = "seccomp";

const char *door_gap(uint64_t needs)
{
	(void)needs;
	return NULL;
}

int door_close(const struct lop_sandbox_enter *how, bool log)
{
	const struct filter_settings settings = {
		.needs = how->needs,
		.alone = how->alone,
		.log = log,
		.log_folder = how->log_folder,
	};
	scmp_filter_ctx filter;
	int result = filter_make(&settings, &filter);

	if (result < 0)
		return result;
	result = seccomp_load(filter);
	seccomp_release(filter);
	return result;
}

static void print_askers(const struct group *group, const struct lop_sandbox_party *parties,
                         int party_count)
{
	const char *between = ": asked for by ";

	if (group->alone) {
		printf(": there is no master (-n 1)");
	} else if (group->closed_by_needs) {
		printf(": nobody asked for connect");
	} else if (group->needs == 0) {
		printf(": always");
	} else {
		for (int i = 0; i < party_count; i++) {
			if ((parties[i].needs & group->needs) == 0)
				continue;
			printf("%s%s", between, parties[i].name);
			between = ", ";
		}
	}
	putchar('\n');
}

static void print_rule(const struct rule *rule)
{
	/* What this processor does not have cannot be called. */
	if (filter_call(rule) < 0)
		return;
	printf("  %s", rule->call);
	if (rule->only != NULL)
		printf(" (%s%s)", rule->only, rule->refuse != 0 ? ", refused" : "");
	if (rule->refuse != 0)
		printf(": %s", strerror(rule->refuse));
	putchar('\n');
}

void door_show(const struct lop_sandbox_enter *how, const struct lop_sandbox_party *parties,
               int party_count)
{
	for (const struct group *group = groups; group->name != NULL; group++) {
		if (!group_open(group, how->needs, how->alone))
			continue;
		printf("%s", group->name);
		print_askers(group, parties, party_count);
		for (const struct rule *rule = group->rules; rule->call != NULL; rule++)
			print_rule(rule);
	}
}
