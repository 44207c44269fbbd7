"""A FunctionGraph function that reads a secret from the cache."""

import os
import time
import urllib.error
import urllib.request

ADDRESS = os.environ.get("FG_SECRETS_ADDRESS", "127.0.0.1:2773")
TOKEN_FILE = os.environ.get("FG_SECRETS_TOKEN_FILE", "/tmp/fg-secrets-cache.token")

# Without a proxy, which would see the token.
opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))


def token():
    if "FG_SECRETS_TOKEN" in os.environ:
        return os.environ["FG_SECRETS_TOKEN"]
    with open(TOKEN_FILE) as file:
        return file.read()


def secret(name):
    """Returns the value of a secret. The cache has it in memory, so ask for it whenever you need it."""
    deadline = time.monotonic() + 5
    while True:
        try:
            headers = {"X-Secrets-Token": token()}
            request = urllib.request.Request(f"http://{ADDRESS}/secrets/{name}", headers=headers)
            with opener.open(request, timeout=15) as response:
                return response.read().decode()
        except urllib.error.HTTPError as error:
            raise RuntimeError(f"cannot read the secret {name}: {error.read().decode()}") from None
        except OSError:
            # The function may start before the extension is ready.
            if time.monotonic() > deadline:
                raise
            time.sleep(0.05)


def handler(event, context):
    password = secret("db/password")
    return {"statusCode": 200, "body": f"the password has {len(password)} characters"}
