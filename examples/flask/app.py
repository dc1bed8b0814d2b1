"""A web application that calls Microsoft Graph with the client secret that Keyturn rotates. It never restarts for a rotation.

pip install "keyturn[azure]" flask
AZURE_TENANT_ID=... KEYTURN_URL=... flask --app app run
"""

import json
import os
import urllib.parse
import urllib.request
import uuid

from azure.core.credentials import TokenCredential
from flask import Flask

from keyturn.client.azure import KeyturnCredential

GRAPH = "https://graph.microsoft.com"


def create_app(credential: TokenCredential | None = None, graph: str = GRAPH) -> Flask:
    """Return the application. Its credential reads the secret where the environment says, and follows its rotation."""
    app = Flask(__name__)
    used = credential or KeyturnCredential(os.environ["AZURE_TENANT_ID"])

    @app.get("/applications/<app_id>")
    def application(app_id: str) -> dict[str, str]:
        """Return the name of an application of the tenant; needs Application.Read.All."""
        token = used.get_token(f"{GRAPH}/.default").token
        query = urllib.parse.urlencode({"$filter": f"appId eq '{uuid.UUID(app_id)}'"})
        request = urllib.request.Request(
            f"{graph}/v1.0/applications?{query}", headers={"Authorization": f"Bearer {token}"}
        )
        with urllib.request.urlopen(request, timeout=10) as answer:
            return {"name": json.load(answer)["value"][0]["displayName"]}

    return app
