/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Names are asked for in rounds. A round asks for the SRV records first, if it is their name, then
 * for A and AAAA of each target; when all have been answered it makes the set anew and says when the
 * next round is.
 */
#include "config.h"

#include "names.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <lophttpd/message.h>

#include "names_ares.h"
#include "names_hosts.h"
#include "names_set.h"

#define NS_PER_S INT64_C(1000000000)

static const enum dns_type families[2] = { DNS_A, DNS_AAAA };

struct name;

/* One of A and AAAA of a target; what the answer's context points at. */
struct question {
	struct name *name;
	size_t target;
	size_t family; /* index */
};

struct name {
	struct name *next;
	struct names *names;
	char *host;
	uint16_t port;
	bool service; /* SRV */
	names_changed_f *changed;
	void *context;
	struct lop_timer *timer;

	struct target *targets;
	struct question *questions; /* two of each target */
	size_t target_count;
	struct name_set set;
	bool told;    /* `changed` was called */
	int status;   /* as it was told */
	int64_t retry;
	int64_t gone; /* missing since, 0: it is not */

	/* the round */
	unsigned open; /* questions, and one for the beginning of the round */
	bool again;    /* names_refresh() meanwhile */
	bool answered; /* an answer had addresses */
	bool failed;   /* one had none to give */
	uint32_t ttl;  /* s, the least of the answers with addresses */
	uint32_t negative; /* s, of those without */
	char why[64];
};

struct names {
	struct names_settings settings;
	struct resolver *resolver;
	struct hosts hosts;
	struct lop_worker *worker;
	struct name *list;
	bool freed;
};

/* ---- targets -------------------------------------------------------------------------------- */

static void targets_free(struct target **targets, size_t count)
{
	for (size_t i = 0; *targets != NULL && i < count; i++) {
		free((*targets)[i].host);
		free((*targets)[i].found[0].items);
		free((*targets)[i].found[1].items);
	}
	free(*targets);
	*targets = NULL;
}

/* Puts another list in the place of the name's; addresses of hosts that stay are kept. */
static int targets_replace(struct name *name, struct target **targets, size_t count)
{
	struct question *questions = calloc(2 * count + 1, sizeof(*questions));

	if (questions == NULL) {
		targets_free(targets, count);
		return -ENOMEM;
	}
	for (size_t i = 0; i < 2 * count; i++)
		questions[i] = (struct question){ .name = name, .target = i / 2, .family = i % 2 };
	for (size_t i = 0; i < count; i++)
		for (size_t j = 0; j < name->target_count; j++) {
			struct found *old = name->targets[j].found;

			if (strcmp((*targets)[i].host, name->targets[j].host) != 0 ||
			    (old[0].items == NULL && old[1].items == NULL))
				continue;
			memcpy((*targets)[i].found, old, sizeof((*targets)[i].found));
			memset(old, 0, sizeof((*targets)[i].found));
			break;
		}
	targets_free(&name->targets, name->target_count);
	free(name->questions);
	name->targets = *targets;
	name->questions = questions;
	name->target_count = count;
	*targets = NULL;
	return 0;
}

static int targets_of_services(struct name *name, const struct dns_answer *answer)
{
	struct target *targets = calloc(answer->count + 1, sizeof(*targets));

	if (targets == NULL)
		return -ENOMEM;
	for (size_t i = 0; i < answer->count; i++) {
		const struct dns_service *service = &answer->records.services[i];

		targets[i] = (struct target){
			.host = strdup(service->host),
			.port = service->port,
			.priority = service->priority,
			.weight = service->weight,
		};
		if (targets[i].host == NULL) {
			targets_free(&targets, i);
			return -ENOMEM;
		}
	}
	return targets_replace(name, &targets, answer->count);
}

static int target_of_name(struct name *name)
{
	struct target *target = calloc(1, sizeof(*target));

	if (target == NULL)
		return -ENOMEM;
	*target = (struct target){ .host = strdup(name->host), .port = name->port };
	if (target->host == NULL) {
		free(target);
		return -ENOMEM;
	}
	return targets_replace(name, &target, 1);
}

