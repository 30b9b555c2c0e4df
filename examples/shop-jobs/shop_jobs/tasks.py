"""The handlers: whatever publishes a message with one of their names has them run."""

import os
import smtplib
from decimal import Decimal
from email.message import EmailMessage
from pathlib import Path
from typing import Any
from urllib.parse import quote
from xml.sax.saxutils import escape

from prefect import get_run_logger, task
from pydantic import HttpUrl

SENDER = "billing@shop.example.com"
SITEMAP = """\
<?xml version="1.0" encoding="UTF-8"?>
<urlset xmlns="http://www.sitemaps.org/schemas/sitemap/0.9">
{}</urlset>
"""


def _may_pass(_task: Any, _task_run: Any, state: Any) -> bool:
    """Say whether another try may help: a mail server comes back, a wrong address stays wrong."""
    return not isinstance(state.result(raise_on_failure=False), smtplib.SMTPRecipientsRefused)


@task(
    name="send-invoice",
    retries=3,
    retry_delay_seconds=[1, 30, 120],
    retry_condition_fn=_may_pass,
)
def send_invoice(number: str, to: str, total: Decimal) -> str:
    """
    Mail an invoice; a mail server that is away is tried again.

    Args:
        number: The invoice's.
        to: The customer's address.
        total: In euros.

    Returns:
        The mail's Message-ID.
    """
    mail = EmailMessage()
    mail["From"], mail["To"], mail["Subject"] = SENDER, to, f"Invoice {number}"
    # Delivery is at least once. By an id that stays the same, mail servers and programs know a
    # second copy for what it is.
    mail["Message-ID"] = f"<invoice-{quote(number, safe='')}@shop.example.com>"
    mail.set_content(f"Please pay {total:.2f} EUR for invoice {number}.\n")
    host, _, port = os.environ.get("SHOP_SMTP", "localhost:25").partition(":")
    with smtplib.SMTP(host, int(port or 25), timeout=30) as server:
        server.send_message(mail)
    get_run_logger().info("Invoice %s went to %s", number, to)
    return str(mail["Message-ID"])


@task(name="rebuild-sitemap")
def rebuild_sitemap(site: HttpUrl) -> int:
    """
    Write sitemap.xml beside the pages.

    Args:
        site: Where the pages are served from.

    Returns:
        How many pages it lists.
    """
    folder = Path(os.environ["SHOP_PAGES"])
    pages = sorted(page.relative_to(folder).as_posix() for page in folder.rglob("*.html"))
    root = str(site).rstrip("/")
    urls = (f"<url><loc>{escape(f'{root}/{quote(page)}')}</loc></url>\n" for page in pages)
    # At no moment there is half a file; and twice delivered does no harm.
    new = folder / "sitemap.xml.new"
    new.write_text(SITEMAP.format("".join(urls)), encoding="utf-8")
    new.replace(folder / "sitemap.xml")
    get_run_logger().info("%d pages are in %s", len(pages), folder / "sitemap.xml")
    return len(pages)
