"""The workbench as one application beside the API: same use cases, another way to prove who asks."""

from urllib.parse import quote, urlsplit

from fastapi import APIRouter, FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.middleware.gzip import GZipMiddleware
from starlette.staticfiles import StaticFiles
from starlette.types import Scope

from tibs_cases.introductions.gateway import HttpRegistry
from tibs_cases.node import CasesNode
from tibs_cases.settings import Settings
from tibs_cases.web import (
    actors,
    case_matches,
    cases,
    contacts,
    deliveries,
    directory,
    introductions,
    matches,
    network,
    notices,
    preferences,
    profiles,
    reviews,
    search,
    signin,
    today,
    unsubscribing,
)
from tibs_cases.web.access import PAGES
from tibs_cases.web.gateways import Matching, Notify, Registry
from tibs_cases.web.guard import PageRoute, SecurityHeaders, SignInNeeded
from tibs_cases.web.live import Live
from tibs_cases.web.rendering import STATIC
from tibs_cases.web.session import Cookie
from tibs_cases.web.shell import Workbench, bench, go, here, inside
from tibs_cases.web.signin import STARTS_PER_MINUTE, FlowCookie, Limiter, Provider
from tibs_chassis import access as rights
from tibs_chassis.auth import Principal
from tibs_chassis.client import ServiceClient
from tibs_chassis.database import Database
from tibs_chassis.log import logger
from tibs_chassis.problems import Invalid, Problem, field_errors


class Static(StaticFiles):
    """Files that never change under one address: each is named with its digest."""

    async def get_response(self, path: str, scope: Scope) -> Response:
        response = await super().get_response(path, scope)
        named = b"v=" in scope.get("query_string", b"")
        response.headers["Cache-Control"] = "public, max-age=31536000, immutable" if named else "public, max-age=3600"
        return response


def create_workbench(
    *,
    settings: Settings,
    database: Database,
    node: CasesNode,
    registry: ServiceClient,
    matching: ServiceClient,
    notify: ServiceClient,
    itself: Principal,
) -> FastAPI:
    """The pages. Raises RuntimeError if a page has no authorisation row.

    `itself` is the service acting for nobody, where somebody without a sign-in holds a mail's link.

    Make it the default of the application that holds the API: whatever is no route there is a page.
    """
    secure = settings.public_url.startswith("https://")

    app = FastAPI(title="TIBS workbench", docs_url=None, redoc_url=None, openapi_url=None)
    app.state.database = database
    app.state.node = node
    app.state.settings = settings
    app.state.access = PAGES
    app.state.cookie = Cookie(secure=secure, region=node.region)
    app.state.flow = FlowCookie(settings)
    app.state.provider = Provider(settings)
    app.state.limiter = Limiter(per_minute=STARTS_PER_MINUTE)
    # Of its own: mail programs that unsubscribe for many people keep nobody from signing in.
    app.state.unsubscribe_limiter = Limiter(per_minute=unsubscribing.TRIES_PER_MINUTE)
    app.state.live = Live(database)
    app.state.workbench = Workbench(
        settings=settings,
        database=database,
        node=node,
        registry=Registry(registry),
        contacts=HttpRegistry(registry),
        matching=Matching(matching),
        notify=Notify(notify),
        itself=itself,
    )
    routers = [
        part.router for part in (today, network, search, notices, deliveries, preferences, case_matches, matches)
    ]
    routers += [part.router for part in (directory, actors, contacts, reviews, profiles)]
    for router in [
        *routers,
        *cases.routers,
        *introductions.routers,
        signin.router,
        signin.leaving,
        unsubscribing.router,
    ]:
        app.include_router(router)
    app.mount("/static", Static(directory=STATIC), name="static")
    app.include_router(elsewhere)  # last: it takes what nobody else took
    rights.check_complete(app, PAGES)
    _refusals(app)
    app.add_middleware(GZipMiddleware, minimum_size=1000, compresslevel=5)
    app.add_middleware(SecurityHeaders, secure=secure)
    if not (STATIC / "vendor" / "tabler.css").is_file():
        logger.warning("workbench.assets_missing", do="run `make assets`")
    return app


elsewhere = APIRouter(route_class=PageRoute, include_in_schema=False)


@elsewhere.get("/{path:path}", name="nowhere")
async def nowhere(path: str) -> Response:
    """There is no such page. Who is signed in is told so among the other pages, not outside of them."""
    raise HTTPException(404)


def _refusals(app: FastAPI) -> None:
    """Whatever goes wrong is told in a page of ours, in words, with the way on."""

    @app.exception_handler(SignInNeeded)
    async def on_nobody(request: Request, error: SignInNeeded) -> Response:
        fragment = request.headers.get("hx-request") == "true"
        goal = request.headers.get("hx-current-url", "/today") if fragment else here(request)
        if request.method != "GET" and not fragment:
            goal = request.headers.get("referer", "/today")
        target = sign_in_address(goal, public_url=bench(request).settings.public_url)
        if fragment:
            return Response(status_code=401, headers={"HX-Redirect": target})
        return go(target)

    @app.exception_handler(Problem)
    async def on_problem(request: Request, problem: Problem) -> Response:
        return refusal(request, problem)

    @app.exception_handler(RequestValidationError)
    async def on_invalid(request: Request, error: RequestValidationError) -> Response:
        wrong = field_errors(error.errors())
        if any(item.pointer.startswith("path") for item in wrong):
            return refusal(request, Problem(status=404, slug="not-found", title="Not found", detail=""))
        return refusal(request, Invalid("The address holds something that does not fit.", errors=wrong))

    @app.exception_handler(HTTPException)
    async def on_http(request: Request, error: HTTPException) -> Response:
        return refusal(request, Problem(status=error.status_code, slug="refused", title=str(error.detail), detail=""))

    @app.exception_handler(Exception)
    async def on_bug(request: Request, error: Exception) -> Response:
        logger.exception("page.failed", path=request.url.path, method=request.method)
        detail = "Nothing was changed. Try again; if it happens once more, tell your operator the time."
        return refusal(request, Problem(status=500, slug="internal", title="Something went wrong here", detail=detail))


def refusal(request: Request, problem: Problem) -> Response:
    """A problem as a page, inside the shell when somebody is signed in."""
    if request.headers.get("hx-request") == "true":
        return bench(request).page(request, "fragments/problem.html", status=problem.status, problem=problem)
    return bench(request).page(
        request,
        "pages/problem.html",
        status=problem.status,
        problem=problem,
        back=inside(_path_of(request.headers.get("referer", "")), otherwise="/today"),
    )


def sign_in_address(goal: str, *, public_url: str) -> str:
    path = goal.removeprefix(public_url)
    return f"/sign-in?next={quote(inside(path, otherwise='/today'), safe='/')}"


def _path_of(address: str) -> str:
    parts = urlsplit(address)
    return parts.path + (f"?{parts.query}" if parts.query else "")
