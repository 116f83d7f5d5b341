"""A bill as people get it: one HTML file for a phone and for paper, and the same as PDF."""

from collections.abc import Sequence
from dataclasses import dataclass
from io import BytesIO
from zoneinfo import ZoneInfo

from jinja2 import Environment, PackageLoader, StrictUndefined
from reportlab.lib import colors
from reportlab.lib.enums import TA_RIGHT
from reportlab.lib.pagesizes import A4
from reportlab.lib.styles import ParagraphStyle, getSampleStyleSheet
from reportlab.lib.units import mm
from reportlab.platypus import Paragraph, SimpleDocTemplate, Spacer, Table, TableStyle

from commonwatt.apps.report import words
from commonwatt.model import round_div
from commonwatt.settlement.bill import Bill, Line

MOST_NUMBERS = 8
"""Runs of entry numbers that a line shows on paper; the page shows all."""
_FRAME = 6
"""Points that the library leaves around a page's text."""
_INK, _GREY, _RULE = colors.HexColor("#1c2733"), colors.HexColor("#5c6b7a"), colors.HexColor("#d5dce3")


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """A line in words: quantity, mean price, money, and which entries it is made of."""

    label: str
    quantity: str
    unit: str
    price: str
    amount: str
    tax: str
    entries: str
    all_entries: str
    count: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """A bill in words; what is there of a period before it is None where there was none."""

    account: str
    period: str
    headline: str
    total: str
    signed_total: str
    rows: list[Row]
    imported: str
    exported: str
    tax: str | None
    purchases: str | None
    before: str | None
    provisional: bool


