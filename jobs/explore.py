"""Look at the entries and images of a run in a browser on this machine."""

import threading
import webbrowser

from headtail.start import launch
from conf.schema.jobs import ExploreConfig
from curation.core.errors import HeadtailError

NEEDS_PACKAGE = "explore needs the package Flask: pip install flask"


def run(config: ExploreConfig) -> None:
    """Serve the pages until Ctrl-C."""
    try:
        from werkzeug.serving import make_server

        from curation.explore.guard import NAMES, TOKEN, QuietHandler, new_token
        from curation.explore.pages import make_app
    except ImportError as error:
        raise HeadtailError(f"{NEEDS_PACKAGE} ({error})") from error
    from curation.explore.explored_run import ExploredRun

    explored, token = ExploredRun(config.output), new_token()
    try:
        server = make_server(
            NAMES[0],
            config.port,
            None,  # type: ignore[arg-type]  # the port comes first
            threaded=True,
            request_handler=QuietHandler,
        )
    except (OSError, SystemExit) as error:
        raise HeadtailError(f"port {config.port} of this machine is taken: give another one, or 0 for any") from error
    server.app = make_app(explored, token, server.port, config.hide_above)
    address = f"http://{NAMES[0]}:{server.port}/?{TOKEN}={token}"
    print(f"open {address}\nCtrl-C ends it", flush=True)  # noqa: T201 the output of the command
    if config.browser:
        threading.Thread(target=webbrowser.open, args=(address,), daemon=True).start()
    server.serve_forever()


if __name__ == "__main__":
    launch(run)
