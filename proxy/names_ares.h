/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Questions to name servers, by c-ares inside the worker's loop.
 *
 * c-ares reads its configuration in resolver_new(); sockets are opened when there is something to
 * ask, and closed when nothing is open any more. They are made and used by functions of ours, so
 * that edges of the loop are not missed and no other system call is made than a worker may make.
 */
#ifndef NAMES_ARES_H
#define NAMES_ARES_H

#include <lophttpd/loop.h>

#include "names_answer.h"

struct resolver;

/* The answer to a question; called once for each, perhaps before resolver_ask() has returned. status
 * 0 or -ENOENT: message is the server's, or NULL; -EAGAIN: there is none, `why` says in words; -EINTR:
 * the resolver is being freed. */
typedef void resolver_answer_f(void *context, int status, const char *why,
                               const unsigned char *message, size_t length);

int resolver_new(const struct names_settings *settings, struct resolver **resolver, char *error,
                 size_t error_size);
int resolver_start(struct resolver *resolver, struct lop_worker *worker);
/* exact: the search list is not tried. */
void resolver_ask(struct resolver *resolver, const char *name, bool exact, enum dns_type type,
                  resolver_answer_f *answer, void *context);
/* Answers what is open with -EINTR. */
void resolver_free(struct resolver **resolver);

#endif
