"""Every file that a bill is exported to, by name."""

from sre.finance.bill import Bill
from sre.finance.stored import bill_to_json
from sre.finance.table import Locale, table

TABLE, BILL = "chargeback.csv", "bill.json"


def exports(bill: Bill, locale: Locale = "en") -> dict[str, bytes]:
    """Path -> content. The table is written for programs; a second one for the spreadsheets of another locale."""
    files = {TABLE: table(bill), BILL: bill_to_json(bill)}
    if locale != "en":
        files[f"chargeback.{locale}.csv"] = table(bill, locale)
    return {name: text.encode() for name, text in files.items()}
