"""Mail to test with: the same number and size give the same bytes."""

import base64
import random

HEADER = """\
From: Anna Beispiel <anna@example.org>\r
To: Bert Muster <bert@example.org>\r
Subject: =?utf-8?q?Gr=C3=BC=C3=9Fe?= {number}\r
Date: Mon, 02 Nov 2020 10:{minute:02}:00 +0100\r
Message-ID: <{number}.{size}@example.org>\r
MIME-Version: 1.0\r
"""

TEXT = """\
Content-Type: text/plain; charset=us-ascii\r
\r
This is message {number}.\r
"""

MIXED = """\
Content-Type: multipart/mixed; boundary="=_{number}"\r
\r
--=_{number}\r
""" + TEXT + """\
--=_{number}\r
Content-Type: application/octet-stream; name="attachment.bin"\r
Content-Disposition: attachment; filename="attachment.bin"\r
Content-Transfer-Encoding: base64\r
\r
{attachment}\r
--=_{number}--\r
"""


def message(number, size=0):
    """A message with CRLF; with a size, it has a base64 attachment that makes it about that large."""
    values = {"number": number, "minute": number % 60, "size": size}
    if not size:
        return (HEADER + TEXT).format(**values).encode()
    noise = random.Random(number).randbytes(size * 3 // 4)
    attachment = base64.encodebytes(noise).decode().replace("\n", "\r\n").rstrip()
    return (HEADER + MIXED).format(attachment=attachment, **values).encode()
