"""Runs an OpenID provider for development: `python -m tibs_devstack.parts.identity_server provider.json`.

It is oidc-provider-mock; here it gets a sign-in page that names people by name and role, brings its own style instead
of fetching one, keeps its signing key over restarts, and loses its debugger.
"""

import json
import os
import sys
from pathlib import Path
from typing import Any

_STYLE = """
  :root { color-scheme: light dark; font: 16px/1.5 system-ui, sans-serif; }
  body { margin: 0; background: light-dark(#f4f6f8, #12171c); color: light-dark(#1b2733, #e6ebf0); }
  main { max-width: 30rem; margin: 8vh auto; padding: 2rem; border-radius: 12px;
         background: light-dark(#fff, #1b232b); box-shadow: 0 1px 4px rgb(0 0 0 / .15); }
  h1 { font-size: 1.35rem; margin: 0 0 .25rem; } p { margin: 0 0 1.25rem; opacity: .8; }
  form { display: grid; gap: .5rem; }
  button { font: inherit; text-align: left; padding: .75rem 1rem; border-radius: 8px; cursor: pointer;
           border: 1px solid light-dark(#c9d3dd, #3a4652); background: transparent; color: inherit; }
  button:hover, button:focus-visible { border-color: #0b6bb8; outline: 2px solid #0b6bb8; outline-offset: 1px; }
  button strong { display: block; } button small { opacity: .75; }
  .quiet { margin-top: 1rem; } .quiet button { border: 0; text-align: center; width: 100%; }
"""
_TEMPLATES = {
    "_base.html": """<!doctype html><html lang="en"><head><meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1"><title>Sign in · {{ desk }}</title>
<style>"""
    + _STYLE
    + """</style></head><body><main>{% block content %}{{ content }}{% endblock %}</main></body></html>""",
    "authorization_form.html": """{% extends "_base.html" %}{% block content %}
<h1>Sign in to {{ desk }}</h1>
<p>The identity provider of this demonstration: choose who you are. In production this is the region's own.</p>
<form method="post">
{% for sub in predefined_users %}{% set person = people[sub] %}
<button type="submit" name="sub" value="{{ sub }}"><strong>{{ person.name }}</strong>
<small>{{ person.roles | join(", ") }} · {{ person.email }}</small></button>
{% endfor %}
</form>
<form method="post" class="quiet"><button type="submit" name="action" value="deny">Cancel</button></form>
{% endblock %}""",
}


def provider(configuration: dict[str, Any]) -> Any:
    """Its WSGI application."""
    # Not at the top: it reads this variable, without which it refuses plain http.
    os.environ["AUTHLIB_INSECURE_TRANSPORT"] = "1"
    import flask
    import jinja2
    from authlib import jose
    from oidc_provider_mock import _app, _storage

    key_file = Path(configuration["key"])

    class KeptStorage(_storage.Storage):  # type: ignore[misc]  # the package has no types
        def __init__(self) -> None:
            super().__init__()
            if key_file.exists():
                self.jwk = jose.RSAKey.import_key(json.loads(key_file.read_text(encoding="utf-8")))
            else:
                key_file.touch(mode=0o600)
                key_file.write_text(json.dumps(self.jwk.as_dict(is_private=True)), encoding="utf-8")

    _app.Storage = KeptStorage
    people = {person["sub"]: person for person in configuration["people"]}
    users = [
        _storage.User(sub=sub, claims={key: value for key, value in person.items() if key != "sub"})
        for sub, person in people.items()
    ]
    application: flask.Flask = _app.app(user_claims=users)
    application.debug = False
    application.wsgi_app = application.wsgi_app.app  # type: ignore[method-assign, attr-defined]  # without its debugger
    theirs = application.jinja_loader
    application.jinja_loader = jinja2.ChoiceLoader([jinja2.DictLoader(_TEMPLATES), *([theirs] if theirs else [])])
    application.jinja_env.globals.update(people=people, desk=configuration["title"])
    return application


def main() -> None:
    import werkzeug.serving

    configuration = json.loads(Path(sys.argv[1]).read_text(encoding="utf-8"))
    application = provider(configuration)
    werkzeug.serving.make_server("127.0.0.1", configuration["port"], application, threaded=True).serve_forever()


if __name__ == "__main__":
    main()
