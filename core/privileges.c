/* SPDX-License-Identifier: BSD-2-Clause */
#include "config.h"

#include "privileges.h"

#include <errno.h>
#include <grp.h>
#include <pwd.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include <lophttpd/message.h>

#include "core.h"
#include "os.h"

/* Descriptors besides connections and the cache: listeners, logs, modules. */
#define DESCRIPTORS_BESIDES 128

static const char *const default_users[] = { "wwwrun", "www-data", "nobody" };

/* ---- who ------------------------------------------------------------------------------------ */

/* A decimal id; -1 when text is none. */
static long parse_id(const char *text)
{
	char *end;
	long id;

	errno = 0;
	id = strtol(text, &end, 10);
	return errno == 0 && end != text && *end == '\0' && id >= 0 && id < UINT32_MAX ? id : -1;
}

static int set_group(struct lop_core *core, const char *name)
{
	const struct group *group = getgrnam(name);
	long id = parse_id(name);

	if (group == NULL && id < 0) {
		lop_core_message(core, LOP_LOG_ERROR,
		                 "--user: there is no group '%s'; name one that is", name);
		return -EINVAL;
	}
	core->privileges.gid = group != NULL ? group->gr_gid : (gid_t)id;
	return 0;
}

static const struct passwd *find_default(void)
{
	const struct passwd *user = NULL;

	for (size_t i = 0; i < sizeof(default_users) / sizeof(default_users[0]); i++)
		if (user == NULL)
			user = getpwnam(default_users[i]);
	return user;
}

/* wanted: "user", "user:group", ids too; NULL: the default. */
static int find_user(struct lop_core *core, char *wanted)
{
	struct privileges *privileges = &core->privileges;
	char *group = wanted != NULL ? strchr(wanted, ':') : NULL;
	const struct passwd *user;
	long id = -1;

	if (group != NULL)
		*group++ = '\0';
	if (wanted != NULL)
		id = parse_id(wanted);
	user = wanted == NULL ? find_default() : getpwnam(wanted);
	if (user == NULL && id >= 0)
		user = getpwuid((uid_t)id);
	if (user == NULL && (id < 0 || group == NULL)) {
		if (wanted != NULL)
			lop_core_message(
				core, LOP_LOG_ERROR,
				"--user: there is no user '%s'; create it, or name another%s",
				wanted, id >= 0 ? ", or add its group: USER:GROUP" : "");
		else
			lop_core_message(core, LOP_LOG_ERROR,
			                 "there is none of the users wwwrun, www-data and nobody; "
			                 "name one with --user");
		return -EINVAL;
	}
	privileges->uid = user != NULL ? user->pw_uid : (uid_t)id;
	privileges->gid = user != NULL ? user->pw_gid : (gid_t)-1;
	privileges->user = strdup(user != NULL ? user->pw_name : wanted);
	if (privileges->user == NULL)
		return -ENOMEM;
	if (group != NULL && set_group(core, group) < 0)
		return -EINVAL;
	return 0;
}

int privileges_prepare(struct lop_core *core)
{
	struct privileges *privileges = &core->privileges;
	const char *wanted = core->settings.user;
	char *copy = NULL;
	int result;

	if (geteuid() != 0) {
		const struct passwd *self = getpwuid(geteuid());

		if (wanted == NULL || (self != NULL && strcmp(self->pw_name, wanted) == 0) ||
		    parse_id(wanted) == (long)geteuid())
			return 0;
		lop_core_message(
			core, LOP_LOG_ERROR,
			"--user %s: only root can run the server as another user; leave it "
			"out",
			wanted);
		return -EPERM;
	}
	if (wanted != NULL && (copy = strdup(wanted)) == NULL)
		return -ENOMEM;
	result = find_user(core, copy);
	free(copy);
	if (result == 0 && (privileges->uid == 0 || privileges->gid == 0)) {
		lop_core_message(core, LOP_LOG_ERROR,
		                 "--user %s: the server does not serve as root; name a user and "
		                 "group that own nothing",
		                 wanted != NULL ? wanted : privileges->user);
		result = -EPERM;
	}
	privileges->root = result == 0;
	return result;
}

void privileges_free(struct privileges *privileges)
{
	free(privileges->user);
	*privileges = (struct privileges){ .root = false };
}

/* ---- limits --------------------------------------------------------------------------------- */

