/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The upload module from the inside: upload.c has options and life, receive.c brings one file to
 * disk, put.c and form.c are the two ways in.
 */
#ifndef UPLOAD_H
#define UPLOAD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <lophttpd/lophttpd.h>

#include "digest.h"
#include "multipart.h"
#include "names.h"
#include "quota.h"
#include "store.h"
#include "thread.h"

#define UPLOAD_BUFFER ((size_t)256 * 1024)
#define FOLDER_MAX 1024
#define UPLOAD_FOLDERS 16 /* that are remembered */

/* One that was looked through: no leftovers of a killed process are there any more. */
struct upload_folder {
	uint64_t device, inode;
	int64_t counted;       /* when its files were added up, on the worker's clock; 0: never */
	struct account account; /* what was found then */
};

struct upload {
	struct lop_core *core;
	/* options */
	char *folder;         /* relative to the root, no slash at its ends; NULL: -U is missing */
	size_t folder_length;
	bool random;          /* -r */
	bool silent;          /* -Q */
	bool overwrite;
	bool form;
	int64_t max_size;     /* -1: none */
	int64_t quota_limit;  /* -1: none */
	struct quota *quota;
	/* in a worker */
	struct lop_worker *worker;
	struct thread *thread;
	char *buffer;         /* UPLOAD_BUFFER bytes; holds nothing between calls */
	int pipe[2];          /* the same; -1: there is none */
	int64_t told;         /* when a failure was last put in words */
	struct upload_folder folders[UPLOAD_FOLDERS];
	unsigned next_folder;
};

/* What is done next when the hook runs. */
enum receive_step {
	RECEIVE_SURVEY, /* the thread looks through the folder */
	RECEIVE_BODY,   /* bytes come */
	RECEIVE_COMMIT, /* the thread syncs, and gives the name */
};

/* A request that brings files: one by PUT, several, one after the other, by a form. Lives until the
 * request has ended and the thread has given its jobs back. */
struct receive {
	struct upload *upload;
	struct lop_request *request; /* NULL: it has ended */
	enum receive_step step;
	unsigned pending;            /* jobs in the thread */
	struct job survey;
	struct job commit;
	struct job flush;
	bool flushing;
	int64_t flush_from, flush_length;
	int64_t flushed;
	int result;                  /* of the job that was waited for */
	struct lop_file *folder;
	struct account account;
	bool remembered; /* the account is not from now: before a refusal it is made anew */
	/* the file that is being received */
	struct store store;
	struct digest *digest;       /* NULL: nobody wants one */
	bool copies;                 /* bytes cannot go by the pipe */
	unsigned char computed[DIGEST_SIZE];
	/* PUT */
	unsigned char expected[DIGEST_SIZE];
	bool expects;
	bool wants;
	bool none_match; /* If-None-Match: a name that is taken is a failed condition */
	bool match;      /* If-Match */
	/* form */
	struct form *form;
};

/* receive.c */

/* Opens the folder and makes the state. 0: LOP_DECLINED is right, there is no folder; 1 with
 * *receive set; or a negative errno. */
int receive_new(struct upload *upload, struct lop_request *request, struct receive **receive);
/* The request has ended. */
void receive_end(struct receive *receive);
/* Starts the survey when one is due, or in any case when the files of the folder must be added up
 * now, and not some seconds ago. Returns 1 when it has to be waited for. */
int receive_survey(struct receive *receive, bool now);
/* What it has found out. 0, or a negative errno: nothing may be stored. */
int receive_surveyed(struct receive *receive);
/* One file. `length` -1: not known. */
int receive_open(struct receive *receive, int64_t length, bool digest);
int receive_data(struct receive *receive, const char *data, size_t length);
/* Moves at most size bytes of the body to the file inside the kernel: > 0, or what
 * lop_request_body_read() and receive_data() may come to; -EOPNOTSUPP: they have to. */
ssize_t receive_splice(struct receive *receive, size_t size);
/* The pipe of a worker, emptied by being made anew. */
void pipe_renew(struct upload *upload);
/* Ends the digest, if there is one. */
int receive_digest(struct receive *receive);
/* store.name and the rest are set: syncs and gives the name. The hook is woken afterwards, with
 * the result in receive->result. */
void receive_commit(struct receive *receive);
/* The file's account is closed; it is gone when it was not committed. */
void receive_close(struct receive *receive, bool stored);
/* The status for a negative errno; a fault of the server's is also put in words. */
int receive_status(struct receive *receive, int error);

/* Opens the folder below a root. -ELOOP: with -r it must not be a link, since what it leads to is
 * served under its own name. */
int upload_open_folder(const struct upload *upload, struct lop_root *root, struct lop_file **folder);
/* Whether a path lies in the folder: 0 not, 1 it is the folder ("/DIR" or "/DIR/"), 2 below. */
int upload_below(const struct upload *upload, struct lop_str path);

/* put.c, form.c: hooks of the content phase. */
/* Whether a PUT of this path would be looked at. */
bool put_takes(const struct upload *upload, struct lop_str path);
int put_begin(struct upload *upload, struct lop_request *request);
int put_run(struct receive *receive);
int form_page(struct upload *upload, struct lop_request *request);
int form_begin(struct upload *upload, struct lop_request *request);
int form_run(struct receive *receive);
void form_free(struct form **form);

#define STR(literal) ((struct lop_str){ (literal), sizeof(literal) - 1 })

#endif
