/* SPDX-License-Identifier: BSD-2-Clause */
#include "policy/user_name.h"

#include <stdlib.h>
#include <string.h>

#include "support.h"

Test(user_name, what_looks_the_same_is_the_same)
{
    static const char *const rows[][2] = {
        {"", ""}, {"anna", "anna"}, {"Anna@Example.ORG", "anna@example.org"}, {"J\xc3\x96RG", "j\xc3\xb6rg"},
        {"jo\xcc\x88rg", "j\xc3\xb6rg"}, {"\xef\xbd\x81\xef\xbd\x84\xef\xbd\x8d\xef\xbd\x89\xef\xbd\x8e", "admin"},
        {"stra\xc3\x9f" "e", "strasse"}, {"\xe2\x84\xaa", "k"}, {"\xef\xac\x81", "fi"}, {"J\xd6RG", "j\xd6rg"},
        {" anna  ", "anna"}, {"an na", "an na"}, {"anna @ example.org", "anna@example.org"}, {"an  na @x", "an  na@x"}, {"  ", ""},
        {"anna\xc2\xa0", "anna"}, {"J\xd6 ", "j\xd6"}, {"@ ", "@"}, {"*@EXAMPLE.org", "*@example.org"}, {"\xce\xa3\xce\xa3", "\xcf\x83\xcf\x83"},
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        char *folded = user_name_fold(rows[i][0]);
        cr_expect_str_eq(folded, rows[i][1], "row %zu: %s", i, folded);
        free(folded);
    }
}

Test(user_name, what_nobody_sees_is_found)
{
    static const struct {
        const char *name;
        bool visible;
    } rows[] = {
        {"anna", true}, {"an na", true}, {"J\xc3\xb6rg", true}, {"\xe5\xb1\xb1", true}, {"J\xd6rg", true}, {"", true},
        {"an\tna", false}, {"an\x7f" "na", false}, {"anna\r", false}, {"an\xc2\xad" "na", false}, {"an\xe2\x80\x8b" "na", false},
        {"\xe2\x80\xae" "anna", false}, {"anna\xef\xbb\xbf", false}, {"an\xe2\x80\xa8" "na", false}, {"an\xc2\x85" "na", false},
        {"J\xd6\x01" "rg", false}, {"\xef\xb8\x8f" "a", false},
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        cr_expect_eq(user_name_is_visible(rows[i].name), rows[i].visible, "row %zu", i);
    }
}
