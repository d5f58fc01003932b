/* SPDX-License-Identifier: BSD-2-Clause */
/* What is wrong with a configuration that libconfig refuses with two words. */
#ifndef IMAPGUARD_CONFIG_SYNTAX_H
#define IMAPGUARD_CONFIG_SYNTAX_H

#include "config/text.h"

/*
 * Fills `problem` for a text that the parser has refused on that line of the whole text: what was found, what was
 * expected and what is probably missing. `verdict` is what the parser said; it is passed on when no more is known.
 */
void config_syntax_explain(const struct config_text *t, unsigned line, const char *verdict,
                           struct config_problem *problem);

#endif
