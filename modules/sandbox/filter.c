/* SPDX-License-Identifier: BSD-2-Clause */
#include "config.h"

#include "filter.h"

#include <errno.h>
#include <unistd.h>

/* Fills in what is known at run time only. Returns how many comparisons there are, or -1 when the
 * rule has no place here. */
static int compare(const struct filter_settings *settings, const struct rule *rule,
                   struct scmp_arg_cmp *out)
{
	int count = 0;

	for (; count < CHECKS_MAX && rule->checks[count].kind != CHECK_NONE; count++) {
		const struct check *check = &rule->checks[count];
		uint64_t value = check->value;

		if (check->kind == CHECK_LOG_FOLDER && settings->log_folder < 0)
			return -1;
		if (check->kind == CHECK_LOG_FOLDER)
			value = (uint32_t)settings->log_folder;
		else if (check->kind == CHECK_OWN_PID)
			value = (uint32_t)getpid();
		else if (check->kind == CHECK_PARENT_PID)
			value = (uint32_t)getppid();
		out[count] = SCMP_CMP(check->argument, SCMP_CMP_MASKED_EQ, check->mask, value);
	}
	return count;
}

int filter_call(const struct rule *rule)
{
	int call = seccomp_syscall_resolve_name(rule->call);

	return call < 0 && rule->number > 0 ? rule->number : call;
}

static int add_rule(scmp_filter_ctx filter, const struct filter_settings *settings,
                    const struct rule *rule)
{
	uint32_t action = rule->refuse != 0 ? SCMP_ACT_ERRNO((unsigned)rule->refuse) : SCMP_ACT_ALLOW;
	struct scmp_arg_cmp comparisons[CHECKS_MAX];
	int call = filter_call(rule);
	int count = compare(settings, rule, comparisons);
	int result;

	if (call < 0 || count < 0)
		return 0;
	result = seccomp_rule_add_array(filter, action, call, (unsigned)count, comparisons);
	/* Two groups may open the same. */
	return result == -EEXIST ? 0 : result;
}

static int add_groups(scmp_filter_ctx filter, const struct filter_settings *settings)
{
	for (const struct group *group = groups; group->name != NULL; group++) {
		if (!group_open(group, settings->needs, settings->alone))
			continue;
		for (const struct rule *rule = group->rules; rule->call != NULL; rule++) {
			int result = add_rule(filter, settings, rule);

			if (result < 0)
				return result;
		}
	}
	return 0;
}

int filter_make(const struct filter_settings *settings, scmp_filter_ctx *filter)
{
	uint32_t otherwise = settings->log ? SCMP_ACT_LOG : SCMP_ACT_KILL_PROCESS;
	const struct {
		enum scmp_filter_attr attribute;
		uint32_t value;
	} attributes[] = {
		{ SCMP_FLTATR_ACT_BADARCH, SCMP_ACT_KILL_PROCESS },
		/* A binary tree instead of a list of comparisons. */
		{ SCMP_FLTATR_CTL_OPTIMIZE, 2 },
		/* Kernels before 5.16 would slow the whole process down for a filter's sake; nothing
		 * that others wrote runs in it. */
		{ SCMP_FLTATR_CTL_SSB, 1 },
		/* The kernel's own errno when loading fails. */
		{ SCMP_FLTATR_API_SYSRAWRC, 1 },
	};
	scmp_filter_ctx made = seccomp_init(otherwise);
	/* It does not say why: the kernel has no seccomp, or cannot end a process by it. */
	int result = made == NULL ? -ENOSYS : 0;

	for (size_t i = 0; result == 0 && i < sizeof(attributes) / sizeof(attributes[0]); i++) {
		result = seccomp_attr_set(made, attributes[i].attribute, attributes[i].value);
		/* An older kernel knows nothing of it. */
		if (result == -EOPNOTSUPP)
			result = 0;
	}
	if (result == 0)
		result = add_groups(made, settings);
	if (result < 0 && made != NULL)
		seccomp_release(made);
	else if (result == 0)
		*filter = made;
	return result;
}
