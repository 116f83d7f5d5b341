"""A page of the web framework inside the armour, served on loopback until its input ends; tells its port in a line."""

import asyncio
import socket
import sys
import threading

import uvicorn
from fastapi import FastAPI
from nicegui import ui

from commonwatt.apps.api.armour import Armour


def main() -> None:
    app = FastAPI()

    @ui.page("/")
    def page() -> None:
        told = ui.label("nothing")
        ui.button("press", on_click=lambda: told.set_text("pressed"))
        ui.echart({"xAxis": {"type": "category"}, "yAxis": {}, "series": [{"type": "line", "data": [1, 2]}]})
        ui.button("draw", on_click=lambda: ui.run_javascript("document.title = 'drawn'"))

    ui.run_with(app, title="armoured")
    with socket.create_server(("127.0.0.1", 0)) as door:
        port = door.getsockname()[1]
        app.add_middleware(Armour, origins=(f"http://localhost:{port}",), https=False)
        server = uvicorn.Server(uvicorn.Config(app, log_level="error"))

        def end() -> None:
            sys.stdin.read()
            server.should_exit = True

        threading.Thread(target=end, daemon=True).start()
        print(port, flush=True)
        asyncio.run(server.serve([door]))


if __name__ == "__main__":
    main()
