"""``python -m tests.oidc --desk http://localhost:8501``: a provider to try sign-in with by hand; prints what to set, then serves."""

import argparse
import secrets
import threading

from tests.oidc import PEOPLE, Provider


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.oidc", description=__doc__)
    parser.add_argument("--port", type=int, default=0, help="0 for any free one")
    parser.add_argument("--desk", default="http://localhost:8501", help="where the desk will be opened")
    chosen = parser.parse_args()
    with Provider([f"{chosen.desk}/oauth2callback"], port=chosen.port) as provider:
        print(f"export SIGNALDESK_OIDC_CLIENT_ID={provider.client_id}")
        print(f"export SIGNALDESK_OIDC_CLIENT_SECRET={provider.client_secret}")
        print(f"export SIGNALDESK_OIDC_METADATA_URL={provider.metadata_url}")
        print(f"export SIGNALDESK_PUBLIC_URL={chosen.desk}")
        print(f"export SIGNALDESK_COOKIE_SECRET={secrets.token_urlsafe(32)}")
        print(f"export SIGNALDESK_ADMINS={PEOPLE[0].email}", flush=True)
        threading.Event().wait()


if __name__ == "__main__":
    main()
