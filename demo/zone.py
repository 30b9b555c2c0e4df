"""
The zone behind `make demo`: names for `demo/domains.txt`, one group for each way to answer.

Nobody is asked but the server on the loopback interface, so the names may be anybody's.
"""

from demo.behaviours import (
    ADDRESS,
    alias,
    answers,
    fails,
    nodata,
    nxdomain,
    silent,
    slow,
    truncated,
)
from demo.script import Script

__all__ = ["ZONE"]

IPV6 = "2001:db8::1"
BOTH = answers(A=ADDRESS, AAAA=IPV6, MX="10 mail.python.org.")
MAIL = answers(MX="10 mail.python.org.", TXT='"v=spf1 -all"')

ZONE = Script(
    {
        # An address.
        "python.org": BOTH,
        "www.python.org": alias("python.map.fastly.net", A=ADDRESS, AAAA=IPV6),
        "debian.org": BOTH,
        "wikipedia.org": answers(A="192.0.2.10"),
        "archive.org": answers(A=("192.0.2.20", "192.0.2.21", "192.0.2.22")),
        "gnu.org": BOTH,
        "www.gnu.org": alias("gnu.org", A=ADDRESS, AAAA=IPV6),
        "kernel.org": BOTH,
        "sqlite.org": answers(A="192.0.2.30"),
        "rabbitmq.com": BOTH,
        "prefect.io": BOTH,
        "postgresql.org": BOTH,
        "bbc.co.uk": BOTH,
        "xn--mnchen-3ya.de": answers(A="192.0.2.40"),
        "xn--r8jz45g.jp": answers(A="192.0.2.41"),
        "xn--caf-dma.fr": answers(A="192.0.2.42"),
        # An address, on a longer way.
        "loopsofzen.uk": answers(AAAA=IPV6),
        "ipv6only.net": answers(AAAA=IPV6),
        "shop.rollcall.io": alias("shops.hosting.net", "eu.shops.hosting.net", A=ADDRESS),
        "docs.rollcall.io": alias("readthedocs.io", AAAA=IPV6),
        "*.pages.dev": answers(A="192.0.2.50"),
        "bigzone.info": truncated(answers(A=tuple(f"198.51.100.{host}" for host in range(60)))),
        "farawayisland.nu": slow(answers(A=ADDRESS), milliseconds=300),
        "sleepyserver.net": silent(times=1),
        "hiccup.org": fails("SERVFAIL", times=1),
        # There, without an address.
        "mailonly.org": MAIL,
        "parkedmail.com": MAIL,
        "emptyname.net": nodata(),
        "danglingnodata.org": alias("empty.hosting.net"),
        "deep.under.nothing.biz": answers(A=ADDRESS),
        # Not there; neither is any name that is not listed.
        "danglingalias.org": nxdomain("gone.hosting.net"),
        # No answer that says anything.
        "brokendnssec.org": fails("SERVFAIL"),
        "lamedelegation.com": fails("SERVFAIL"),
        "notyours.net": fails("REFUSED"),
        "refusenik.org": fails("REFUSED"),
        "oldserver.biz": fails("NOTIMP"),
        "blackhole.net": silent(),
        "tarpit.org": silent(),
    }
)
