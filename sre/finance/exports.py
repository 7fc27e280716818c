"""Every file that a bill is exported to, by name."""

from sre.finance.bill import Bill
from sre.finance.focus import FILES, focus
from sre.finance.statement import statements
from sre.finance.stored import bill_to_json
from sre.finance.table import Locale, table
from sre.finance.workbook import workbook

TABLE, BILL, WORKBOOK = "chargeback.csv", "bill.json", "chargeback.xlsx"


def exports(bill: Bill, locale: Locale = "en") -> dict[str, bytes]:
    """Path -> content. The table is written for programs; a second one for the spreadsheets of another locale."""
    files = {TABLE: table(bill), BILL: bill_to_json(bill), **statements(bill)}
    files |= {name: focus(bill, version) for version, name in FILES.items()}
    if locale != "en":
        files[f"chargeback.{locale}.csv"] = table(bill, locale)
    return {WORKBOOK: workbook(bill), **{name: text.encode() for name, text in files.items()}}
