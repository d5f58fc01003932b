/* SPDX-License-Identifier: BSD-2-Clause */
#include "imap/capability.h"

#include "support.h"

TestSuite(capability, .fini = test_over);

Test(capability, a_list_is_read_by_whole_words)
{
    static const struct {
        const char *list;
        bool imap, disabled, plain, sasl_ir;
    } rows[] = {
        {"IMAP4rev1 SASL-IR AUTH=PLAIN", true, false, true, true},
        {"imap4REV2 auth=plain sasl-ir", true, false, true, true},
        {"IMAP4", true, false, false, false},
        {"IMAP4rev1 LOGINDISABLED", true, true, false, false},
        {"IMAP4rev1x AUTH=PLAINX SASL-IRX XLOGINDISABLED AUTH=PLAIN-CLIENTTOKEN", false, false, false, false},
        {"  IMAP4rev1   AUTH=PLAIN  ", true, false, true, false},
        {"", false, false, false, false},
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct capabilities c = {.imap = true, .login_disabled = true, .auth = 1, .sasl_ir = true};
        capability_parse(span_of(rows[i].list), &c);
        cr_expect(c.known, "%s", rows[i].list);
        cr_expect(c.imap == rows[i].imap && c.login_disabled == rows[i].disabled && ((c.auth & capability_bit(SASL_PLAIN)) != 0) == rows[i].plain &&
                  c.sasl_ir == rows[i].sasl_ir, "\"%s\"", rows[i].list);
    }
}

Test(capability, what_is_not_true_through_the_proxy_is_left_out)
{
    static const struct {
        const char *list, *want;
    } rows[] = {
        {"IMAP4rev1 IDLE STARTTLS MOVE LOGINDISABLED", "IMAP4rev1 IDLE MOVE"},
        {"starttls IMAP4rev1 logindisabled", "IMAP4rev1"},
        {"STARTTLS", ""},
        {"IMAP4rev1 UNAUTHENTICATE REPLACE", "IMAP4rev1 REPLACE"},
        {"", ""},
        {"  A   B  ", "A B"},
        {"STARTTLSX LITERAL+ COMPRESS=DEFLATE X-STARTTLS", "STARTTLSX LITERAL+ COMPRESS=DEFLATE X-STARTTLS"},
        {"A B]C D\"E F\\G H\x01I J\x7fK L\xffM N", "A N"},
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct buffer out = {0};
        cr_assert_eq(capability_append_filtered(span_of(rows[i].list), &out, 1000), 0);
        struct span got = {buffer_data(&out), out.len};
        cr_expect(same_bytes(got, rows[i].want, strlen(rows[i].want)), "\"%s\": got \"%s\"", rows[i].list, show(got));
        buffer_clear(&out);
    }
}

Test(capability, a_list_that_does_not_fit_is_refused)
{
    struct buffer out = {0};
    cr_expect_eq(capability_append_filtered(SPAN("IMAP4rev1 IDLE"), &out, 13), -1);
    buffer_clear(&out);
    cr_expect_eq(capability_append_filtered(SPAN("IMAP4rev1 IDLE"), &out, 14), 0);
    buffer_clear(&out);
}

Test(capability, nothing_is_offered_before_tls_that_cannot_be_used)
{
    struct capabilities c;
    capability_parse(SPAN(CAPABILITY_CLEARTEXT), &c);
    cr_expect(c.imap && c.login_disabled && c.auth == 0 && !c.sasl_ir);
    capability_parse(SPAN(CAPABILITY_TLS), &c);
    cr_expect(c.imap && !c.login_disabled && c.auth == capability_bit(SASL_PLAIN) && c.sasl_ir);
    cr_expect_null(strstr(CAPABILITY_TLS, "STARTTLS"));
}

