/* SPDX-License-Identifier: BSD-2-Clause */
/* Explains the syntax errors of a configuration, for which libconfig says no more than "syntax error". */
#ifndef IMAPGUARD_CONFIG_SYNTAX_H
#define IMAPGUARD_CONFIG_SYNTAX_H

#include "config/text.h"

/*
 * Writes to `problem` why libconfig has refused the text `t`: what was found, what was expected and what is probably
 * missing. `line` is the line of libconfig's error, from 1, in the text of all files. `verdict` is libconfig's message,
 * a terminated string; it is used, with the text of the line, if the cause is unknown. `t` must come from a successful
 * config_text_read(); problem->place is valid as long as `t`.
 */
void config_syntax_explain(const struct config_text *t, unsigned line, const char *verdict,
                           struct config_problem *problem);

#endif
