"""Sets SAP's simulator up: one station of 11 kW without a car that comes and goes, that measures every second."""

import json
import sys
from pathlib import Path
from typing import Any

TEMPLATES = "station-templates"


def main() -> None:
    assets, url = Path(sys.argv[1]), sys.argv[2]
    template: dict[str, Any] = json.loads((assets / TEMPLATES / "virtual-simple.station-template.json").read_text())
    template |= {
        "baseName": "SAP-1", "fixedName": True, "power": 11_040, "currentOutType": "AC", "numberOfPhases": 3,
        "voltageOut": 230, "numberOfConnectors": 1,
    }  # fmt: skip
    template["AutomaticTransactionGenerator"]["enable"] = False
    values = {"MeterValueSampleInterval": "1",
              "MeterValuesSampledData": "Energy.Active.Import.Register,Power.Active.Import"}  # fmt: skip
    for one in template["Configuration"]["configurationKey"]:
        one["value"] = values.get(one["key"], one["value"])
    measured = [{"unit": "W", "measurand": "Power.Active.Import"}, {"unit": "Wh"}]
    connector = {"bootStatus": "Available", "maximumPower": 11_040, "MeterValues": measured}
    template["Connectors"] = {"0": {}, "1": connector}
    (assets / TEMPLATES / "peer.station-template.json").write_text(json.dumps(template))
    config = {
        "$schemaVersion": 1, "supervisionUrls": [url], "supervisionUrlDistribution": "round-robin",
        "log": {"enabled": True, "level": "info", "console": True, "statisticsInterval": 0},
        "worker": {"processType": "workerSet"}, "performanceStorage": {"enabled": False, "type": "none"},
        "uiServer": {"enabled": False, "type": "ws"}, "persistState": False,
        "stationTemplateUrls": [{"file": "peer.station-template.json", "numberOfStations": 1}],
    }  # fmt: skip
    (assets / "config.json").write_text(json.dumps(config))


main()