/* What servers said before a login, over TLS where they have it, and what clients are told of it. */
Test(capability, what_clients_are_told_follows_from_what_servers_say)
{
#define OURS "IMAP4rev1 SASL-IR LITERAL- ID AUTH=PLAIN"
    static const struct {
        const char *server, *said, *want;
    } rows[] = {
        {"nothing known", "", OURS},
        {"Dovecot 2.3",
         "IMAP4rev1 SASL-IR LOGIN-REFERRALS ID ENABLE IDLE LITERAL+ AUTH=PLAIN AUTH=LOGIN AUTH=CRAM-MD5 AUTH=SCRAM-SHA-1 "
         "AUTH=SCRAM-SHA-256 AUTH=XOAUTH2 AUTH=OAUTHBEARER",
         OURS " AUTH=LOGIN AUTH=XOAUTH2 AUTH=OAUTHBEARER AUTH=CRAM-MD5 AUTH=SCRAM-SHA-1 AUTH=SCRAM-SHA-256 ENABLE IDLE"},
        {"Dovecot 2.3 without TLS", "IMAP4rev1 SASL-IR LOGIN-REFERRALS ID ENABLE IDLE LITERAL+ STARTTLS LOGINDISABLED",
         OURS " ENABLE IDLE"},
        {"Cyrus 3.6",
         "IMAP4rev1 LITERAL+ ID ENABLE ACL ANNOTATE-EXPERIMENT-1 BINARY CATENATE CHILDREN CONDSTORE CREATE-SPECIAL-USE "
         "ESEARCH ESORT LIST-EXTENDED LIST-MYRIGHTS LIST-STATUS MAILBOX-REFERRALS METADATA MOVE MULTIAPPEND NAMESPACE "
         "OBJECTID PREVIEW QRESYNC QUOTA RIGHTS=kxten SAVEDATE SEARCH=FUZZY SORT SORT=DISPLAY SPECIAL-USE STATUS=SIZE "
         "THREAD=ORDEREDSUBJECT THREAD=REFERENCES UIDPLUS UNSELECT URLAUTH URLAUTH=BINARY WITHIN DIGEST=SHA1 "
         "LIST-METADATA NO_ATOMIC_RENAME SCAN SORT=MODSEQ SORT=UID THREAD=REFS X-CREATEDMODSEQ X-REPLICATION "
         "X-SIEVE-MAILBOX XLIST XMOVE AUTH=PLAIN AUTH=LOGIN AUTH=CRAM-MD5 AUTH=SCRAM-SHA-1-PLUS AUTH=SCRAM-SHA-1 "
         "AUTH=SCRAM-SHA-256-PLUS AUTH=SCRAM-SHA-256 SASL-IR COMPRESS=DEFLATE X-QUOTA=STORAGE X-QUOTA=MESSAGE X-QUOTA=X-ANNOTATION-STORAGE X-QUOTA=X-NUM-FOLDERS IDLE "
         "APPENDLIMIT=4294967295",
         OURS " AUTH=LOGIN AUTH=CRAM-MD5 AUTH=SCRAM-SHA-1 AUTH=SCRAM-SHA-256 ENABLE ACL ANNOTATE-EXPERIMENT-1 BINARY "
         "CATENATE CHILDREN CONDSTORE CREATE-SPECIAL-USE ESEARCH ESORT LIST-EXTENDED LIST-MYRIGHTS LIST-STATUS "
         "MAILBOX-REFERRALS METADATA MOVE MULTIAPPEND NAMESPACE OBJECTID PREVIEW QRESYNC QUOTA RIGHTS=kxten SAVEDATE "
         "SEARCH=FUZZY SORT SORT=DISPLAY SPECIAL-USE STATUS=SIZE THREAD=ORDEREDSUBJECT THREAD=REFERENCES UIDPLUS "
         "UNSELECT URLAUTH URLAUTH=BINARY WITHIN LIST-METADATA SORT=MODSEQ SORT=UID THREAD=REFS XLIST IDLE "
         "APPENDLIMIT=4294967295"},
        {"Cyrus 2.4", "IMAP4rev1 LITERAL+ ID ENABLE AUTH=CRAM-MD5 AUTH=PLAIN AUTH=GSSAPI AUTH=LOGIN AUTH=DIGEST-MD5 SASL-IR",
         OURS " AUTH=LOGIN AUTH=CRAM-MD5 ENABLE"},
        {"Courier 5.0",
         "IMAP4rev1 UIDPLUS CHILDREN NAMESPACE THREAD=ORDEREDSUBJECT THREAD=REFERENCES SORT QUOTA IDLE AUTH=PLAIN "
         "AUTH=LOGIN AUTH=CRAM-MD5 ACL ACL2=UNION ENABLE UTF8=ACCEPT",
         OURS " AUTH=LOGIN AUTH=CRAM-MD5 UIDPLUS CHILDREN NAMESPACE THREAD=ORDEREDSUBJECT THREAD=REFERENCES SORT QUOTA "
         "IDLE ACL ENABLE UTF8=ACCEPT"},
        {"Exchange 2010", "IMAP4 IMAP4rev1 AUTH=NTLM AUTH=GSSAPI AUTH=PLAIN CHILDREN IDLE NAMESPACE LITERAL+",
         OURS " CHILDREN IDLE NAMESPACE"},
        {"Exchange 2013", "IMAP4 IMAP4rev1 AUTH=PLAIN AUTH=NTLM AUTH=GSSAPI UIDPLUS MOVE ID CHILDREN IDLE NAMESPACE LITERAL+",
         OURS " UIDPLUS MOVE CHILDREN IDLE NAMESPACE"},
        {"Exchange 2013 without TLS", "IMAP4 IMAP4rev1 LOGINDISABLED STARTTLS UIDPLUS MOVE ID CHILDREN IDLE NAMESPACE LITERAL+",
         OURS " UIDPLUS MOVE CHILDREN IDLE NAMESPACE"},
        {"Microsoft 365", "IMAP4 IMAP4rev1 AUTH=PLAIN AUTH=XOAUTH2 SASL-IR UIDPLUS ID UNSELECT CHILDREN IDLE NAMESPACE LITERAL+",
         OURS " AUTH=XOAUTH2 UIDPLUS UNSELECT CHILDREN IDLE NAMESPACE"},
        {"Domino 9", "IMAP4rev1 AUTH=PLAIN LITERAL+ NAMESPACE QUOTA UIDPLUS", OURS " NAMESPACE QUOTA UIDPLUS"},
        {"GroupWise", "IMAP4rev1 AUTH=XGWTRUSTEDAPP ID NAMESPACE STARTTLS", OURS " NAMESPACE"},
        {"Zimbra 8",
         "IMAP4rev1 ACL BINARY CATENATE CHILDREN CONDSTORE ENABLE ESEARCH ESORT I18NLEVEL=1 ID IDLE LIST-EXTENDED "
         "LIST-STATUS LITERAL+ LOGIN-REFERRALS MULTIAPPEND NAMESPACE QRESYNC QUOTA RIGHTS=ektx SASL-IR SEARCHRES SORT "
         "THREAD=ORDEREDSUBJECT UIDPLUS UNSELECT WITHIN XLIST AUTH=PLAIN AUTH=X-ZIMBRA",
         OURS " ACL BINARY CATENATE CHILDREN CONDSTORE ENABLE ESEARCH ESORT I18NLEVEL=1 IDLE LIST-EXTENDED LIST-STATUS "
         "MULTIAPPEND NAMESPACE QRESYNC QUOTA RIGHTS=ektx SEARCHRES SORT THREAD=ORDEREDSUBJECT UIDPLUS UNSELECT WITHIN "
         "XLIST"},
        {"hMailServer 5", "IMAP4 IMAP4rev1 CHILDREN IDLE QUOTA SORT ACL NAMESPACE RIGHTS=texk",
         OURS " CHILDREN IDLE QUOTA SORT ACL NAMESPACE RIGHTS=texk"},
        {"MDaemon",
         "IMAP4rev1 NAMESPACE AUTH=CRAM-MD5 AUTH=LOGIN AUTH=PLAIN IDLE ACL UNSELECT UIDPLUS XLIST COMPRESS=DEFLATE",
         OURS " AUTH=LOGIN AUTH=CRAM-MD5 NAMESPACE IDLE ACL UNSELECT UIDPLUS XLIST"},
        {"UW-IMAP 2007f", "IMAP4REV1 I18NLEVEL=1 LITERAL+ SASL-IR LOGIN-REFERRALS STARTTLS", OURS " I18NLEVEL=1"},
        {"SmarterMail",
         "IMAP4rev1 AUTH=CRAM-MD5 AUTH=PLAIN AUTH=LOGIN AUTH=DIGEST-MD5 SORT THREAD=ORDEREDSUBJECT UIDPLUS QUOTA ACL "
         "NAMESPACE CHILDREN IDLE UNSELECT STARTTLS",
         OURS " AUTH=LOGIN AUTH=CRAM-MD5 SORT THREAD=ORDEREDSUBJECT UIDPLUS QUOTA ACL NAMESPACE CHILDREN IDLE UNSELECT"},
        {"gromox", "IMAP4rev1 XLIST SPECIAL-USE ID UNSELECT UIDPLUS IDLE AUTH=LOGIN",
         OURS " AUTH=LOGIN XLIST SPECIAL-USE UNSELECT UIDPLUS IDLE"},
        {"UW-IMAP 2007e, with all that it has",
         "IMAP4REV1 I18NLEVEL=1 LITERAL+ IDLE UIDPLUS NAMESPACE CHILDREN MAILBOX-REFERRALS BINARY UNSELECT ESEARCH WITHIN "
         "SCAN SORT THREAD=REFERENCES THREAD=ORDEREDSUBJECT MULTIAPPEND SASL-IR LOGIN-REFERRALS AUTH=LOGIN AUTH=PLAIN",
         OURS " AUTH=LOGIN I18NLEVEL=1 IDLE UIDPLUS NAMESPACE CHILDREN MAILBOX-REFERRALS BINARY UNSELECT ESEARCH WITHIN SORT "
         "THREAD=REFERENCES THREAD=ORDEREDSUBJECT MULTIAPPEND"},
        {"Kerio Connect", "IMAP4rev1 CHILDREN ID IDLE NAMESPACE UIDPLUS QUOTA AUTH=CRAM-MD5 AUTH=PLAIN AUTH=LOGIN AUTH=DIGEST-MD5 AUTH=NTLM",
         OURS " AUTH=LOGIN AUTH=CRAM-MD5 CHILDREN IDLE NAMESPACE UIDPLUS QUOTA"},
        {"Gmail",
         "IMAP4rev1 UNSELECT IDLE NAMESPACE QUOTA ID XLIST CHILDREN X-GM-EXT-1 XYZZY SASL-IR AUTH=XOAUTH2 AUTH=PLAIN "
         "AUTH=PLAIN-CLIENTTOKEN AUTH=OAUTHBEARER",
         OURS " AUTH=XOAUTH2 AUTH=OAUTHBEARER UNSELECT IDLE NAMESPACE QUOTA XLIST CHILDREN X-GM-EXT-1"},
        {"Yahoo",
         "IMAP4rev1 SASL-IR AUTH=PLAIN AUTH=XOAUTH2 AUTH=OAUTHBEARER ID MOVE NAMESPACE XYMHIGHESTMODSEQ UIDPLUS LITERAL+ "
         "CHILDREN UNSELECT X-MSG-EXT OBJECTID IDLE ENABLE UIDONLY X-ALL-MAIL X-UIDONLY LIST-EXTENDED LIST-STATUS "
         "SPECIAL-USE PARTIAL APPENDLIMIT=41697280",
         OURS " AUTH=XOAUTH2 AUTH=OAUTHBEARER MOVE NAMESPACE UIDPLUS CHILDREN UNSELECT OBJECTID IDLE ENABLE UIDONLY "
         "LIST-EXTENDED LIST-STATUS SPECIAL-USE PARTIAL APPENDLIMIT=41697280"},
        {"Stalwart", "IMAP4rev2 IMAP4rev1 ENABLE SASL-IR LITERAL+ ID UTF8=ACCEPT JMAPACCESS AUTH=OAUTHBEARER AUTH=XOAUTH2",
         OURS " AUTH=XOAUTH2 AUTH=OAUTHBEARER IMAP4rev2 ENABLE UTF8=ACCEPT JMAPACCESS"},
        {"James 3",
         "IMAP4rev1 LITERAL+ CHILDREN WITHIN NAMESPACE UIDPLUS UNSELECT IDLE ID SASL-IR ENABLE MOVE CONDSTORE QRESYNC "
         "AUTH=PLAIN AUTH=OAUTHBEARER AUTH=XOAUTH2",
         OURS " AUTH=XOAUTH2 AUTH=OAUTHBEARER CHILDREN WITHIN NAMESPACE UIDPLUS UNSELECT IDLE ENABLE MOVE CONDSTORE QRESYNC"},
        {"words of any case, twice, and with octets that no capability has",
         "imap4rev1 idle Idle IDLE auth=xoauth2 starttls compress=deflate QUOTA=\" move\x01 language login-referrals",
         OURS " AUTH=XOAUTH2 idle"},
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct buffer out = {0};
        struct span list = span_of(rows[i].said);
        cr_assert_eq(capability_offer(&list, 1, UINT32_MAX, &out, CAPABILITY_OFFER_MAX), 0);
        struct span got = {buffer_data(&out), out.len};
        cr_expect(same_bytes(got, rows[i].want, strlen(rows[i].want)), "%s:\n got %s\nwant %s", rows[i].server, show(got),
                  rows[i].want);
        buffer_clear(&out);
    }
}