/* ---- the end of a round --------------------------------------------------------------------- */

/* How the asking ended differs from before. */
static void tell(const struct name *name, int status)
{
	struct lop_worker *worker = name->names->worker;
	size_t count = name->set.count;

	if (lop_worker_index(worker) != 0 || (status == 0 && !name->told))
		return;
	if (status == 0)
		lop_worker_message(worker, LOP_LOG_NOTICE, "%s is resolved again: %zu address%s",
		                   name->host, count, count == 1 ? "" : "es");
	else if (status == -ENOENT)
		lop_worker_message(worker, LOP_LOG_WARNING,
		                   "%s does not exist or has no address, the name server says: it "
		                   "has no server now; asking again",
		                   name->host);
	else
		lop_worker_message(worker, LOP_LOG_WARNING,
		                   "cannot resolve %s: %s; going on with %zu known address%s, asking "
		                   "again; see whether the name servers of /etc/resolv.conf or "
		                   "--resolver answer",
		                   name->host, name->why, count, count == 1 ? "" : "es");
}

/* Time to the next round in a row of those that gave nothing. */
static int64_t grow_retry(struct name *name)
{
	const struct names_settings *settings = &name->names->settings;

	name->retry = name->retry == 0 ? settings->retry : 2 * name->retry;
	if (name->retry > settings->ttl_max)
		name->retry = settings->ttl_max;
	return name->retry;
}

static int64_t least(int64_t a, int64_t b)
{
	return a < b ? a : b;
}

static int64_t bound_ttl(const struct name *name, uint32_t ttl)
{
	const struct names_settings *settings = &name->names->settings;
	int64_t ns = least((int64_t)ttl * NS_PER_S, settings->ttl_max);

	return ns > settings->ttl_min ? ns : settings->ttl_min;
}

/* Drops addresses that are no longer, so that they do not come back when their name fails. */
static void forget_missing(struct name *name)
{
	for (size_t i = 0; i < name->target_count; i++)
		for (size_t j = 0; j < 2; j++) {
			struct found *found = &name->targets[i].found[j];

			if (found->missing) {
				free(found->items);
				*found = (struct found){ .missing = true };
			}
		}
}

/* Gives the set to its owner if it, or how the asking ended, differs from what was given before. */
static void give(struct name *name, int status, struct name_set *set)
{
	bool same = name->told && name_set_equal(&name->set, set);
	int before = name->status;

	name_set_clear(&name->set);
	name->set = *set;
	*set = (struct name_set){ .count = 0 };
	if (!name->told || before != status)
		tell(name, status);
	name->status = status;
	if (same && before == status)
		return;
	name->told = true;
	name->changed(name->context, status, name->set.addresses, name->set.lengths,
	              name->set.weights, name->set.count);
}

/* Nothing is left, by answers and not for want of them. Returns whether the old set is still to be
 * used; next: time to the next round. */
static bool still_held(struct name *name, int64_t *next)
{
	const struct names_settings *settings = &name->names->settings;
	int64_t now = lop_worker_now(name->names->worker), left;

	if (name->gone == 0)
		name->gone = now;
	left = name->gone + settings->gone - now;
	*next = grow_retry(name);
	if (name->negative > 0)
		*next = bound_ttl(name, name->negative);
	if (name->set.count == 0 || left <= 0)
		return false;
	*next = least(*next, left);
	return true;
}