def html(bill: Bill, timezone: str) -> str:
    """Return a bill as one HTML page with everything inside."""
    pages = Environment(
        loader=PackageLoader("commonwatt.apps.report", "."),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    b = told(bill, timezone)
    return pages.get_template("bill.html.j2").render(b=b, notes=notes(b))


def pdf(bill: Bill, timezone: str) -> bytes:
    """Return a bill as PDF, A4; the same bill gives the same bytes."""
    b, styles = told(bill, timezone), getSampleStyleSheet()
    plain = ParagraphStyle("plain", parent=styles["Normal"], textColor=_INK, fontSize=9.5, leading=13)
    small = ParagraphStyle("small", parent=plain, textColor=_GREY, fontSize=7.5, leading=10)
    right = ParagraphStyle("right", parent=plain, alignment=TA_RIGHT)
    bold = ParagraphStyle("bold", parent=right, fontName="Helvetica-Bold")
    title = ParagraphStyle("title", parent=plain, fontName="Helvetica-Bold", fontSize=18, leading=24)
    heading = [Paragraph(f"Bill of {b.account}", title), Paragraph(b.period, plain), Spacer(1, 5 * mm)]
    sums = [
        Paragraph(f"{b.headline}: <b>{b.total}</b>", ParagraphStyle("total", parent=plain, fontSize=14, leading=20)),
        Paragraph(f"{b.imported} came in, {b.exported} went out.", plain),
    ]
    if b.before:
        sums.append(Paragraph(b.before, plain))
    head = ParagraphStyle("head", parent=small, alignment=TA_RIGHT)
    cells = [["", *(Paragraph(text, head) for text in ("quantity", "pence a unit", "amount"))]]
    for row in b.rows:
        what = Paragraph(f'{row.label}<br/><font size="7.5" color="#5c6b7a">entries {row.entries}</font>', plain)
        cells.append(
            [what, *(Paragraph(text, right) for text in (f"{row.quantity} {row.unit}", row.price, row.amount))]
        )
    cells.append([Paragraph("<b>Total</b>", plain), "", "", Paragraph(b.signed_total, bold)])
    if b.tax:
        cells.append([Paragraph("of which tax", plain), "", "", Paragraph(b.tax, right)])
    table = Table(cells, colWidths=[170 * mm - 2 * _FRAME - 78 * mm, 26 * mm, 24 * mm, 28 * mm], repeatRows=1)
    table.setStyle(
        TableStyle(
            [
                ("LINEBELOW", (0, 0), (-1, -1), 0.4, _RULE),
                ("VALIGN", (0, 0), (-1, -1), "TOP"),
                ("LEFTPADDING", (0, 0), (0, -1), 0),
                ("RIGHTPADDING", (-1, 0), (-1, -1), 0),
            ]
        )
    )
    under = [Paragraph(text, small) for text in notes(b)]
    file = BytesIO()
    page = SimpleDocTemplate(
        file,
        pagesize=A4,
        title=f"Bill of {b.account}, {b.period}",
        leftMargin=20 * mm,
        rightMargin=20 * mm,
        topMargin=20 * mm,
        bottomMargin=18 * mm,
        invariant=1,
    )
    page.build([*heading, *sums, Spacer(1, 5 * mm), table, Spacer(1, 5 * mm), *under])
    return file.getvalue()


def told(bill: Bill, timezone: str) -> Told:
    """Return a bill in words."""
    clock = words.WallClock(ZoneInfo(timezone))
    owed = bill.total_micro >= 0
    before = bill.before
    return Told(
        account=bill.account,
        period=clock.span(bill.from_s, bill.to_s),
        headline="To pay" if owed else "To be paid to you",
        total=words.pounds(abs(bill.total_micro)),
        signed_total=words.pounds(bill.total_micro),
        rows=[_row(line) for line in bill.lines],
        imported=f"{words.kilo(bill.import_wh)} kWh",
        exported=f"{words.kilo(bill.export_wh)} kWh",
        tax=words.pounds(bill.tax_micro) if bill.tax_micro else None,
        purchases=words.pounds(bill.purchases_micro) if bill.purchases_micro else None,
        before=_compared(bill, before) if before else None,
        provisional=not bill.final,
    )


def _row(line: Line) -> Row:
    quantity_wh = line.energy_wh or line.watt_wh
    price = line.price_micro_per_kwh
    runs = number_runs(line.entries)
    shown = ", ".join(runs[:MOST_NUMBERS])
    rest = len(runs) - MOST_NUMBERS
    return Row(
        label=line.label,
        quantity=words.kilo(quantity_wh) if quantity_wh else "",
        unit="WATT" if line.watt_wh else "kWh" if line.energy_wh else "",
        price="" if price is None else f"{words.pence_per_kwh(price):.2f}",
        amount=words.pounds(line.amount_micro) if line.amount_micro else "",
        tax=words.pounds(line.tax_micro) if line.tax_micro else "",
        entries=f"{shown} and {rest} more runs" if rest > 0 else shown,
        all_entries=", ".join(runs),
        count=len(line.entries),
    )


def number_runs(numbers: Sequence[int]) -> list[str]:
    """Return numbers in rising order as runs: 1, 2, 3, 7 are 1-3 and 7."""
    runs: list[list[int]] = []
    for number in numbers:
        if runs and number == runs[-1][1] + 1:
            runs[-1][1] = number
        else:
            runs.append([number, number])
    return [f"{first}" if first == last else f"{first}-{last}" for first, last in runs]


def _compared(bill: Bill, before: Bill) -> str:
    """Say how a period compares with the one before it."""
    more_micro = bill.total_micro - before.total_micro
    more_wh = bill.import_wh - before.import_wh
    percent = f" ({round_div(100 * more_wh, before.import_wh):+d} %)" if before.import_wh else ""
    return (
        f"The period before: {words.pounds(before.total_micro)}, {words.kilo(before.import_wh)} kWh in. "
        f"This one: {words.pounds(abs(more_micro))} {'more' if more_micro >= 0 else 'less'}, "
        f"{words.kilo(abs(more_wh))} kWh {'more' if more_wh >= 0 else 'less'} came in{percent}."
    )


def notes(b: Told) -> list[str]:
    """Return what stands under a bill."""
    found = []
    if b.purchases:
        found.append(f"Money paid into the account less what was paid out: {b.purchases}; it is no part of the total.")
    if b.provisional:
        found.append("Provisional: a late or corrected reading can still change it.")
    found.append("Below zero: energy that went out, money that is paid to you. Pence are rounded, halves to even.")
    found.append("Each line is the sum of the numbered entries of the community's ledger, which can be proven to you.")
    return found