Test(capability, several_backends_offer_what_they_have_in_common)
{
    struct span lists[] = {SPAN("IMAP4rev1 IDLE MOVE AUTH=LOGIN AUTH=XOAUTH2"), SPAN("IMAP4rev1 move AUTH=LOGIN auth=cram-md5")};
    struct buffer out = {0};
    cr_assert_eq(capability_offer(lists, 2, UINT32_MAX, &out, CAPABILITY_OFFER_MAX), 0);
    struct span got = {buffer_data(&out), out.len};
    cr_expect(same_bytes(got, OURS " AUTH=LOGIN MOVE", strlen(OURS " AUTH=LOGIN MOVE")), "got %s", show(got));
    buffer_clear(&out);
    cr_assert_eq(capability_offer(lists, 0, UINT32_MAX, &out, CAPABILITY_OFFER_MAX), 0);
    cr_expect_eq(out.len, strlen(OURS));
    buffer_clear(&out);
}

Test(capability, a_mechanism_that_may_not_pass_is_not_offered)
{
    struct span list = SPAN("IMAP4rev1 AUTH=CRAM-MD5 AUTH=XOAUTH2");
    struct buffer out = {0};
    cr_assert_eq(capability_offer(&list, 1, ~capability_bit(SASL_CRAM_MD5), &out, CAPABILITY_OFFER_MAX), 0);
    struct span got = {buffer_data(&out), out.len};
    cr_expect(same_bytes(got, OURS " AUTH=XOAUTH2", strlen(OURS " AUTH=XOAUTH2")), "got %s", show(got));
    cr_expect(capability_allows_mechanism(got, sasl_mechanism(SASL_XOAUTH2)) && !capability_allows_mechanism(got, sasl_mechanism(SASL_CRAM_MD5)));
    cr_expect(capability_allows_mechanism(got, sasl_mechanism(SASL_PLAIN)) && capability_allows_mechanism(got, sasl_mechanism(SASL_LOGIN)));
    cr_expect_eq(capability_offer(&list, 1, UINT32_MAX, &out, 10), -1);
    buffer_clear(&out);
}