static void round_end(struct name *name)
{
	const struct names_settings *settings = &name->names->settings;
	struct name_set set;
	int64_t next;

	if (name->names->freed)
		return;
	if (name_set_make(name->targets, name->target_count, name->service, &set) < 0) {
		next = grow_retry(name);
	} else if (set.count == 0 && (!name->failed || name->set.count > 0)) {
		if (!still_held(name, &next)) {
			forget_missing(name);
			if (name->service)
				targets_free(&name->targets, name->target_count);
			name->target_count = name->service ? 0 : name->target_count;
			give(name, -ENOENT, &set);
		}
	} else {
		next = name->answered ? bound_ttl(name, name->ttl) : settings->ttl_max;
		name->gone = 0;
		if (name->failed)
			next = least(next, grow_retry(name));
		else
			name->retry = 0;
		forget_missing(name);
		give(name, name->answered ? 0 : -EAGAIN, &set);
	}
	name_set_clear(&set);
	if (name->again)
		next = 0;
	lop_timer_start(name->timer, next);
}

static void answer_counted(struct name *name)
{
	if (--name->open == 0)
		round_end(name);
}

/* ---- a round -------------------------------------------------------------------------------- */

/* Whether the answer says something of the name: read into *answer, with no records if it has none.
 * The message of -ENOENT is there for its time to live alone. */
static bool understand(struct name *name, int status, const char *why, enum dns_type type,
                       const unsigned char *message, size_t length, struct dns_answer *answer)
{
	int result = message != NULL ? dns_answer_read(message, length, type, answer) : -EBADMSG;

	if (status == -ENOENT) {
		if (result < 0 && result != -ENOENT)
			answer->ttl = 0;
		answer->count = 0;
	} else if (status == 0 && (result == 0 || result == -ENOENT)) {
		status = result;
	} else {
		name->failed = true;
		snprintf(name->why, sizeof(name->why), "%s",
		         status == 0 ? "the answer makes no sense" : why);
		return false;
	}
	if (answer->count == 0) {
		if (answer->ttl > 0 && (name->negative == 0 || answer->ttl < name->negative))
			name->negative = answer->ttl;
	} else {
		name->ttl = answer->ttl < name->ttl ? answer->ttl : name->ttl;
	}
	return true;
}

static void take_addresses(struct name *name, struct found *found, const struct dns_answer *answer)
{
	struct dns_address *items;

	found->missing = answer->count == 0;
	if (answer->count == 0)
		return;
	items = malloc(answer->count * sizeof(*items));
	if (items == NULL) {
		name->failed = true;
		snprintf(name->why, sizeof(name->why), "%s", strerror(ENOMEM));
		return;
	}
	memcpy(items, answer->records.addresses, answer->count * sizeof(*items));
	free(found->items);
	found->items = items;
	found->count = answer->count;
	name->answered = true;
}

static void addresses_answered(void *context, int status, const char *why,
                               const unsigned char *message, size_t length)
{
	struct question *question = context;
	struct name *name = question->name;
	struct found *found = &name->targets[question->target].found[question->family];
	struct dns_answer answer;

	if (status != -EINTR &&
	    understand(name, status, why, families[question->family], message, length, &answer))
		take_addresses(name, found, &answer);
	else
		found->missing = false; /* who knows: what was known last counts again */
	answer_counted(name);
}

static void ask_addresses(struct name *name)
{
	struct names *names = name->names;
	struct dns_answer answer;

	for (size_t i = 0; i < 2 * name->target_count; i++) {
		struct question *question = &name->questions[i];
		struct target *target = &name->targets[question->target];
		struct found *found = &target->found[question->family];
		enum dns_type type = families[question->family];

		answer.count = 0;
		if (names->settings.family == (type == DNS_A ? AF_INET6 : AF_INET)) {
			found->missing = true;
		} else if (hosts_find(&names->hosts, target->host, type, &answer)) {
			take_addresses(name, found, &answer);
		} else {
			name->open++;
			resolver_ask(names->resolver, target->host, name->service, type,
			             addresses_answered, question);
		}
	}
}

