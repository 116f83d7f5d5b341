"""A household's evening, frozen: what the gallery's pages show until a test moves it."""

from dataclasses import dataclass, field
from zoneinfo import ZoneInfo

from commonwatt.apps.web.parts.controls import Option
from commonwatt.apps.web.parts.depth import Level
from commonwatt.apps.web.parts.diary import Block
from commonwatt.apps.web.parts.flow import Flow
from commonwatt.apps.web.parts.grid import ZoneLoad
from commonwatt.apps.web.words import Place

PLACE = Place(name="Sunny Street", zone=ZoneInfo("Europe/London"), currency="GBP")
NOW_S = 1_776_967_205  # 23 April 2026, 19:00:05 in London
DAY_S = NOW_S // 3_600 * 3_600 - 3 * 3_600
QUARTER_S = 900

FLOW = Flow(
    at_s=NOW_S,
    house_w=840,
    solar_w=-3_210,
    battery_w=1_500,
    car_w=0,
    grid_w=-120,
    neighbours_w=-750,
    battery_level=0.64,
)
TARGETS = (
    Option(value="charge", label="Charge", icon="battery", colour="battery"),
    Option(value="hold", label="Hold", icon="pause"),
    Option(value="discharge", label="Discharge", icon="neighbours", colour="car"),
)
BLOCKS = (
    Block(start_s=DAY_S, end_s=DAY_S + 7_200, colour="car", label="Drive", note="6.2 kWh"),
    Block(start_s=DAY_S + 10_800, end_s=DAY_S + 21_600, colour="neighbours", label="Supply", note="3.5 kW"),
    Block(
        start_s=DAY_S + 32_400, end_s=DAY_S + 50_400, colour="battery", label="Charge", note="7.4 kW, cheapest hours"
    ),
)
BIDS = (
    Level(price_micro_per_kwh=182_000, backed_wh=4_200),
    Level(price_micro_per_kwh=171_000, backed_wh=2_500, unbacked_wh=3_000),
    Level(price_micro_per_kwh=150_000, backed_wh=0, unbacked_wh=6_000),
)
ASKS = (
    Level(price_micro_per_kwh=195_000, backed_wh=3_100, unbacked_wh=1_000),
    Level(price_micro_per_kwh=204_000, backed_wh=5_600),
    Level(price_micro_per_kwh=231_000, backed_wh=2_000, unbacked_wh=4_000),
)
ZONES = (
    ZoneLoad(zone="TR1", load_w=41_000, import_limit_w=120_000, export_limit_w=60_000, homes=42),
    ZoneLoad(zone="TR2", load_w=-57_000, import_limit_w=90_000, export_limit_w=60_000, homes=31),
    ZoneLoad(zone="PL4", load_w=74_500, import_limit_w=70_000, export_limit_w=70_000, homes=19),
    ZoneLoad(zone="PL7", load_w=3_800, homes=8),
)
SHAPED = tuple(
    ZoneLoad(
        zone=zone.zone,
        load_w=zone.load_w,
        import_limit_w=zone.import_limit_w,
        export_limit_w=zone.export_limit_w,
        homes=zone.homes,
        outline=outline,
    )
    for zone, outline in zip(
        ZONES,
        (
            ((-5.06, 50.26), (-5.03, 50.28), (-5.00, 50.27), (-5.01, 50.245), (-5.05, 50.24)),
            ((-5.00, 50.27), (-4.96, 50.28), (-4.93, 50.26), (-4.97, 50.24), (-5.01, 50.245)),
            ((-5.05, 50.24), (-5.01, 50.245), (-4.97, 50.24), (-4.99, 50.215), (-5.04, 50.21)),
            ((-4.97, 50.24), (-4.93, 50.26), (-4.91, 50.235), (-4.94, 50.21), (-4.99, 50.215)),
        ),
        strict=True,
    )
)
TIMES_S = tuple(range(DAY_S - 18 * 3_600, DAY_S + 6 * 3_600, QUARTER_S))


@dataclass
class Street:
    """What can be moved: the flow, and what was done."""

    flow: Flow = FLOW
    now_s: int = NOW_S
    done: list[str] = field(default_factory=list)
    computed: int = 0
