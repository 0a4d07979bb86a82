/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Signals as bytes in a pipe: the handler writes, the loop or the master reads. The flags and the
 * pipe are the one mutable global of the program.
 */
#ifndef SIGNALS_H
#define SIGNALS_H

/* Bits of what arrived. */
#define SIGNAL_STOP (1u << 0)    /* TERM, INT */
#define SIGNAL_DRAIN (1u << 1)   /* QUIT */
#define SIGNAL_REOPEN (1u << 2)  /* HUP */
#define SIGNAL_REFRESH (1u << 3) /* USR1 */
#define SIGNAL_UPGRADE (1u << 4) /* USR2 */
#define SIGNAL_CHILD (1u << 5)   /* CHLD */

/* Installs the handlers (PIPE and XFSZ are ignored) and returns the descriptor to watch for
 * reading, or a negative errno. After a fork call it again: the child gets a pipe of its own. */
int signals_open(void);
/* Empties the pipe and returns the bits that arrived since the last call. */
unsigned signals_take(void);
/* Restores the defaults and closes the pipe, e.g. before exec. */
void signals_reset(void);

/* Keeps signals back around a fork: until the child has a pipe of its own, what arrives there would
 * be told to the parent. */
void signals_block(void);
void signals_unblock(void);

#endif