static void services_answered(void *context, int status, const char *why,
                              const unsigned char *message, size_t length)
{
	struct name *name = context;
	struct dns_answer answer;

	if (status != -EINTR &&
	    understand(name, status, why, DNS_SRV, message, length, &answer)) {
		if (answer.count == 0) {
			for (size_t i = 0; i < 2 * name->target_count; i++)
				name->targets[i / 2].found[i % 2].missing = true;
			answer_counted(name);
			return;
		}
		if (targets_of_services(name, &answer) < 0) {
			name->failed = true;
			snprintf(name->why, sizeof(name->why), "%s", strerror(ENOMEM));
		}
	}
	/* Those that were known when the SRV records cannot be had. */
	if (status != -EINTR)
		ask_addresses(name);
	answer_counted(name);
}

static void round_begin(struct name *name)
{
	name->again = false;
	name->answered = false;
	name->failed = false;
	name->ttl = UINT32_MAX;
	name->negative = 0;
	/* Answers may come at once: the round must not end before all was asked. */
	name->open = 1;
	if (name->service) {
		name->open++;
		resolver_ask(name->names->resolver, name->host, false, DNS_SRV, services_answered,
		             name);
	} else {
		ask_addresses(name);
	}
	answer_counted(name);
}

static void round_due(void *context)
{
	round_begin(context);
}

/* ---- life ----------------------------------------------------------------------------------- */

static void name_free(struct name **pointer)
{
	struct name *name = *pointer;

	*pointer = NULL;
	targets_free(&name->targets, name->target_count);
	name_set_clear(&name->set);
	lop_timer_free(&name->timer);
	free(name->questions);
	free(name->host);
	free(name);
}

static int name_start(struct name *name)
{
	name->timer = lop_timer_new(name->names->worker, round_due, name);
	if (name->timer == NULL)
		return -ENOMEM;
	lop_timer_start(name->timer, 0);
	return 0;
}

int names_new(const struct names_settings *settings, struct names **out, char *error,
              size_t error_size)
{
	struct names *names = calloc(1, sizeof(*names));
	int result = -ENOMEM;

	snprintf(error, error_size, "%s", strerror(ENOMEM));
	if (names == NULL)
		return -ENOMEM;
	names->settings = *settings;
	result = resolver_new(settings, &names->resolver, error, error_size);
	if (result == 0)
		result = hosts_read(settings->hosts, &names->hosts);
	if (result < 0) {
		names_free(&names);
		return result;
	}
	*out = names;
	return 0;
}

int names_follow(struct names *names, const struct upstream_url *url, names_changed_f *changed,
                 void *context, char *error, size_t error_size)
{
	struct name *name = calloc(1, sizeof(*name));
	int result = -ENOMEM;

	snprintf(error, error_size, "%s", strerror(ENOMEM));
	if (name == NULL)
		return -ENOMEM;
	name->names = names;
	name->port = url->port;
	name->service = url->kind == UPSTREAM_SRV;
	name->changed = changed;
	name->context = context;
	name->host = strdup(url->host);
	if (name->host != NULL)
		result = name->service ? 0 : target_of_name(name);
	if (result == 0 && names->worker != NULL)
		result = name_start(name);
	if (result < 0) {
		name_free(&name);
		return result;
	}
	name->next = names->list;
	names->list = name;
	return 0;
}

int names_start(struct names *names, struct lop_worker *worker)
{
	int result = resolver_start(names->resolver, worker);

	names->worker = worker;
	for (struct name *name = names->list; name != NULL && result == 0; name = name->next)
		result = name_start(name);
	return result;
}

void names_refresh(struct names *names)
{
	for (struct name *name = names->list; name != NULL; name = name->next) {
		name->again = name->open > 0;
		name->retry = 0;
		if (!name->again && name->timer != NULL)
			lop_timer_start(name->timer, 0);
	}
}

void names_free(struct names **pointer)
{
	struct names *names = *pointer;

	*pointer = NULL;
	if (names == NULL)
		return;
	names->freed = true;
	/* Answers its questions, while the names are there. */
	resolver_free(&names->resolver);
	while (names->list != NULL) {
		struct name *name = names->list;

		names->list = name->next;
		name_free(&name);
	}
	hosts_clear(&names->hosts);
	free(names);
}
