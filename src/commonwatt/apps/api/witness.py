"""Serve what a witness stands for: its last cosigned checkpoint, so that others can compare, and a fraud it found."""

from dataclasses import dataclass

from fastapi import FastAPI, Response
from fastapi.responses import PlainTextResponse


@dataclass(slots=True)
class Shown:
    """What a witness shows at the moment; set by the one that looks, read by the one that serves."""

    note: str | None = None
    fraud: bytes | None = None


def witness_app(shown: Shown) -> FastAPI:
    """Return the application: ``/checkpoint``, the note with the operator's signature and the witness's own, and
    ``/fraud.json``."""
    app = FastAPI(title="commonwatt witness", docs_url=None, redoc_url=None)

    @app.get("/checkpoint")
    async def checkpoint() -> Response:
        if shown.note is None:
            return PlainTextResponse("nothing is cosigned yet\n", status_code=404)
        return PlainTextResponse(shown.note, headers={"Cache-Control": "no-cache"})

    @app.get("/fraud.json")
    async def fraud() -> Response:
        if shown.fraud is None:
            return PlainTextResponse("no fraud was found\n", status_code=404)
        return Response(shown.fraud, media_type="application/json", headers={"Cache-Control": "no-cache"})

    return app