static rlim_t raise_limit(rlim_t wanted)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit) < 0)
		return wanted;
	if (limit.rlim_cur >= wanted)
		return limit.rlim_cur;
	if (limit.rlim_max < wanted) {
		/* Root may raise it, up to what the kernel allows at all. */
		struct rlimit higher = { .rlim_cur = wanted, .rlim_max = wanted };

		if (setrlimit(RLIMIT_NOFILE, &higher) == 0)
			return wanted;
	}
	limit.rlim_cur = limit.rlim_max < wanted ? limit.rlim_max : wanted;
	if (setrlimit(RLIMIT_NOFILE, &limit) < 0)
		(void)getrlimit(RLIMIT_NOFILE, &limit);
	return limit.rlim_cur;
}

void privileges_limits(struct lop_core *core)
{
	struct settings *settings = &core->settings;
	rlim_t connections = (rlim_t)settings->max_connections;
	rlim_t have =
		raise_limit(connections + (rlim_t)settings->cache_entries + DESCRIPTORS_BESIDES);

	have = have > 2 * DESCRIPTORS_BESIDES ? have - DESCRIPTORS_BESIDES : have / 2 + 1;
	if (connections <= have)
		return;
	lop_core_message(core, LOP_LOG_WARNING,
	                 "the limit of open files allows %llu connections a worker, not %d; raise "
	                 "it (ulimit -n), or lower --max-connections",
	                 (unsigned long long)have, settings->max_connections);
	settings->max_connections = (int)have;
}

/* ---- the drop ------------------------------------------------------------------------------- */

static int failed(struct lop_core *core, const char *what, const char *advice)
{
	int result = errno != 0 ? -errno : -EPERM;

	lop_core_message(core, LOP_LOG_ERROR, "cannot %s: %s; %s", what, strerror(-result), advice);
	return result;
}

static int change_root(struct lop_core *core)
{
	if (fchdir(core->root->descriptor) < 0 || chroot(".") < 0 || chdir("/") < 0)
		return failed(core, "change the root directory",
		              "start the server with CAP_SYS_CHROOT, or as an ordinary user");
	core->chrooted = true;
	core->root->chrooted = true;
	core->log.chrooted = true;
	return 0;
}

static int change_user(struct lop_core *core)
{
	const struct privileges *to = &core->privileges;
	static const char advice[] = "start the server with CAP_SETUID and CAP_SETGID, or as an "
				     "ordinary user";

	/* Not even the groups that the user is a member of: nobody asked to serve what those may
	 * read. One of them is named with --user. */
	os_drop_bounding_set();
	if (setgroups(0, NULL) < 0)
		return failed(core, "drop root's groups", advice);
#ifdef HAVE_SETRESUID
	if (setresgid(to->gid, to->gid, to->gid) < 0)
		return failed(core, "change the group", advice);
	if (setresuid(to->uid, to->uid, to->uid) < 0)
		return failed(core, "change the user", advice);
#else
	if (setgid(to->gid) < 0)
		return failed(core, "change the group", advice);
	if (setuid(to->uid) < 0)
		return failed(core, "change the user", advice);
#endif
	return 0;
}

/* No way back to root must be left. */
static int verify_user(struct lop_core *core)
{
	const struct privileges *to = &core->privileges;

	errno = 0;
	if (getuid() != to->uid || geteuid() != to->uid || getgid() != to->gid ||
	    getegid() != to->gid || setuid(0) == 0 || seteuid(0) == 0 || setgid(0) == 0) {
		errno = 0;
		return failed(core, "give up root for good", "the system let it be taken back");
	}
	return 0;
}

int privileges_drop(struct lop_core *core)
{
	const struct rlimit no_core = { .rlim_cur = 0, .rlim_max = 0 };
	int result = 0;

	if (core->privileges.root) {
		result = change_root(core);
		if (result == 0)
			result = change_user(core);
		if (result == 0)
			result = verify_user(core);
	}
	if (result == 0 && setrlimit(RLIMIT_CORE, &no_core) < 0)
		result = failed(core, "forbid core dumps", "this is a defect of the system");
	if (result == 0) {
		result = os_harden();
		errno = -result;
		if (result < 0)
			result = failed(core, "forbid new privileges",
			                "this is a defect of the system");
	}
	return result;
}
